"""Conversations: the list that staff work through, who looks after which, and whose an unknown address is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.context import kinds_seen
from chassis.database import Database
from chassis.paging import page
from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import among
from contracts.errors import Conflict, NotFound, invalid_field
from contracts.messaging import CONVERSATION_ASSIGNED
from services.messaging.dispatching.doorbell import ring
from services.messaging.filing import conversation_of_client
from services.messaging.history import sent_to_address
from services.messaging.known_clients import demand_clients
from services.messaging.models import Conversation, ConversationClient, Delivery, InboundMessage, Notice
from services.messaging.notices import News, Reader, mark_read, readers_of, tell
from services.messaging.senders import as_kept
from services.messaging.setwise import one_of
from services.messaging.texts import notice_title

Record = dict[str, Any]

_SORTS = {"last_message_at": Conversation.last_message_at, "created_at": Conversation.created_at}
_SHOWN = (
    "id", "version", "created_at", "updated_at", "kind", "state", "client_id", "channel", "address",
    "assigned_staff_id", "unread", "last_message_at", "last_direction", "preview",
)  # fmt: skip


def list_conversations(
    db: Database,
    *,
    kind: str | None = None,
    state: str | None = None,
    client_id: str | None = None,
    assigned_staff_id: str | None = None,
    address: str | None = None,
    unread: bool = False,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
) -> Record:
    """A page, the one with the latest message first. Of a client: its own, and those of addresses that it shares.

    Raises Invalid as `page` does.
    """
    statement = select(Conversation).where(Conversation.last_message_at.is_not(None))
    same = {"kind": kind, "state": state, "assigned_staff_id": assigned_staff_id}
    statement = statement.filter_by(**{name: value for name, value in same.items() if value is not None})
    if client_id is not None:
        sharing = select(ConversationClient.conversation_id).where(ConversationClient.client_id == client_id)
        statement = statement.where(or_(Conversation.client_id == client_id, Conversation.id.in_(sharing)))
    if address is not None:
        kept = as_kept(address)
        wrote = select(InboundMessage.conversation_id).where(
            InboundMessage.sender == kept, InboundMessage.conversation_id.is_not(None)
        )
        statement = statement.where(or_(Conversation.address == kept, Conversation.id.in_(wrote)))
    if unread:
        statement = statement.where(Conversation.unread > 0)
    with db.read() as session:
        rows, meta = page(
            session, statement, model=Conversation, sorts=_SORTS, default_sort="-last_message_at", limit=limit,
            cursor=cursor, sort=sort,
        )  # fmt: skip
        return {"data": _records(session, rows), "meta": meta}


def get_conversation(db: Database, *, conversation_id: str) -> Record:
    """Raises NotFound."""
    with db.read() as session:
        return _records(session, [find(session, conversation_id)])[0]


def update_conversation(
    db: Database,
    calls: Any,
    *,
    conversation_id: str,
    changes: Mapping[str, Any],
    actor_id: str | None,
    expected_version: int | None = None,
    now: dt.datetime | None = None,
) -> Record:
    """Sets the named fields; who has read it has read the notices of it, too, and a colleague to whom it is given is
    told.

    Raises Invalid for somebody who does not work here, NotFound, Conflict `stale_version`, Unavailable.
    """
    now = now or utc_now()
    colleague, language = None, "en"
    if changes.get("assigned_staff_id") is not None:
        colleague, language = _colleague(calls, changes["assigned_staff_id"])
    with db.unit_of_work() as uow:
        conversation = find(uow.session, conversation_id, lock=True)
        conversation.expect_version(expected_version)
        if "read" in changes:
            conversation.unread = 0 if changes["read"] else max(conversation.unread, 1)
        if colleague is not None and colleague.staff_id not in (actor_id, conversation.assigned_staff_id):
            _tell(uow, colleague, language, conversation, now)
            uow.after_commit(lambda: ring(db.url))
        for name in ("state", "assigned_staff_id"):
            if name in changes:
                setattr(conversation, name, changes[name])
        if changes.get("read"):
            of_it = Notice.about["conversation_id"].as_string() == conversation.id
            mark_read(uow, and_(Notice.staff_id == actor_id, of_it), now)
        if changes:
            conversation.touch(now)
        uow.session.flush()
        return uow.answer(_records(uow.session, [conversation])[0])


def _colleague(calls: Any, staff_id: str) -> tuple[Reader, str]:
    """Somebody who works here, and the language to tell them something in. Raises Invalid, Unavailable."""
    firm = calls.accounts.get_firm.start()
    found = readers_of(calls, [staff_id])
    if not found:
        raise invalid_field("assigned_staff_id", "Not an active staff member of this firm.")
    return found[0], firm.result().get("locale") or "en"


def _tell(uow: UnitOfWork, colleague: Reader, language: str, conversation: Conversation, now: dt.datetime) -> None:
    about = {"conversation_id": conversation.id}
    if conversation.client_id is not None:
        about["client_id"] = conversation.client_id
    kind = "conversation_given"
    tell(uow, [colleague], News(kind, notice_title(kind, language), about), now)


def assign_conversation(
    db: Database, calls: Any, *, conversation_id: str, client_id: str, now: dt.datetime | None = None
) -> Record:
    """Says whose an address's conversation is: what was said in it moves to that client's own, which is returned. What
    the address itself said about consent stays with the address. The same again changes nothing.

    Raises NotFound, Gone `client_merged`, Conflict `conversation_is_a_clients` if it is another client's already,
    Unavailable.
    """
    now = now or utc_now()
    demand_clients(calls.clients.get_client_facts(client_ids=[client_id]), [client_id])
    with db.unit_of_work() as uow:
        source = find(uow.session, conversation_id, lock=True)
        if source.client_id is not None and source.client_id != client_id:
            raise Conflict("conversation_is_a_clients", client_id=source.client_id)
        if source.client_id is None:
            target = conversation_of_client(uow, client_id, now)
            if source.last_message_at is not None:
                _move(uow, source, target, client_id, now)
        else:
            target = source
        uow.session.flush()
        return uow.answer(_records(uow.session, [target])[0])


def _move(uow: UnitOfWork, source: Conversation, target: Conversation, client_id: str, now: dt.datetime) -> None:
    stamped = {"client_id": client_id, "conversation_id": target.id, "updated_at": now}
    answers = and_(sent_to_address(source), Delivery.client_id.is_(None))
    for model, moved, also in (
        (InboundMessage, InboundMessage.conversation_id == source.id, {"client_ids": [client_id]}),
        (Delivery, or_(Delivery.conversation_id == source.id, answers), {}),
    ):
        values = {**stamped, **also, "version": model.version + 1}
        statement = update(model).where(moved).values(values).execution_options(synchronize_session=False)
        uow.session.execute(statement)
    target.take_over(source, now)
    uow.emit(CONVERSATION_ASSIGNED, source.id, {"conversation_id": source.id, "client_id": client_id})


def find(session: Session, conversation_id: str, *, lock: bool = False) -> Conversation:
    """Raises NotFound."""
    statement = select(Conversation).where(Conversation.id == conversation_id)
    conversation = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if conversation is None:
        raise NotFound("conversation_not_found", conversation_id=conversation_id)
    return conversation


def _records(session: Session, rows: Sequence[Conversation]) -> list[Record]:
    shared = [row.id for row in rows if row.kind == "shared"]
    clients: dict[str, list[str]] = {}
    if shared:
        sharing = select(ConversationClient.conversation_id, ConversationClient.client_id).where(
            among(session, ConversationClient.conversation_id, shared)
        )
        for conversation_id, client_id in session.execute(sharing.order_by(ConversationClient.client_id)):
            clients.setdefault(conversation_id, []).append(client_id)
    unseen = _unseen_previews(session, rows)
    return [
        {
            **{name: getattr(row, name) for name in _SHOWN},
            "preview": None if row.id in unseen else row.preview,
            "client_ids": [row.client_id] if row.client_id else clients.get(row.id, []),
        }
        for row in rows
    ]


def _unseen_previews(session: Session, rows: Sequence[Conversation]) -> set[str]:
    """The conversations whose last message is about a case that the caller may not see: their ids."""
    sent = {
        (row.client_id, row.last_message_at): row.id
        for row in rows
        if row.client_id is not None and row.last_direction == "outbound"
    }
    if kinds_seen() is None or not sent:
        return set()
    last = one_of(session, Delivery, [{"client_id": client_id, "created_at": at} for client_id, at in sent])
    seen = {tuple(row) for row in session.execute(select(Delivery.client_id, Delivery.created_at).where(*last))}
    return {id_ for message, id_ in sent.items() if message not in seen}
