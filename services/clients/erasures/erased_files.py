"""The files in the object store that hold something of a client: its own, and lists that it came in with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.files import Files
from chassis.imports.models import ENDED, UNSTARTED
from chassis.imports.seeking import Person, Seeker, find_in_list
from chassis.value_sets import among
from services.clients import cards
from services.clients.checking import Record
from services.clients.models import Client, Erasure, Import, ImportChange

_ASKED_AT_ONCE = 500

Lists = dict[str, set[str]]
"""Of an import, the clients that are in its list."""


def lists_with(db: Database, files: Files, erasures: Sequence[Erasure]) -> Lists:
    """The imports in whose lists the people of these erasures are. Not in a transaction: every list of the firm's that
    is still kept is read.

    Raises Unavailable if the object store cannot be reached.
    """
    with db.read() as session:
        ids = {client_id for erasure in erasures for client_id in erasure.client_ids}
        people = cards.load(session, ids, archived=True)
        kept = session.scalars(select(Import).where(Import.emptied_at.is_(None)).order_by(Import.id)).all()
    if not people:
        return {}
    for entry in kept:
        if entry.table_key is not None:
            # The workbook itself: it may have sheets besides the one that was taken in.
            files.delete(entry.file_key)
    seeker = Seeker(map(person_of, people.values()))
    found = {entry.id: find_in_list(files, entry, seeker, set(people)) for entry in kept}
    return {import_id: client_ids for import_id, client_ids in found.items() if client_ids}


def people_in_lists(db: Database, erasures: Sequence[Erasure]) -> Iterator[list[dict[str, Any]]]:
    """`contracts.cases.ListedPerson` of each of the people of these erasures, as many as one call takes at a time."""
    with db.read() as session:
        ids = {client_id for erasure in erasures for client_id in erasure.client_ids}
        people = [person_of(record) for record in cards.load(session, ids, archived=True).values()]
    for start in range(0, len(people), _ASKED_AT_ONCE):
        yield [
            {
                "client_id": person.id, "name": person.name, "numbers": list(person.numbers),
                "emails": list(person.emails), "ids": list(person.ids),
            }
            for person in people[start : start + _ASKED_AT_ONCE]
        ]  # fmt: skip


def person_of(record: Record) -> Person:
    """By what a client is looked for in lists."""
    name = " ".join(part for part in (record["first_name"], record["last_name"]) if part) or record["company_name"]
    ids = (record["id"], record["external_source_id"], *(entry["number"] for entry in record["government_ids"]))
    return Person(
        record["id"],
        [phone["number"] for phone in record["phones"]],
        [email["address"] for email in record["emails"]],
        [text for text in ids if text],
        name or "",
    )


def scrub_imports(session: Session, people: Collection[Record], import_ids: Collection[str]) -> None:
    """Cancels those of the imports that were not started, since their lists go; and of all imports that bear somebody's
    name, in the file's or in a column's, the names go."""
    seeker = Seeker(map(person_of, people))
    names = session.execute(select(Import.id, Import.filename, Import.columns, Import.state)).all()
    named = {row.id for row in names if seeker.found_in([row.filename]) or seeker.found_in(row.columns)}
    theirs = select(Import).where(among(session, Import.id, {*import_ids, *named}))
    for entry in session.scalars(theirs.order_by(Import.id).with_for_update()):
        if entry.state in UNSTARTED:
            entry.cancelled()
        if entry.id in named and entry.state in ENDED:
            entry.forget_names()


def files_of(
    session: Session, client_ids: Collection[str], models: Sequence[Any], listed: Mapping[str, set[str]]
) -> dict[str, set[str]]:
    """By client: the keys of its files. A table whose rows say where a file is has an attribute `file_key`; `listed`
    are the lists that it was found in.

    An uploaded list holds many people. It goes as a whole with the first of them: it has been taken in, and what is
    left of its use is the file of errors.
    """
    found: dict[str, set[str]] = {}
    for model in models:
        if hasattr(model, "file_key"):
            for row in session.scalars(select(model).where(among(session, model.client_id, client_ids))):
                if row.file_key:
                    found.setdefault(row.client_id, set()).add(row.file_key)
    changed = select(ImportChange.client_id, ImportChange.import_id).where(
        among(session, ImportChange.client_id, client_ids)
    )
    made = select(Client.id, Client.import_id).where(
        among(session, Client.id, client_ids), Client.import_id.is_not(None)
    )
    lists: Lists = {import_id: set(found_in) for import_id, found_in in listed.items()}
    for client_id, import_id in (*session.execute(changed), *session.execute(made)):
        lists.setdefault(str(import_id), set()).add(client_id)
    for entry in session.scalars(select(Import).where(among(session, Import.id, lists))):
        for client_id in lists[entry.id]:
            found.setdefault(client_id, set()).update(entry.file_keys)
    return found


def still_read(session: Session, keys: Collection[str]) -> set[str]:
    """Those of the keys whose import goes on: its file is needed to its end."""
    statement = select(Import.file_key, Import.table_key).where(
        or_(among(session, Import.file_key, keys), among(session, Import.table_key, keys)), Import.state.not_in(ENDED)
    )
    return {key for row in session.execute(statement) for key in row if key}
