"""What was said: outbound and inbound messages as one list, and how a message is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.paging import cursor_after, page
from chassis.value_sets import among
from contracts.errors import NotFound
from services.messaging.call_outcomes import call_outcomes
from services.messaging.deliveries import is_message
from services.messaging.models import Conversation, ConversationClient, Delivery, InboundMedia, InboundMessage, Sender
from services.messaging.senders import as_kept

Record = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One of the lists that a merged list is made of: records of `model`, in the order of its attribute `at`."""

    model: Any
    statement: Select[Any]
    at: Any


def get_message(db: Database, *, message_id: str) -> Record:
    """Raises NotFound."""
    with db.read() as session:
        row = session.get(Delivery, message_id) or session.get(InboundMessage, message_id)
        if row is None:
            raise NotFound("message_not_found", message_id=message_id)
        return records(session, [row])[0]


def list_messages(
    db: Database,
    *,
    client_id: str | None,
    address: str | None,
    direction: str | None,
    batch_id: str | None,
    limit: int,
    cursor: str | None,
    sort: str | None,
) -> Record:
    """Outbound and inbound together, newest first. A number shared by several clients shows what it wrote to each."""
    outbound, inbound = select(Delivery).where(is_message()), select(InboundMessage)
    if client_id is not None:
        outbound, inbound = outbound.where(sent_to_client(client_id)), inbound.where(written_by_client(client_id))
    if address is not None:
        kept = as_kept(address)
        outbound, inbound = outbound.where(Delivery.address == kept), inbound.where(InboundMessage.sender == kept)
    if batch_id is not None:
        outbound = outbound.where(Delivery.batch_id == batch_id)
    sources = []
    if direction != "inbound":
        sources.append(Source(Delivery, outbound, Delivery.created_at))
    if direction != "outbound" and batch_id is None:
        sources.append(Source(InboundMessage, inbound, InboundMessage.created_at))
    with db.read() as session:
        rows, meta = merge(session, sources, "created_at", limit=limit, cursor=cursor, sort=sort)
        return {"data": records(session, rows), "meta": meta}


def messages_of_client(client_id: str) -> list[Source]:
    """Everything that was written to a client and came back, on every channel, one by one and in bulk."""
    return _both(sent_to_client(client_id), written_by_client(client_id))


def messages_of_address(conversation: Conversation) -> list[Source]:
    """Everything that was written to an address on its channel, and came from it into this conversation."""
    return _both(sent_to_address(conversation), InboundMessage.conversation_id == conversation.id)


def _both(outbound: Any, inbound: Any) -> list[Source]:
    return [
        Source(Delivery, select(Delivery).where(is_message(), outbound), Delivery.created_at),
        Source(InboundMessage, select(InboundMessage).where(inbound), InboundMessage.created_at),
    ]


def sent_to_client(client_id: str) -> Any:
    """A condition on deliveries: to the client, or an answer to an address that the client shares."""
    return or_(Delivery.client_id == client_id, Delivery.conversation_id.in_(_shared_with(client_id)))


def sent_to_address(conversation: Conversation) -> Any:
    """A condition on deliveries: to the address of a conversation. A notice to staff is no part of it."""
    return and_(
        Delivery.address == conversation.address, Delivery.channel == conversation.channel, Delivery.staff_id.is_(None)
    )


def written_by_client(client_id: str) -> Any:
    """A condition on inbound messages: from the client, or from an address that is not only the client's. What is not
    filed yet shows by the addresses that the client was written to at."""
    theirs = select(Delivery.address).where(Delivery.client_id == client_id, Delivery.address.is_not(None))
    not_filed = and_(InboundMessage.conversation_id.is_(None), InboundMessage.sender.in_(theirs))
    shared = InboundMessage.conversation_id.in_(_shared_with(client_id))
    return or_(InboundMessage.client_id == client_id, and_(InboundMessage.client_id.is_(None), or_(shared, not_filed)))


def _shared_with(client_id: str) -> Any:
    return select(ConversationClient.conversation_id).where(ConversationClient.client_id == client_id)


