"""Notes about a client, with author and date. A confidential one is kept sealed, and shown to those alone who may see
what is sensitive; that there is one, everybody sees who sees the client."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database, UnitOfWork
from chassis.paging import page
from chassis.value_sets import among
from contracts.clients import CLIENT_NOTED
from contracts.errors import Forbidden, NotFound
from services.clients import activity
from services.clients.checking import demand_text
from services.clients.client_keys import SEALING
from services.clients.merges.merge_history import demand_client
from services.clients.merges.moved_rows import MovedRows
from services.clients.models import ClientNote
from services.clients.showing import PERMISSION, sees_sensitive

_TABLE = ClientNote.__tablename__
_OF_CLIENT = select(ClientNote).where(ClientNote.client_id == bindparam("client_id"))
_SHOWN = ("id", "client_id", "version", "created_at", "updated_at", "author_id", "confidential")

Record = dict[str, Any]


def list_client_notes(
    db: Database, *, client_id: str, limit: int = 50, cursor: str | None = None, sort: str | None = None
) -> dict[str, Any]:
    """A page of a client's notes, the newest first; of confidential ones the text is null for who may not read it.

    Raises NotFound `client_not_found`, Gone `client_merged` or `client_erased`, and Invalid as `page` does.
    """
    with db.read() as session:
        demand_client(session, client_id)
        return notes_of(session, client_id, limit=limit, cursor=cursor, sort=sort)


def notes_of(session: Session, client_id: str, **paging: Any) -> dict[str, Any]:
    """`list_client_notes` of a client that is there."""
    rows, meta = page(
        session, _OF_CLIENT, model=ClientNote, sorts={"created_at": ClientNote.created_at}, default_sort="-created_at",
        parameters={"client_id": client_id}, **paging,
    )  # fmt: skip
    return {"data": _records(session, client_id, rows), "meta": meta}


def get_client_note(db: Database, *, client_id: str, note_id: str) -> Record:
    """Raises NotFound `note_not_found`, or what `list_client_notes` raises for the client."""
    with db.read() as session:
        demand_client(session, client_id)
        return _records(session, client_id, [_find(session, client_id, note_id)])[0]


def create_client_note(
    db: Database, now: dt.datetime, *, client_id: str, text: str, confidential: bool = False
) -> Record:
    """The new note; its author is who asks. Raises Invalid, Forbidden `permission_denied`, and as `list_client_notes`
    for the client."""
    cleaned = demand_text(text, "text", lines=True)
    if confidential:
        _demand_sensitive()
    with db.unit_of_work() as uow:
        demand_client(uow.session, client_id, lock=True)
        note = ClientNote(
            id=new_id(), client_id=client_id, version=1, created_at=now, updated_at=now, author_id=activity.staff_id(),
            confidential=confidential, text="",
        )  # fmt: skip
        note.text = _kept(uow, note, cleaned)
        uow.session.add(note)
        uow.session.flush()
        _announce(uow, note, "added", now)
        return _answer(uow, note)


def update_client_note(
    db: Database,
    now: dt.datetime,
    *,
    client_id: str,
    note_id: str,
    changes: dict[str, Any],
    expected_version: int | None = None,
) -> Record:
    """The note with its changes. Raises Invalid, NotFound `note_not_found`, Conflict `stale_version`, Forbidden
    `permission_denied` or `not_the_author`, and as `list_client_notes` for the client."""
    cleaned = demand_text(changes["text"], "text", lines=True) if "text" in changes else None
    if changes.get("confidential"):
        _demand_sensitive()
    with db.unit_of_work() as uow:
        demand_client(uow.session, client_id, lock=True)
        note = _find(uow.session, client_id, note_id, lock=True)
        _demand_right_to_change(note)
        note.expect_version(expected_version)
        before = text_of(uow.session, note)
        text = before if cleaned is None else cleaned
        confidential = changes.get("confidential", note.confidential)
        if text is not None and (text, confidential) != (before, note.confidential):
            note.confidential = confidential
            note.touch(now)
            note.text = _kept(uow, note, text)
            uow.session.flush()
            _announce(uow, note, "changed", now)
        return _answer(uow, note)


def delete_client_note(db: Database, now: dt.datetime, *, client_id: str, note_id: str) -> None:
    """Raises NotFound `note_not_found`, Forbidden `permission_denied` or `not_the_author`, and as `list_client_notes`
    for the client."""
    with db.unit_of_work() as uow:
        demand_client(uow.session, client_id, lock=True)
        note = _find(uow.session, client_id, note_id, lock=True)
        _demand_right_to_change(note)
        uow.session.delete(note)
        _announce(uow, note, "removed", now)


def _find(session: Session, client_id: str, note_id: str, *, lock: bool = False) -> ClientNote:
    statement = select(ClientNote).where(ClientNote.id == note_id, ClientNote.client_id == client_id)
    found: ClientNote | None = session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("note_not_found", note_id=note_id)
    return found


def _demand_sensitive() -> None:
    if not sees_sensitive():
        raise Forbidden("permission_denied", permission=PERMISSION)


def _demand_right_to_change(note: ClientNote) -> None:
    if note.confidential:
        _demand_sensitive()
    if not sees_sensitive() and (note.author_id is None or note.author_id != activity.staff_id()):
        raise Forbidden("not_the_author", note_id=note.id)


def _kept(uow: UnitOfWork, note: ClientNote, text: str) -> str:
    """The text as it is kept."""
    if not note.confidential:
        return text
    return SEALING.keys_to_seal(uow, [note.client_id]).seal(note.client_id, text, _TABLE, "text", note.id)


def text_of(session: Session, note: ClientNote) -> str | None:
    """The text in clear; null where the client's key has been destroyed."""
    if not note.confidential:
        return note.text
    return SEALING.keys_of(session, [note.client_id]).unseal(note.client_id, note.text, _TABLE, "text", note.id)


