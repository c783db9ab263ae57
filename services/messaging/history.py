"""What was said: outbound and inbound messages as one list, and how a message is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.paging import cursor_after, page
from chassis.value_sets import Statement, among, among_parameter, among_rows, made_once
from contracts.errors import NotFound
from services.messaging.call_outcomes import call_outcomes
from services.messaging.deliveries import is_message
from services.messaging.models import Conversation, ConversationClient, Delivery, InboundMedia, InboundMessage, Sender
from services.messaging.senders import as_kept

Record = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One of the lists that a merged list is made of: records of `model`, in the order of its attribute `at`.
    `parameters`: see `page`."""

    model: Any
    statement: Select[Any]
    at: Any
    parameters: Mapping[str, Any] | None = None


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
    with db.read() as session:
        outbound, inbound = select(Delivery).where(is_message()), select(InboundMessage)
        if client_id is not None:
            outbound, inbound = _sent_to_client(session), _written_by_client(session)
        if address is not None:
            kept = as_kept(address)
            outbound, inbound = outbound.where(Delivery.address == kept), inbound.where(InboundMessage.sender == kept)
        if batch_id is not None:
            outbound = outbound.where(Delivery.batch_id == batch_id)
        parameters = {"client_id": client_id}
        sources = []
        if direction != "inbound":
            sources.append(Source(Delivery, outbound, Delivery.created_at, parameters))
        if direction != "outbound" and batch_id is None:
            sources.append(Source(InboundMessage, inbound, InboundMessage.created_at, parameters))
        rows, meta = merge(session, sources, "created_at", limit=limit, cursor=cursor, sort=sort)
        return {"data": records(session, rows), "meta": meta}


def messages_of_client(session: Session, client_id: str) -> list[Source]:
    """Everything that was written to a client and came back, on every channel, one by one and in bulk."""
    parameters = {"client_id": client_id}
    return [
        Source(Delivery, _sent_to_client(session), Delivery.created_at, parameters),
        Source(InboundMessage, _written_by_client(session), InboundMessage.created_at, parameters),
    ]


def messages_of_address(conversation: Conversation) -> list[Source]:
    """Everything that was written to an address on its channel, and came from it into this conversation."""
    sent = select(Delivery).where(is_message(), sent_to_address(conversation))
    written = select(InboundMessage).where(InboundMessage.conversation_id == conversation.id)
    return [
        Source(Delivery, sent, Delivery.created_at),
        Source(InboundMessage, written, InboundMessage.created_at),
    ]


def sent_to_address(conversation: Conversation) -> Any:
    """A condition on deliveries: to the address of a conversation. A notice to staff is no part of it."""
    return and_(
        Delivery.address == conversation.address, Delivery.channel == conversation.channel, Delivery.staff_id.is_(None)
    )


_CLIENT: Any = bindparam("client_id")
_SHARED = select(ConversationClient.conversation_id).where(ConversationClient.client_id == _CLIENT)


@made_once
def _sent_to_client(dialect: str) -> Statement:
    """Deliveries to the client, or answers to an address that the client shares."""
    shared = among_rows(dialect, Delivery.conversation_id, _SHARED)
    return select(Delivery).where(is_message(), or_(Delivery.client_id == _CLIENT, shared))


@made_once
def _written_by_client(dialect: str) -> Statement:
    """Inbound messages from the client, or from an address that is not only the client's. What is not filed yet shows
    by the addresses that the client was written to at."""
    addresses = select(Delivery.address).where(Delivery.client_id == _CLIENT, Delivery.address.is_not(None)).distinct()
    theirs = among_rows(dialect, InboundMessage.sender, addresses)
    not_filed = and_(InboundMessage.conversation_id.is_(None), theirs)
    shared = among_rows(dialect, InboundMessage.conversation_id, _SHARED)
    nobodys = and_(InboundMessage.client_id.is_(None), or_(shared, not_filed))
    return select(InboundMessage).where(or_(InboundMessage.client_id == _CLIENT, nobodys))


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
            parameters=source.parameters,
            short=True,
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

_SENDERS = select(Sender.id, Sender.address)


def records(session: Session, rows: Sequence[Delivery | InboundMessage]) -> list[Record]:
    """Messages as the contract describes them, in the order given; what belongs to them is read set-based."""
    outbound = [row for row in rows if isinstance(row, Delivery)]
    inbound = [row for row in rows if isinstance(row, InboundMessage)]
    senders = dict(session.execute(_SENDERS).all()) if outbound else {}
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
    return dict(session.execute(_conversations(session), {"client_ids": client_ids}).all())


@made_once
def _conversations(dialect: str) -> Statement:
    theirs = among_parameter(dialect, Conversation.client_id, "client_ids")
    return select(Conversation.client_id, Conversation.id).where(theirs)


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
