"""The journal of erasures: ids of who was erased, in the object store, where no backup of a database brings it back.

A file is written before a record is destroyed and never changed: `erasures/<date>/<id>.json` with
{"firm_id", "erasures": [{erasure_id, client_id, client_ids, version}]}. After a restore, what it names and the database
does not know as erased is erased again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import delete, select

from chassis.context import Context, use
from chassis.database import Database, UnitOfWork
from chassis.files import Files
from chassis.going_on import Failures
from contracts.clients import ERASURE_REQUESTED
from services.clients.models import Erasure, ErasureReport

FOLDER = "erasures"
TIMER = "clients: journal of erasures"
_AT_ONCE = 100

Entry = dict[str, Any]


def write(files: Files, firm_id: str, erasures: Sequence[Erasure], now: dt.datetime) -> str:
    """Writes down erasures of one firm and returns the file's key. To write the same again does no harm."""
    key = f"{FOLDER}/{now:%Y-%m-%d}/{erasures[0].id}.json"
    entries = [
        {
            "erasure_id": erasure.id,
            "client_id": erasure.client_id,
            "client_ids": erasure.client_ids,
            "version": erasure.client_version,
        }
        for erasure in erasures
    ]
    files.put(key, orjson.dumps({"firm_id": firm_id, "erasures": entries}))
    return key


def apply_journal(db: Database, files: Files, now: dt.datetime, *, everything: bool = False) -> int:
    """Asks again for every erasure that the journal has and the database does not, and returns how many. With
    `everything` also for those that it knows, so that another service's restored database is told too.

    Costs a list of the journal's files and no more, if nothing is new. Raises Unavailable; and, when all others are
    applied, the error of a file that cannot be read or applied.
    """
    keys = sorted(files.keys(FOLDER))
    if not everything:
        known = _known(db)
        keys = [key for key in keys if key not in known]
    asked = 0
    with Failures() as failures:
        for key in keys:
            with failures.kept(journal_key=key):
                with files.get(key) as stream:
                    page = orjson.loads(stream.read())
                with use(Context(firm_id=page["firm_id"])):
                    own = db.for_firm(page["firm_id"])
                    for entries in _parts(page["erasures"]):
                        with own.unit_of_work() as uow:
                            asked += _ask_again(uow, entries, key, now, everything=everything)
    return asked


def _known(db: Database) -> set[str]:
    statement = select(Erasure.journal_key).where(Erasure.journal_key.is_not(None)).distinct()
    with db.across_firms("the journal is the installation's").read() as session:
        return {str(key) for key in session.scalars(statement)}


def _parts(entries: list[Entry]) -> Iterator[list[Entry]]:
    for start in range(0, len(entries), _AT_ONCE):
        yield entries[start : start + _AT_ONCE]


def _ask_again(uow: UnitOfWork, entries: list[Entry], key: str, now: dt.datetime, *, everything: bool) -> int:
    by_id = {entry["erasure_id"]: entry for entry in entries}
    rows = [
        {
            "id": entry["erasure_id"],
            "client_id": entry["client_id"],
            "client_ids": entry["client_ids"],
            "client_version": entry["version"],
            "cause": "restored",
            "journal_key": key,
            "ask_at": now,
            "created_at": now,
            "updated_at": now,
        }
        for entry in entries
    ]
    fresh = {row.id for row in uow.insert_returning(Erasure, rows, "id", ignore_conflicts=True)}
    again = set(fresh)
    known = uow.session.scalars(select(Erasure).where(Erasure.id.in_(sorted(set(by_id) - fresh))).with_for_update())
    for erasure in known.all():
        erasure.journal_key = erasure.journal_key or key
        if everything:
            erasure.begin_again(now)
            again.add(erasure.id)
    if everything:
        said = delete(ErasureReport).where(ErasureReport.erasure_id.in_(sorted(again)))
        uow.session.execute(said, execution_options={"synchronize_session": False})
    uow.session.flush()
    uow.emit_many(ERASURE_REQUESTED, [(id_, {"erasure_id": id_}) for id_ in sorted(again)])
    return len(again)
