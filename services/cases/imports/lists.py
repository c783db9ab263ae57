"""Uploaded lists of cases, when somebody is erased who is in one.

They are searched before the owner of clients deletes who the person is (`chassis.imports.seeking`). A list goes as a
whole with the first who is found in it; if its import was not started yet, it is cancelled, and one that still runs
reads its list to the end: then whoever asks is told to ask again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from chassis.database import Database
from chassis.files import Files
from chassis.imports.models import ENDED, UNSTARTED
from chassis.imports.seeking import Person, Seeker, find_in_list
from contracts.errors import Unavailable
from services.cases.imports.store import IMPORTS
from services.cases.models import CaseImport

BUDGET = 15.0
"""Seconds that one call looks at lists; one of 200,000 rows takes some of them."""


def forget_lists(
    db: Database, files: Files, *, people: Sequence[Mapping[str, Any]], after: str | None = None, budget: float = BUDGET
) -> dict[str, Any]:
    """Deletes the lists in which these people are, and the names of files and columns that are theirs; {"after": where
    to go on, None at the end}. May be repeated.

    Raises Unavailable if the object store cannot be reached, or `import_running` while a list of theirs is taken in.
    """
    until = time.monotonic() + budget
    seeker = Seeker(_person(person) for person in people)
    wanted = {person["client_id"] for person in people}
    for entry in _from(db, after):
        _forget_names(db, entry, seeker)
        if entry.emptied_at is None:
            _forget_list(db, files, entry, seeker, wanted)
        if time.monotonic() > until:
            return {"after": entry.id}
    return {"after": None}


def _from(db: Database, after: str | None) -> Sequence[CaseImport]:
    statement = select(CaseImport).order_by(CaseImport.id)
    with db.read() as session:
        return session.scalars(statement if after is None else statement.where(CaseImport.id > after)).all()


def _person(person: Mapping[str, Any]) -> Person:
    return Person(person["client_id"], person["numbers"], person["emails"], person["ids"], person["name"])


def _forget_names(db: Database, entry: CaseImport, seeker: Seeker) -> None:
    """The names of an import's file and columns, if somebody is in them. One that was not started is cancelled."""
    if not (seeker.found_in([entry.filename]) or seeker.found_in(entry.columns)):
        return
    with db.unit_of_work() as uow:
        found = IMPORTS.find(uow.session, entry.id, lock=True)
        if found.state in UNSTARTED:
            found.cancelled()
        if found.state in ENDED:
            found.forget_names()


def _forget_list(db: Database, files: Files, entry: CaseImport, seeker: Seeker, wanted: set[str]) -> None:
    """The files of an import, if somebody is in its list, and those of others that are of the same list. Raises
    Unavailable `import_running` if one still reads it."""
    if entry.table_key is not None:
        # The workbook itself: it may have sheets besides the one that was taken in.
        files.delete(entry.file_key)
    if not files.exists(entry.rows_key) or not find_in_list(files, entry, seeker, wanted):
        return
    whose = CaseImport.id == entry.id if entry.table_key is not None else CaseImport.file_key == entry.file_key
    sharing = select(CaseImport).where(whose, CaseImport.emptied_at.is_(None)).order_by(CaseImport.id)
    keys: set[str] = set()
    with db.unit_of_work() as uow:
        for found in uow.session.scalars(sharing.with_for_update()):
            if found.state in UNSTARTED:
                found.cancelled()
            if found.state not in ENDED:
                raise Unavailable("import_running", import_id=found.id)
            keys.update(found.file_keys)
    for key in sorted(keys):
        files.delete(key)
