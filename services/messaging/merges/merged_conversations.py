"""Conversations of clients that were merged: what was said with the one is part of the survivor's conversation, and
goes back with an undo. Kinds of rows for `client_merges`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, select, update

from chassis.redirects import Moved, Redirect
from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import among
from services.messaging.filing import conversation_of_client, preview_of
from services.messaging.models import Conversation, ConversationClient, Delivery, InboundMessage

_WITHOUT_SYNC = {"synchronize_session": False}


class Inbound:
    """What the client wrote."""

    name = "inbound_message"

    def __init__(self, now: dt.datetime) -> None:
        self._now = now

    def take(self, uow: UnitOfWork, redirect: Redirect) -> Moved:
        wrote = select(InboundMessage.id).where(InboundMessage.client_id == redirect.old_id).limit(1)
        if uow.session.scalar(wrote) is None:
            return {}
        return dict.fromkeys(self._set(uow, redirect.new_id, InboundMessage.client_id == redirect.old_id))

    def give_back(self, uow: UnitOfWork, moved: Moved, redirect: Redirect) -> Collection[str]:
        mine = among(uow.session, InboundMessage.id, moved)
        self._set(uow, redirect.old_id, mine, InboundMessage.client_id == redirect.new_id)
        return moved.keys()

    def _set(self, uow: UnitOfWork, client_id: str, *where: Any) -> list[str]:
        conversation = conversation_of_client(uow, client_id, self._now)
        whose = {
            "client_id": client_id, "client_ids": [client_id], "version": InboundMessage.version + 1,
            "updated_at": self._now,
        }  # fmt: skip
        ids: list[str] = []
        # What is not filed yet is filed for whom it is from then.
        for filed, values in ((True, {**whose, "conversation_id": conversation.id}), (False, whose)):
            so_far = InboundMessage.conversation_id.is_not(None) if filed else InboundMessage.conversation_id.is_(None)
            statement = update(InboundMessage).where(*where, so_far).values(values).returning(InboundMessage.id)
            ids += uow.session.scalars(statement, execution_options=_WITHOUT_SYNC)
        return ids


class Sharing:
    """Conversations with an address that the client shares; `row_id` is the conversation. `facts`: {"both": whether the
    survivor shared it too}."""

    name = "conversation_client"

    def take(self, uow: UnitOfWork, redirect: Redirect) -> Moved:
        sharing = select(ConversationClient.conversation_id, ConversationClient.client_id).where(
            ConversationClient.client_id.in_((redirect.old_id, redirect.new_id))
        )
        rows = uow.session.execute(sharing).all()
        mine = {row.conversation_id for row in rows if row.client_id == redirect.old_id}
        theirs = {row.conversation_id for row in rows if row.client_id == redirect.new_id}
        self._remove(uow, mine, redirect.old_id)
        self._add(uow, mine, redirect.new_id)
        return {conversation_id: {"both": conversation_id in theirs} for conversation_id in mine}

    def give_back(self, uow: UnitOfWork, moved: Moved, redirect: Redirect) -> Collection[str]:
        there = select(ConversationClient.conversation_id).where(
            ConversationClient.client_id == redirect.new_id,
            among(uow.session, ConversationClient.conversation_id, moved),
        )
        present = set(uow.session.scalars(there))
        alone = {id_ for id_, facts in moved.items() if not (facts or {}).get("both")} & present
        self._remove(uow, alone, redirect.new_id)
        self._add(uow, present, redirect.old_id)
        return alone

    @staticmethod
    def _add(uow: UnitOfWork, conversation_ids: Collection[str], client_id: str) -> None:
        rows = [{"conversation_id": id_, "client_id": client_id} for id_ in sorted(conversation_ids)]
        uow.insert(ConversationClient, rows, ignore_conflicts=True)

    @staticmethod
    def _remove(uow: UnitOfWork, conversation_ids: Collection[str], client_id: str) -> None:
        if conversation_ids:
            gone = delete(ConversationClient).where(
                ConversationClient.client_id == client_id,
                among(uow.session, ConversationClient.conversation_id, conversation_ids),
            )
            uow.session.execute(gone, execution_options=_WITHOUT_SYNC)


class Conversations:
    """The client's own conversation; `facts`: what of it went over. It stays, empty, until it is needed again. After
    the kinds of rows that it shows."""

    name = "conversation"

    def __init__(self, now: dt.datetime) -> None:
        self._now = now

    def take(self, uow: UnitOfWork, redirect: Redirect) -> Moved:
        source = self._of(uow, redirect.old_id)
        if source is None or source.last_message_at is None:
            return {}
        target = conversation_of_client(uow, redirect.new_id, self._now)
        facts = {name: getattr(source, name) for name in ("unread", "state", "assigned_staff_id")}
        target.take_over(source, self._now)
        uow.session.flush()
        return {source.id: facts}

    def give_back(self, uow: UnitOfWork, moved: Moved, redirect: Redirect) -> Collection[str]:
        for row_id, facts in moved.items():
            source = uow.session.get(Conversation, row_id, with_for_update=True, populate_existing=True)
            target = self._of(uow, redirect.new_id)
            if source is None or target is None:
                continue
            then = facts or {}
            # What nobody has read since is unread again; of more nobody can tell whose it was.
            unread = int(then.get("unread", 0))
            source.unread = unread if target.unread >= unread else 0
            target.unread -= source.unread
            source.state = then.get("state", "open")
            source.assigned_staff_id = then.get("assigned_staff_id")
            for conversation in (source, target):
                self._show_last(uow, conversation)
        uow.session.flush()
        return moved.keys()

    @staticmethod
    def _of(uow: UnitOfWork, client_id: str) -> Conversation | None:
        statement = select(Conversation).where(Conversation.client_id == client_id).with_for_update()
        return uow.session.scalars(statement, execution_options={"populate_existing": True}).one_or_none()

    def _show_last(self, uow: UnitOfWork, conversation: Conversation) -> None:
        """Shows the last of what was said with its client now."""
        client_id = conversation.client_id
        conversation.last_message_at = conversation.last_direction = conversation.preview = None
        heard = select(InboundMessage).where(InboundMessage.client_id == client_id)
        said = select(Delivery).where(
            Delivery.client_id == client_id, Delivery.kind == "message", Delivery.batch_id.is_(None)
        )
        last_in = uow.session.scalars(heard.order_by(InboundMessage.created_at.desc()).limit(1)).one_or_none()
        last_out = uow.session.scalars(said.order_by(Delivery.created_at.desc()).limit(1)).one_or_none()
        if last_in is not None:
            conversation.show_last(last_in.created_at, "inbound", preview_of(last_in.body or last_in.subject))
        if last_out is not None:
            conversation.show_last(last_out.created_at, "outbound", preview_of(last_out.body))
        conversation.touch(self._now)