def _records(session: Session, client_id: str, notes: Iterable[ClientNote]) -> list[Record]:
    given = list(notes)
    readable = sees_sensitive() and any(note.confidential for note in given)
    keys = SEALING.keys_of(session, [client_id] if readable else [])
    records = []
    for note in given:
        text: str | None = note.text
        if note.confidential:
            text = keys.unseal(client_id, note.text, _TABLE, "text", note.id) if readable else None
        records.append({**{name: getattr(note, name) for name in _SHOWN}, "text": text})
    return records


def _answer(uow: UnitOfWork, note: ClientNote) -> Record:
    """The note. What is kept to answer a repeat of the request does not hold a confidential text."""
    [record] = _records(uow.session, note.client_id, [note])
    return uow.answer(record, kept=lambda: {**record, "text": None if note.confidential else record["text"]})


def _announce(uow: UnitOfWork, note: ClientNote, change: str, now: dt.datetime) -> None:
    facts = {"note_id": note.id, "change": change, "confidential": note.confidential}
    uow.emit(CLIENT_NOTED, note.client_id, {"client_id": note.client_id, **facts})
    activity.add(uow, note.client_id, now, CLIENT_NOTED.name, {**facts, **activity.by_actor()})
    activity.touch(uow, {note.client_id: now})


class NotesMover(MovedRows):
    """Notes of a client that is merged become the survivor's, sealed with its key."""

    kind = "notes"
    model = ClientNote

    def move(self, uow: UnitOfWork, whose: str, client_id: str, row_ids: Sequence[str]) -> None:
        """What is sealed is sealed anew."""
        found = select(ClientNote).where(ClientNote.client_id == whose, among(uow.session, ClientNote.id, row_ids))
        notes = uow.session.scalars(found.order_by(ClientNote.id).with_for_update()).all()
        keys = SEALING.keys_of(uow.session, [whose] if any(note.confidential for note in notes) else [])
        for note in notes:
            text = keys.unseal(whose, note.text, _TABLE, "text", note.id) if note.confidential else None
            note.client_id = client_id
            if text is not None:
                note.text = _kept(uow, note, text)
        uow.session.flush()