def merge(
    session: Session, sources: Iterable[Source], name: str, *, limit: int, cursor: str | None, sort: str | None
) -> tuple[list[Any], Record]:
    """One page of several lists with the same order, `name` or `-name` (the default): the rows and the page's `meta`.

    Raises Invalid as `page` does.
    """
    order = sort or f"-{name}"
    found: list[tuple[Any, Any]] = []
    total, more, lower_bound = 0, False, False
    for source in sources:
        rows, meta = page(
            session,
            source.statement,
            model=source.model,
            sorts={name: source.at},
            default_sort=order,
            limit=limit,
            cursor=cursor,
            sort=order,
        )
        found += [(getattr(row, source.at.key), row) for row in rows]
        total += meta["total"]
        more = more or meta["next_cursor"] is not None
        lower_bound = lower_bound or bool(meta.get("total_is_lower_bound"))
    found.sort(key=lambda entry: (entry[0], entry[1].id), reverse=order.startswith("-"))
    shown = found[:limit]
    follows = more or len(found) > limit
    result: Record = {"next_cursor": None, "total": total}
    if follows and shown:
        at, last = shown[-1]
        result["next_cursor"] = cursor_after(order, at, last.id)
    if lower_bound:
        result["total_is_lower_bound"] = True
    return [row for _, row in shown], result


# How a message is shown


def records(session: Session, rows: Sequence[Delivery | InboundMessage]) -> list[Record]:
    """Messages as the contract describes them, in the order given; what belongs to them is read set-based."""
    outbound = [row for row in rows if isinstance(row, Delivery)]
    inbound = [row for row in rows if isinstance(row, InboundMessage)]
    senders = {row.id: row.address for row in session.scalars(select(Sender))} if outbound else {}
    conversations = _conversations_of(session, outbound)
    calls = call_outcomes(session, outbound)
    media = _media_of(session, inbound)
    return [
        {**_outbound(row, senders, conversations), "call": calls.get(row.id)}
        if isinstance(row, Delivery)
        else _inbound(row, media.get(row.id, []))
        for row in rows
    ]


def _conversations_of(session: Session, rows: Sequence[Delivery]) -> dict[str | None, str]:
    client_ids = sorted({row.client_id for row in rows if row.client_id})
    if not client_ids:
        return {}
    statement = select(Conversation.client_id, Conversation.id).where(
        among(session, Conversation.client_id, client_ids)
    )
    return {row.client_id: row.id for row in session.execute(statement)}


def _media_of(session: Session, rows: Sequence[InboundMessage]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    if rows:
        statement = select(InboundMedia).where(among(session, InboundMedia.message_id, [row.id for row in rows]))
        for media in session.scalars(statement.order_by(InboundMedia.message_id, InboundMedia.position)):
            names = ("id", "filename", "content_type", "size", "state", "reason")
            found.setdefault(media.message_id, []).append({name: getattr(media, name) for name in names})
    return found


def _outbound(row: Delivery, senders: Mapping[str, str], conversations: Mapping[str | None, str]) -> Record:
    same = (
        "client_id", "contact_id", "channel", "subject", "body", "state", "reason", "batch_id", "case_task_id", "kind",
        "segments", "provider_segments", "price", "currency", "sent_at",
    )  # fmt: skip
    return {
        **_stamps(row),
        **{name: getattr(row, name) for name in same},
        "direction": "outbound",
        "to": row.address,
        "from_": senders.get(row.sender_id or ""),
        "media": [],
        "conversation_id": row.conversation_id or conversations.get(row.client_id),
        "client_ids": [row.client_id] if row.client_id else [],
        "staff_id": row.staff_id or row.requested_by,
    }


def _inbound(row: InboundMessage, media: list[Record]) -> Record:
    same = ("client_id", "client_ids", "channel", "subject", "body", "conversation_id")
    absent = ("contact_id", "reason", "batch_id", "case_task_id", "staff_id", "segments", "provider_segments", "price",
              "currency", "sent_at", "call")  # fmt: skip
    return {
        **_stamps(row),
        **{name: getattr(row, name) for name in same},
        **dict.fromkeys(absent),
        "direction": "inbound",
        "to": row.recipient,
        "from_": row.sender,
        "media": media,
        "state": "received",
        "kind": "message",
    }


def _stamps(row: Any) -> Record:
    return {name: getattr(row, name) for name in ("id", "version", "created_at", "updated_at")}
