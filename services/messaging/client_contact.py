"""What messaging shows on a client's card: what was said, and how the client wants to be reached."""

from __future__ import annotations

from typing import Any

from chassis.database import Database
from services.messaging import communications
from services.messaging.consents import preferences


def get_client_contact(db: Database, calls: Any, *, client_id: str, **query: Any) -> dict[str, Any]:
    """`contracts.messaging.ClientContact`. Raises NotFound for an unknown client, Gone for a merged one, Invalid as
    `list_communications` does, Unavailable."""
    # Asked for first, so that clients answer while the rest is read.
    reached = calls.clients.get_recipients.start(client_ids=[client_id])
    said = communications.list_communications(db, client_id=client_id, **query)
    return {"communications": said, "preferences": preferences.preferences_of(db, client_id, reached.result())}
