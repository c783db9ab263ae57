"""Pictures and files that come with messages: kept as what is to be fetched, fetched with care, handed out as files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from chassis.columns import new_id

Record = dict[str, Any]


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
