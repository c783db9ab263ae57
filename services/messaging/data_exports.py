"""What messaging holds about a client, handed out: every message either way, the files that came, notes of calls, and
what was said about consent.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select

from chassis.database import Database
from chassis.sections import Section, plain, read_sections
from chassis.value_sets import among
from services.messaging import consent
from services.messaging.consents import consent_ledger
from services.messaging.merges.merged_clients import merged_clients
from services.messaging.models import (
    ConsentEntry,
    ConsentReview,
    ConsentState,
    Content,
    Conversation,
    Delivery,
    InboundMedia,
    InboundMessage,
    LogEntry,
)

_OURS = (
    "lease_owner", "lease_until", "due_at", "window_closes", "priority", "address_once", "needs_opt_in", "price_due_at",
)  # fmt: skip
"""What a delivery says about our work and not about the client."""


def export_client_data(
    db: Database, calls: Any, *, client_id: str, limit: int = 200, cursor: str | None = None
) -> dict[str, Any]:
    """`contracts.exporting.ExportedPage`. What was said about consent: by the client, by those that were merged into
    it, and from its addresses, whether they were ever written to or not. Raises Invalid, Unavailable."""
    present = consent_ledger.present_addresses(calls, client_id)
    with db.read() as session:
        same = [client_id, *merged_clients.merged_into(session, client_id)]
        to_client, by_client = Delivery.client_id == client_id, InboundMessage.client_id == client_id
        addresses = {
            *session.scalars(select(Delivery.address).where(to_client, Delivery.address.is_not(None)).distinct()),
            *session.scalars(select(InboundMessage.sender).where(by_client).distinct()),
            *present,
        }
        from_them = sorted({str(address).lower() for address in addresses})
        said = or_(ConsentEntry.client_id.in_(same), among(session, ConsentEntry.address, from_them))
        asked = among(session, ConsentReview.address, from_them)
        # What staff wrote to this client alone, which a message that is still to be sent has no other text of.
        to_them_alone = select(Delivery.content_id).where(
            to_client, Delivery.batch_id.is_(None), Delivery.content_id.is_not(None)
        )
        sections = [
            Section("delivery", Delivery, to_client, Delivery.id, lambda row: plain(row, *_OURS)),
            Section("text", Content, Content.id.in_(to_them_alone), Content.id),
            Section("message", InboundMessage, by_client, InboundMessage.id),
            Section(
                "message_file",
                InboundMedia,
                InboundMedia.message_id.in_(select(InboundMessage.id).where(by_client)),
                InboundMedia.id,
                lambda row: plain(row, "file_key", "due_at", "attempts"),
            ),
            Section("conversation", Conversation, Conversation.client_id == client_id, Conversation.id),
            Section("communication", LogEntry, LogEntry.client_id == client_id, LogEntry.id),
            Section("consent", ConsentEntry, said, ConsentEntry.id, lambda row: plain(row, "address_hash")),
            Section("consent_review", ConsentReview, asked, ConsentReview.id),
            Section(
                "consent_now",
                ConsentState,
                ConsentState.key == consent.client_key(client_id),
                ConsentState.channel,
                lambda row: plain(row, "key"),
            ),
        ]
        rows, following = read_sections(session, sections, limit=limit, cursor=cursor)
    files = [
        {"file_key": row.file_key, "name": f"messages/{row.id}-{row.filename}"}
        for section, row in rows
        if section.kind == "message_file" and row.file_key and row.state == "stored"
    ]
    entries = [{"kind": section.kind, "data": section.show(row)} for section, row in rows]
    return {"entries": entries, "files": files, "next_cursor": following}
