"""Filters with a name, in the service that owns what they filter. Every place that takes a filter of a service takes
`{"saved_filter_id": id}` of that service's.

    SAVED_FILTERS = SavedFilters(SavedFilter, FilterUse, read_filter, target="clients")

`SavedFilter` is a `Versioned` model with id, name (unique in the firm) and filter;
`FilterUse` one of (user_id, saved_filter_id) whose rows refer to saved filters.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Text, UniqueConstraint, cast, delete, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database, UnitOfWork, violates
from chassis.filters.fields import CUSTOM
from chassis.filters.lookup import saved_filters_in
from chassis.filters.parsing import mentions
from chassis.paging import page
from contracts.errors import Conflict, NotFound, invalid_field

Record = dict[str, Any]
_SHOWN = ("id", "name", "filter", "version", "created_at", "updated_at")


MOST_NAMED = 20
"""Ids of filters that an error names."""


def refuse_blank_name(name: str | None) -> None:
    """Raises Invalid that names `name`."""
    if name is not None and not name.strip():
        raise invalid_field("name", "Blank.")


def refuse_named_values(session: Session, places: Mapping[str, str], *kept: type[Any]) -> None:
    """Before custom fields become sensitive, whose keys are held: no filter that is kept, where everybody reads it, may
    name a value of them. `places`: by key, what in the request makes it so; `kept`: the models, each with an id and a
    filter.

    Raises Conflict `field_in_saved_filter`; `meta` has the ids of each model's, like `saved_filter_ids`.
    """
    named: dict[str, list[str]] = {}
    keys: set[str] = set()
    for model in kept if places else ():
        written = cast(model.filter, Text)
        of_them = or_(*(written.contains(f'"{CUSTOM}{key}"', autoescape=True) for key in sorted(places)))
        for id_, filter in session.execute(select(model.id, model.filter).where(of_them).order_by(model.id)):
            if found := mentions(filter).valued & places.keys():
                keys |= found
                named.setdefault(f"{model.__tablename__}_ids", []).append(id_)
    if named:
        message = "A filter that is kept names a value of it: change or delete it first."
        fields = [{"field": place, "message": message} for key, place in places.items() if key in keys]
        ids = {name: ", ".join(found[:MOST_NAMED]) for name, found in named.items()}
        raise Conflict("field_in_saved_filter", fields=fields, **ids)


class SavedFilters:
    """`read_filter(session, wire, path=…, saved_as=…)` checks a filter, with those that it mentions; `target` says in
    each record what is filtered."""

    def __init__(self, saved: type[Any], use: type[Any], read_filter: Callable[..., Any], *, target: str) -> None:
        self._saved, self._use, self._read_filter, self._target = saved, use, read_filter, target
        self._sorts = {"name": saved.name, "created_at": saved.created_at}
        (self._unique_name,) = (
            entry
            for entry in saved.__table__.constraints
            if isinstance(entry, UniqueConstraint) and "name" in entry.columns
        )

    def create(self, db: Database, now: dt.datetime, *, name: str, filter: Record) -> Record:
        """Raises Invalid of a blank name, `invalid_filter`, NotFound for a saved filter inside that is not known,
        Conflict `name_taken`."""
        refuse_blank_name(name)
        with self._named(), db.unit_of_work() as uow:
            self._read_filter(uow.session, filter, path="filter")
            saved = self._saved(id=new_id(), name=name, filter=filter, version=1, created_at=now, updated_at=now)
            uow.session.add(saved)
            self.note_uses(uow, saved.id, filter)
            return uow.answer(self._record(saved))

    def get(self, db: Database, saved_filter_id: str) -> Record:
        """Raises NotFound `saved_filter_not_found`."""
        with db.read() as session:
            return self._record(self._find(session, saved_filter_id))

    def list(self, db: Database, **paging: Any) -> Record:
        """A page of saved filters. `sort`: name, created_at."""
        with db.read() as session:
            rows, meta = page(
                session, select(self._saved), model=self._saved, sorts=self._sorts, default_sort="name", **paging
            )
            return {"data": [self._record(saved) for saved in rows], "meta": meta}

    def update(
        self,
        db: Database,
        now: dt.datetime,
        *,
        saved_filter_id: str,
        changes: Record,
        expected_version: int | None = None,
    ) -> Record:
        """Raises Invalid as `create` does (of a filter that leads back to itself as well), NotFound, and Conflict
        `stale_version` or `name_taken`."""
        refuse_blank_name(changes.get("name"))
        with self._named(), db.unit_of_work() as uow:
            saved = self._find(uow.session, saved_filter_id, lock=True)
            saved.expect_version(expected_version)
            before = (saved.name, saved.filter)
            if "filter" in changes:
                self._read_filter(uow.session, changes["filter"], path="filter", saved_as=saved_filter_id)
                saved.filter = changes["filter"]
                self.note_uses(uow, saved.id, saved.filter)
            saved.name = changes.get("name", saved.name)
            if before != (saved.name, saved.filter):
                saved.touch(now)
            uow.session.flush()
            return uow.answer(self._record(saved))

    def delete(self, db: Database, saved_filter_id: str) -> None:
        """Raises NotFound, and Conflict `saved_filter_in_use` while anything refers to it."""
        use = self._use
        with db.unit_of_work() as uow:
            saved = self._find(uow.session, saved_filter_id, lock=True)
            used_by = select(use.user_id).where(use.saved_filter_id == saved_filter_id).limit(1)
            if (user := uow.session.scalar(used_by)) is not None:
                raise Conflict("saved_filter_in_use", used_by=user)
            uow.session.execute(delete(use).where(use.user_id == saved_filter_id))
            uow.session.delete(saved)
            try:
                # The reference itself guards against one that is made at this moment.
                uow.session.flush()
            except IntegrityError as error:
                raise Conflict("saved_filter_in_use") from error
            uow.answer({})

    def note_uses(self, uow: UnitOfWork, user_id: str, filter: Record | None) -> None:
        """Notes which saved filters something (`user_id`), such as a saved filter itself, refers to. The filter is
        known to be right. Raises NotFound `saved_filter_not_found`."""
        uow.session.flush()
        uow.session.execute(delete(self._use).where(self._use.user_id == user_id))
        uses = sorted(saved_filters_in(filter)) if filter is not None else []
        rows = [{"user_id": user_id, "saved_filter_id": saved_filter_id} for saved_filter_id in uses]
        try:
            uow.insert(self._use, rows)
        except IntegrityError as error:
            # It was there when the filter was read, and is gone at this moment.
            raise NotFound("saved_filter_not_found") from error

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            if not violates(error, self._unique_name):
                raise
            raise Conflict("name_taken", fields=[{"field": "name", "message": "Taken already."}]) from error

    def _find(self, session: Session, saved_filter_id: str, *, lock: bool = False) -> Any:
        statement = select(self._saved).where(self._saved.id == saved_filter_id)
        found = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
        if found is None:
            raise NotFound("saved_filter_not_found", saved_filter_id=saved_filter_id)
        return found

    def _record(self, saved: Any) -> Record:
        return {**{name: getattr(saved, name) for name in _SHOWN}, "target": self._target}
