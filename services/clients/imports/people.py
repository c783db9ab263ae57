"""The clients of an import of cases: found by id, external id, number or email address, or made.

Whoever asks chooses the id of each new client beforehand: asking again finds what was made, and makes no other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.scoping import BY_ID
from chassis.value_sets import among
from contracts.clients import CLIENT_DELETED, CLIENTS_IMPORTED
from services.clients import activity, cards
from services.clients.checking import Record
from services.clients.custom_fields import definitions
from services.clients.imports.matching import find_stored, new_record
from services.clients.imports.rows import Key, Row, RowReader
from services.clients.imports.undo import uses_of
from services.clients.models import Activity, Client
from services.clients.names import name_key
from services.clients.records import facts_of

FIELDS = (
    "id", "external_source", "external_source_id", "kind", "first_name", "middle_name", "last_name", "full_name",
    "company_name", "email", "phone", "mobile_phone", "language",
)  # fmt: skip
"""Of the fields of an import of clients those that say who somebody is."""
_PLACES = {name: place for place, name in enumerate(FIELDS)}
_TOLD_AT_ONCE = 500
_FOUND_BY = ("id", "external", "phone", "email")


@dataclass
class _Match:
    """What became of one person."""

    client_id: str | None = None
    created: bool = False
    errors: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def match_people(
    db: Database,
    now: dt.datetime,
    *,
    import_id: str,
    people: Sequence[Mapping[str, Any]],
    default_country: str,
    create: bool,
) -> dict[str, Any]:
    """`contracts.clients.MatchedPeople`. Those of one call see each other, in their order."""
    if not create:
        with db.read() as session:
            return _wire(_Matching(session, now, default_country).match(people))
    with db.unit_of_work() as uow:
        matching = _Matching(uow.session, now, default_country)
        matches = matching.match(people)
        _write(uow, import_id, matching.made, matches, now)
        return uow.answer(_wire(matches))


def _wire(matches: Sequence[_Match]) -> dict[str, Any]:
    return {"people": [vars(match) for match in matches]}


class _Matching:
    """Decides who each person is; `made` holds the records of those who are nobody yet, by their ids."""

    def __init__(self, session: Session, now: dt.datetime, country: str) -> None:
        self._session = session
        self._reader = RowReader(len(FIELDS), _PLACES, {}, country, now, own_fields=definitions(session))
        self._by_key: dict[Key, list[str]] = defaultdict(list)
        self._external: dict[str, tuple[Any, Any]] = {}
        self._there: set[str] = set()
        self._names: dict[str, str] = {}
        self._added: list[tuple[Key, str]] = []
        self.made: dict[str, Record] = {}

    def match(self, people: Sequence[Mapping[str, Any]]) -> list[_Match]:
        rows = [self._row(person["values"]) for person in people]
        chosen = [person["client_id"] for person in people]
        there = select(Client.id).where(among(self._session, Client.id, chosen))
        self._there = set(self._session.scalars(there, execution_options=BY_ID))
        for key, client_id in find_stored(self._session, {key for row in rows for key in row.keys}):
            self._by_key[key].append(client_id)
        found = {client_id for ids in self._by_key.values() for client_id in ids}
        on_cases = {id_ for person in people for id_ in person.get("on_case") or ()}
        named = select(Client.id, Client.name_key).where(
            among(self._session, Client.id, on_cases), Client.archived_at.is_(None)
        )
        self._names = {row.id: row.name_key for row in self._session.execute(named, execution_options=BY_ID)}
        columns = (Client.id, Client.external_source, Client.external_source_id)
        known = select(*columns).where(among(self._session, Client.id, found))
        for row in self._session.execute(known, execution_options=BY_ID):
            self._external[row.id] = (row.external_source, row.external_source_id)
        matches: list[_Match] = []
        for _, group in groupby(zip(people, rows, strict=True), lambda pair: pair[0]["row"]):
            matches += self._match_together(list(group))
        return matches

    def _match_together(self, group: Sequence[tuple[Mapping[str, Any], Row]]) -> list[_Match]:
        """Those of one row. If one of them cannot be, none of them is made."""
        self._added.clear()
        matches = [self._match(person["client_id"], row, person.get("on_case") or ()) for person, row in group]
        if any(match.errors for match in matches):
            for key, client_id in self._added:
                self._by_key[key].remove(client_id)
            for person, _ in group:
                self.made.pop(person["client_id"], None)
        return matches

    def _row(self, values: Mapping[str, str]) -> Row:
        row = self._reader.read(1, [values.get(name, "") for name in FIELDS])
        row.keys = [key for key in row.keys if key[0] in _FOUND_BY]
        return row

    def _match(self, chosen: str, row: Row, on_case: Sequence[str]) -> _Match:
        if row.errors:
            return _Match(errors=row.errors)
        keys = [hashlib.sha256("\0".join(key).encode()).hexdigest() for key in row.keys]
        if chosen in self._there:
            # Made when this was asked before.
            self._remember(chosen, row)
            return _Match(chosen, True, keys=keys)
        named = next((key for key in row.keys if key[0] == "id"), None)
        if named is not None:
            known = self._by_key[named]
            return _Match(known[0], keys=keys) if known else _Match(errors=["unknown_client:id"])
        external = next((key for key in row.keys if key[0] == "external"), None)
        if external is not None and (known := self._by_key[external]):
            return _Match(known[0], keys=keys)
        ids = list(dict.fromkeys(client_id for key in row.keys for client_id in self._by_key[key]))
        if len(ids) > 1:
            return _Match(errors=["several_matches:client"])
        if ids:
            if external is not None and self._external.get(ids[0], (None, None))[1] is not None:
                return _Match(errors=["external_id_differs:external_source_id"])
            return _Match(ids[0], keys=keys)
        record, errors = new_record(row, self._reader)
        name = name_key(record)
        if name and not row.keys and (known := [id_ for id_ in on_case if self._names.get(id_) == name]):
            return _Match(known[0])
        if errors:
            return _Match(errors=errors, keys=keys)
        self.made[chosen] = {**record, "id": chosen}
        self._remember(chosen, row)
        return _Match(chosen, True, keys=keys)

    def _remember(self, client_id: str, row: Row) -> None:
        self._external[client_id] = (row.fields.get("external_source"), row.fields.get("external_source_id"))
        for key in row.keys:
            if client_id not in self._by_key[key]:
                self._by_key[key].append(client_id)
                self._added.append((key, client_id))


def _write(
    uow: UnitOfWork, import_id: str, made: Mapping[str, Record], matches: Sequence[_Match], now: dt.datetime
) -> None:
    """Stores new clients. One whose external id was taken since it was looked for is an error; one whose own id was, is
    the same one, made by whoever asked at the same time."""
    if not made:
        return
    stored = cards.insert(uow, list(made.values()), import_id=import_id)
    others = select(Client.id).where(among(uow.session, Client.id, made.keys() - stored))
    there = stored | set(uow.session.scalars(others, execution_options=BY_ID))
    for match in matches:
        if match.client_id in made and match.client_id not in there:
            match.client_id, match.created, match.errors = None, False, ["external_id_taken:external_source_id"]
    if stored:
        clients = [facts_of(record) for id_, record in made.items() if id_ in stored]
        for start in range(0, len(clients), _TOLD_AT_ONCE):
            some = clients[start : start + _TOLD_AT_ONCE]
            uow.emit(CLIENTS_IMPORTED, import_id, {"import_id": import_id, "clients": some})
        told = {"import_id": import_id, "outcome": "created"}
        uow.insert(Activity, [activity.entry(id_, now, CLIENTS_IMPORTED.name, told) for id_ in sorted(stored)])


def take_back_people(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`case_import.undone.v1`: deletes the clients that an import of cases made, but those that were changed since, or
    have contacts or notes, or others that were merged into them."""
    with db.unit_of_work(once=events) as uow:
        imports = {id_: event.data["import_id"] for event in uow.fresh for id_ in event.data["client_ids"]}
        of_import = select(Client.id, Client.import_id).where(among(uow.session, Client.id, imports))
        made = {row.id: row.import_id for row in uow.session.execute(of_import, execution_options=BY_ID)}
        ids = sorted(id_ for id_, import_id in imports.items() if made.get(id_) == import_id)
        records = cards.load(uow.session, ids, lock=True)
        used = uses_of(uow.session, ids, ("contacts", "merges", "notes"))
        gone = [
            {"id": id_, "archived_at": now, "updated_at": now, "version": record["version"] + 1}
            for id_, record in sorted(records.items())
            if record["version"] == 1 and id_ not in used
        ]
        uow.update_each(Client, gone)
        for row in gone:
            data = {"client_id": row["id"], "version": row["version"]}
            uow.emit(CLIENT_DELETED, row["id"], data, aggregate_version=row["version"])
        facts = {"outcome": "removed", "undone": True}
        told = [(row["id"], {**facts, "import_id": imports[row["id"]]}) for row in gone]
        uow.insert(Activity, [activity.entry(id_, now, CLIENT_DELETED.name, more) for id_, more in told])
