"""Files in the object store that nobody wants: lists that no import names, since whoever took one in was killed or
could not say that it did, and what is left of imports whose time is over."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from chassis.context import Context, use
from chassis.database import Database
from chassis.files import Files
from chassis.imports.store import ImportStore

UNNAMED = dt.timedelta(hours=24)
"""How long a list waits for an import that names it."""
_AT_ONCE = 100


def tidy_left_lists(db: Database, files: Files, store: ImportStore, target: str, now: dt.datetime) -> None:
    """Across firms: removes a target's lists, `imports/<target>/<firm>/…`, that no import has named within a day, and
    `imports/<id>/…` of a day before of imports that were emptied.

    Raises Unavailable if the object store cannot be reached; what is done stays done.
    """
    by_firm: dict[str, list[str]] = defaultdict(list)
    by_import: dict[str, list[str]] = defaultdict(list)
    for key in files.keys("imports", before=now - UNNAMED):
        _, first, *rest = key.split("/")
        if first == target:
            by_firm[rest[0]].append(key)
        elif _is_id(first):
            by_import[first].append(key)
    _tidy_emptied(db, files, store, by_import)
    for firm_id, keys in by_firm.items():
        with use(Context(firm_id=firm_id)):
            for start in range(0, len(keys), _AT_ONCE):
                _tidy(db.for_firm(firm_id), files, store, keys[start : start + _AT_ONCE])


def take_turns(session: Session, key: str) -> None:
    """Who names a list and who removes it do so one after the other, to the commit. (On SQLite one transaction writes
    at a time.)"""
    if session.get_bind().dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended('list ' || :firm_id || :key, 0))")
        session.execute(lock, {"key": key})


def _is_id(part: str) -> bool:
    try:
        return str(UUID(part)) == part
    except ValueError:
        return False


def _tidy_emptied(db: Database, files: Files, store: ImportStore, by_import: Mapping[str, Collection[str]]) -> None:
    imports = store.imports
    ids = sorted(by_import)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        emptied = select(imports.id).where(imports.id.in_(some), imports.emptied_at.is_not(None))
        with db.across_firms("what is left of imports is looked for in every firm").read() as session:
            over = session.scalars(emptied).all()
        for import_id in over:
            for key in by_import[import_id]:
                files.delete(key)


def _tidy(db: Database, files: Files, store: ImportStore, keys: Collection[str]) -> None:
    with db.read() as session:
        left = set(keys) - _named(session, store, keys)
    for key in sorted(left):
        with db.unit_of_work() as uow:
            # The same request, sent again, may just be taking it in.
            take_turns(uow.session, key)
            if not _named(uow.session, store, [key]):
                files.delete(key)


def _named(session: Session, store: ImportStore, keys: Collection[str]) -> set[str]:
    imports = store.imports
    named = or_(imports.file_key.in_(keys), imports.table_key.in_(keys))
    kept = select(imports.file_key, imports.table_key).where(imports.emptied_at.is_(None), named)
    return {key for row in session.execute(kept) for key in row if key is not None}
