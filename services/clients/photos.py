"""A client's photo: one picture, drawn anew from what was uploaded, and kept in the object store."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Any

from eventlet import tpool
from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database
from chassis.files import Files
from contracts.clients import MAX_PHOTO_BYTES
from contracts.errors import NotFound, Unavailable, invalid_field
from services.clients import activity, cards
from services.clients.merges import merge_history, merge_images
from services.clients.merges.merge_history import demand_client
from services.clients.models import Client, ClientMerge, ClientPhoto, photo_key
from services.clients.pictures import UnfitPicture, portrait
from services.clients.records import Change, announce_changes

_UNSETTLED = dt.timedelta(hours=1)
"""After that, a file that no record came to show is what a killed process left."""


def set_client_photo(db: Database, files: Files, now: dt.datetime, *, client_id: str, file_key: str) -> dict[str, Any]:
    """Makes an uploaded file the client's photo, in place of the one before. The upload is deleted in any case.

    Raises Invalid that names `file`, NotFound `client_not_found` or `file_not_found`, Gone `client_merged` or
    `client_erased`, and Unavailable if the object store cannot be reached.
    """
    try:
        with files.get(file_key) as stream:
            content = stream.read(MAX_PHOTO_BYTES + 1)
        if len(content) > MAX_PHOTO_BYTES:
            raise invalid_field("file", f"Larger than {MAX_PHOTO_BYTES} bytes.", code="file_too_large")
        try:
            # In a thread of the system: to draw a large picture takes a second, in which nobody else should wait.
            picture = tpool.execute(portrait, content)
        except UnfitPicture as error:
            raise invalid_field("file", str(error), code=error.code) from error
    finally:
        with suppress(Unavailable):
            files.delete(file_key)
    photo_id = new_id()
    with db.unit_of_work() as uow:
        demand_client(uow.session, client_id, lock=True)
        uow.insert(ClientPhoto, [{"id": photo_id, "client_id": client_id, "created_at": now}])
    made = _wire(db, client_id, photo_id)
    files.put(made["file_key"], picture)
    try:
        before = _show(db, now, client_id, photo_id)
    except BaseException:
        # Perhaps erased meanwhile, with what was known of it then.
        with suppress(Unavailable):
            files.delete(made["file_key"])
        raise
    _tidy(db, files, now, client_id, before)
    return made


def get_client_photo(db: Database, *, client_id: str) -> dict[str, Any]:
    """Where the photo is. Raises NotFound `photo_not_found` if there is none, and as `demand_client` does."""
    with db.read() as session:
        demand_client(session, client_id)
        photo_id = session.scalar(select(Client.photo_id).where(Client.id == client_id))
    if photo_id is None:
        raise NotFound("photo_not_found", client_id=client_id)
    return _wire(db, client_id, photo_id)


def delete_client_photo(db: Database, files: Files, now: dt.datetime, *, client_id: str) -> None:
    """Takes the photo away; nothing happens if there is none. Raises as `demand_client` does, and Unavailable."""
    before = _show(db, now, client_id, None)
    _tidy(db, files, now, client_id, before)


def _show(db: Database, now: dt.datetime, client_id: str, photo_id: str | None) -> str | None:
    """Makes the record show a photo, or none; returns the one that it showed."""
    with db.unit_of_work() as uow:
        before = cards.load(uow.session, [client_id], lock=True).get(client_id)
        if before is None:
            raise merge_history.absent(uow.session, client_id)
        after = {**before, "photo_id": photo_id}
        if changed := cards.save(uow, [(before, after)], now).get(client_id):
            announce_changes(uow, [Change(after, changed, activity.by_actor())], now)
    shown: str | None = before["photo_id"]
    return shown


def _tidy(db: Database, files: Files, now: dt.datetime, client_id: str, before: str | None) -> None:
    """Deletes the file of the photo before, and what a killed process left. (That of a merged client is still its own,
    and one that the client had before a merge is given back by its undo.)"""
    left = or_(ClientPhoto.id == before, ClientPhoto.created_at < now - _UNSETTLED)
    shown = select(Client.photo_id).where(Client.photo_id == ClientPhoto.id)
    theirs = select(ClientPhoto).where(ClientPhoto.client_id == client_id, left)
    with db.read() as session:
        # First: an undo that is just done shows what it was kept for.
        kept = _for_an_undo(session, client_id)
        old = session.scalars(theirs.where(ClientPhoto.id.not_in(kept), ~exists(shown))).all()
    for row in old:
        files.delete(row.file_key)
    if old:
        with db.unit_of_work() as uow:
            gone = delete(ClientPhoto).where(ClientPhoto.id.in_([row.id for row in old]))
            uow.session.execute(gone, execution_options={"synchronize_session": False})


def _for_an_undo(session: Session, client_id: str) -> set[str]:
    """The photos that the client had before others were merged into it, as long as that can be undone."""
    merges = select(ClientMerge).where(ClientMerge.surviving_id == client_id, ClientMerge.before.is_not(None))
    images = [merge_images.opened(session, merge) for merge in session.scalars(merges)]
    return {sides[0]["photo_id"] for sides in images if sides is not None and sides[0]["photo_id"] is not None}


def _wire(db: Database, client_id: str, photo_id: str) -> dict[str, Any]:
    return {"client_id": client_id, "photo_id": photo_id, "file_key": photo_key(str(db.firm_id), photo_id)}
