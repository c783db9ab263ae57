"""Pictures and files that come with messages: kept as what is to be fetched, fetched with care, handed out as files.

What is in them is judged by their content before anybody sees them, whether the provider keeps them or the gateway has
put them into the object store.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, Protocol, cast

import eventlet
from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.context import Context, use
from chassis.database import Database
from chassis.file_kinds import clean_name, judge
from chassis.files import CHUNK, Files
from contracts.errors import Conflict, NotFound, Unavailable
from services.messaging.adapters.media_source import MediaRefused, MediaUnreachable
from services.messaging.models import InboundMedia

Record = dict[str, Any]

TIMER = "messaging: fetch media"
AT_ONCE = 5
LEASE = dt.timedelta(minutes=3)
"""Longer than a fetch may take: after it, one that was killed is tried again."""
_PAUSES = (10, 60, 300, 1800, 7200, 21600)
"""Seconds before the next try, by the number of tries so far."""
_IN_MEMORY = 256 * 1024


class Source(Protocol):
    """Where a provider keeps media."""

    def fetch(self, url: str, into: IO[bytes], largest: int) -> None:
        """Raises MediaRefused, MediaUnreachable."""


@dataclass(frozen=True)
class Wanted:
    """Media that are to be fetched now, under a lease."""

    id: str
    firm_id: str
    provider: str
    url: str | None
    file_key: str | None
    filename: str | None
    attempts: int


def media_rows(message_id: str, provider: str, media: Iterable[Mapping[str, Any]], now: dt.datetime) -> list[Record]:
    """Rows of `InboundMedia`, due at once, for what came with a message."""
    return [
        {
            "id": new_id(),
            "message_id": message_id,
            "position": position,
            "provider": provider,
            "url": entry.get("url"),
            "file_key": entry.get("file_key"),
            "filename": entry.get("filename"),
            "content_type": entry.get("content_type"),
            "due_at": now,
            "created_at": now,
            "updated_at": now,
        }
        for position, entry in enumerate(media)
        if entry.get("url") or entry.get("file_key")
    ]


def file_key_of(media: Wanted | InboundMedia) -> str:
    """Where a file is, or will be once it is fetched."""
    return media.file_key or f"media/{media.firm_id}/{media.id}"


def fetch_due(
    db: Database, files: Files, sources: Mapping[str, Source], *, largest: int, now: Callable[[], dt.datetime] = utc_now
) -> bool:
    """Fetches and judges some of what is due, of all firms, and returns whether there was any. `sources` by provider;
    `largest`: bytes that one file may have."""
    across = db.across_firms("media are fetched for every firm")
    wanted = _claim(across, now())
    fetching = [(one, eventlet.spawn(_fetch, files, sources, one, largest)) for one in wanted]
    for one, thread in fetching:
        with use(Context(firm_id=one.firm_id)):
            values = thread.wait()
            if not _record(db.for_firm(one.firm_id), one, values, now()) and values.get("state") == "stored":
                # It is not wanted any more: its client was erased while it was fetched.
                _drop_unwanted(db.for_firm(one.firm_id), files, one)
    return bool(wanted)


def _claim(db: Database, now: dt.datetime) -> list[Wanted]:
    names = list(Wanted.__dataclass_fields__)
    with db.unit_of_work() as uow:
        statement = (
            select(InboundMedia)
            .where(InboundMedia.due_at <= now)
            .order_by(InboundMedia.due_at)
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        rows = uow.session.scalars(statement).all()
        for row in rows:
            row.attempts += 1
            row.due_at = now + LEASE
        return [Wanted(**{name: getattr(row, name) for name in names}) for row in rows]


def _fetch(files: Files, sources: Mapping[str, Source], wanted: Wanted, largest: int) -> Record:
    """What becomes of one: values of its row. Without a `state` it is tried again."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        try:
            _read(files, sources, wanted, file, largest)
            kind = judge(file)
            if kind is None:
                raise MediaRefused("not_allowed")
            size = file.seek(0, 2)
            file.seek(0)
            key = file_key_of(wanted)
            if wanted.file_key is None:
                files.put(key, cast(BinaryIO, file))
        except MediaRefused as refused:
            return _refused(files, wanted, refused.reason)
        except MediaUnreachable as error:
            return {"reason": error.reason}
        except NotFound:
            return {"reason": "not_found"}
        except Unavailable as error:
            return {"reason": error.code}
    filename = clean_name(wanted.filename, wanted.id, kind)
    return {
        "state": "stored", "reason": None, "file_key": key, "filename": filename, "size": size,
        "content_type": kind.content_type,
    }  # fmt: skip


def _read(files: Files, sources: Mapping[str, Source], wanted: Wanted, into: IO[bytes], largest: int) -> None:
    if wanted.file_key is None:
        if wanted.provider not in sources:
            raise MediaUnreachable("no_source")
        sources[wanted.provider].fetch(str(wanted.url), into, largest)
        return
    with files.get(wanted.file_key) as stored:
        size = 0
        while piece := stored.read(CHUNK):
            size += len(piece)
            if size > largest:
                raise MediaRefused("too_large")
            into.write(piece)


def _refused(files: Files, wanted: Wanted, reason: str) -> Record:
    if wanted.file_key is not None:
        try:
            files.delete(wanted.file_key)
        except Unavailable as error:
            return {"reason": error.code}
    return {"state": "refused", "reason": reason, "file_key": None, "content_type": None}


def _drop_unwanted(db: Database, files: Files, wanted: Wanted) -> None:
    with db.read() as session:
        state = session.scalar(select(InboundMedia.state).where(InboundMedia.id == wanted.id))
    # Another replica may have stored it in the same place, and that stays.
    if state not in ("waiting", "stored"):
        files.delete(file_key_of(wanted))


def _record(db: Database, wanted: Wanted, values: Record, now: dt.datetime) -> bool:
    """Whether it was still waited for."""
    with db.unit_of_work() as uow:
        statement = select(InboundMedia).where(InboundMedia.id == wanted.id).with_for_update()
        media = uow.session.scalars(statement).one_or_none()
        if media is None or media.state != "waiting" or media.attempts != wanted.attempts:
            return False
        if "state" in values:
            media.settle(now, **values)
        elif wanted.attempts > len(_PAUSES):
            media.settle(now, state="failed", **values)
        else:
            media.due_at = now + dt.timedelta(seconds=_PAUSES[wanted.attempts - 1])
    return True


def get_media(db: Database, *, message_id: str, media_id: str) -> Record:
    """Where a file is. Raises NotFound, also if it was refused or never came, and Conflict `media_waiting`."""
    with db.read() as session:
        media = session.scalars(
            select(InboundMedia).where(InboundMedia.id == media_id, InboundMedia.message_id == message_id)
        ).one_or_none()
    if media is None:
        raise NotFound("media_not_found", media_id=media_id)
    if media.state == "waiting":
        raise Conflict("media_waiting", media_id=media_id)
    if media.state != "stored":
        raise NotFound("media_not_stored", media_id=media_id, reason=media.reason)
    return {name: getattr(media, name) for name in ("file_key", "filename", "content_type", "size")}
