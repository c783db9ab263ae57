"""Entrypoints for what staff read and write down: conversations, the communications log, notices."""

from __future__ import annotations

from typing import Any

from chassis.asking_again import EVERY
from chassis.columns import utc_now
from chassis.events import ReceivedEvent, on
from chassis.rpc import serve
from chassis.timers import every
from contracts import messaging as contract
from contracts import tasks
from services.messaging import (
    client_contact,
    communications,
    conversations,
    filing,
    left_attachments,
    media,
    notices,
    threads,
    work_notices,
)
from services.messaging.dependencies import Answer, Dependencies


class ConversationEntrypoints(Dependencies):
    """What was said with whom, and what staff should know."""

    # Conversations

    @on(contract.MESSAGE_RECEIVED)
    def file_message(self, event: ReceivedEvent) -> None:
        filing.file_message(self.db, self.calls, event, utc_now())

    @every(EVERY, "messaging: file what was left")
    def file_left(self) -> bool:
        return filing.file_left(self.db, self.calls, utc_now())

    @serve(contract.LIST_CONVERSATIONS)
    def list_conversations(self, **query: Any) -> Answer:
        return conversations.list_conversations(self.db, **query)

    @serve(contract.GET_CONVERSATION)
    def get_conversation(self, conversation_id: str) -> Answer:
        return conversations.get_conversation(self.db, conversation_id=conversation_id)

    @serve(contract.UPDATE_CONVERSATION)
    def update_conversation(self, **command: Any) -> Answer:
        return conversations.update_conversation(self.db, self.calls, actor_id=self._actor, **command)

    @serve(contract.ASSIGN_CONVERSATION)
    def assign_conversation(self, **command: Any) -> Answer:
        return conversations.assign_conversation(self.db, self.calls, **command)

    @serve(contract.LIST_CONVERSATION_MESSAGES)
    def list_conversation_messages(self, **query: Any) -> Answer:
        return threads.list_conversation_messages(self.db, **query)

    @serve(contract.SEND_TO_CONVERSATION)
    def send_to_conversation(self, **command: Any) -> Answer:
        return threads.send_to_conversation(self.db, self.calls, **self._sending, **command)

    @serve(contract.GET_MEDIA)
    def get_media(self, message_id: str, media_id: str) -> Answer:
        return media.get_media(self.db, message_id=message_id, media_id=media_id)

    @every(10, media.TIMER, everywhere=True)
    def fetch_media(self) -> bool:
        return media.fetch_due(self.db, self.files, self.media_sources, largest=self.settings.max_media_bytes)

    @every(6 * 3600, "messaging: tidy attachments that were left")
    def tidy_left_attachments(self) -> None:
        left_attachments.tidy_left_attachments(self.db, self.files, utc_now())

    # The communications log

    @serve(contract.LIST_COMMUNICATIONS)
    def list_communications(self, **query: Any) -> Answer:
        return communications.list_communications(self.db, **query)

    @serve(contract.GET_CLIENT_CONTACT)
    def get_client_contact(self, **query: Any) -> Answer:
        return client_contact.get_client_contact(self.db, self.calls, **query)

    @serve(contract.LOG_COMMUNICATION)
    def log_communication(self, **command: Any) -> Answer:
        return communications.log_communication(self.db, self.calls, actor_id=self._actor, **command)

    @serve(contract.UPDATE_LOG_ENTRY)
    def update_log_entry(self, **command: Any) -> Answer:
        return communications.update_log_entry(self.db, self.calls, **command)

    # Notices to staff

    @serve(contract.NOTIFY_STAFF)
    def notify_staff(self, **command: Any) -> Answer:
        return notices.notify_staff(self.db, self.calls, **command)

    @on(tasks.STAFF_NOTICE_REQUESTED, batch=50)
    def tell_staff(self, events: list[ReceivedEvent]) -> None:
        work_notices.tell_staff(self.db, self.calls, events, utc_now())

    @serve(contract.LIST_NOTICES)
    def list_notices(self, **query: Any) -> Answer:
        return notices.list_notices(self.db, actor_id=self._actor, **query)

    @serve(contract.MARK_NOTICES_READ)
    def mark_notices_read(self, **command: Any) -> Answer:
        return notices.mark_notices_read(self.db, actor_id=self._actor, **command)
