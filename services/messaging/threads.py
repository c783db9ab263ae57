"""A conversation from inside: everything that was said in it."""

from __future__ import annotations

from typing import Any

from chassis.database import Database
from services.messaging import history
from services.messaging.conversations import find

Record = dict[str, Any]


def list_conversation_messages(
    db: Database, *, conversation_id: str, limit: int = 50, cursor: str | None = None, sort: str | None = None
) -> Record:
    """A page of what was said with a client over all channels, or with an address, newest first.

    Raises NotFound, and Invalid as `page` does.
    """
    with db.read() as session:
        conversation = find(session, conversation_id)
        if conversation.client_id is not None:
            sources = history.messages_of_client(conversation.client_id)
        else:
            sources = history.messages_of_address(conversation)
        rows, meta = history.merge(session, sources, "created_at", limit=limit, cursor=cursor, sort=sort)
        return {"data": history.records(session, rows), "meta": meta}
