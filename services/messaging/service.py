"""The messaging service: what it answers and what it listens to. What sends is `dispatcher.py`."""

from __future__ import annotations

from typing import Any

from nameko.extensions import DependencyProvider

from chassis.columns import utc_now
from chassis.crash import crash_point
from chassis.database import Data, Database, database_url
from chassis.events import ReceivedEvent, on
from chassis.files import FilesProvider
from chassis.rpc import Calls, serve
from chassis.timers import every
from contracts import accounts, cases, clients, portal, tasks
from contracts import messaging as contract
from services.messaging import (
    batch_views,
    batches,
    bulk_messages,
    communications,
    consent_ledger,
    consent_reviews,
    contents,
    conversations,
    deliveries,
    email_events,
    estimates,
    filing,
    firm_rules,
    history,
    inbound,
    media,
    messages,
    new_links,
    notices,
    phone_calls,
    portal_messages,
    preferences,
    senders,
    stated_consents,
    statuses,
    threads,
    unsubscribing,
)
from services.messaging.adapters.media_source import TwilioMedia
from services.messaging.adapters.sandbox_callbacks import Announcer, Webhooks
from services.messaging.adapters.sandbox_inboxes import SandboxInboxes
from services.messaging.adapters.sandbox_people import SandboxPeople
from services.messaging.models import Base
from services.messaging.settings import MessagingSettings

Answer = dict[str, Any]


class Settings(DependencyProvider):
    """The checked settings."""

    def setup(self) -> None:
        self.settings = MessagingSettings.from_config(self.container.config)

    def get_dependency(self, worker_ctx: Any) -> MessagingSettings:
        return self.settings


class Sandbox(Settings):
    """The sandbox's phones and inboxes, its people, and what it announces."""

    def setup(self) -> None:
        super().setup()
        db = Database(database_url(self.container.config, Base.service_name), Base)
        webhooks = Webhooks(
            public_url=self.settings.public_url,
            webhook_url=self.settings.webhook_url,
            auth_token=self.settings.twilio_auth_token,
        )
        self.inboxes, self.people = SandboxInboxes(db), SandboxPeople(db, webhooks)
        self.announcer = Announcer(db, webhooks)

    def get_dependency(self, worker_ctx: Any) -> Sandbox:
        return self


class MediaSources(Settings):
    """Where media are fetched from, by provider."""

    def setup(self) -> None:
        super().setup()
        self.sources: dict[str, media.Source] = {}
        account, token = self.settings.twilio_account_sid, self.settings.twilio_auth_token
        if account and token:
            self.sources["twilio"] = TwilioMedia(account, token, api_url=self.settings.twilio_api_url)

    def get_dependency(self, worker_ctx: Any) -> dict[str, media.Source]:  # type: ignore[override]
        return self.sources


class MessagingService:
    """Consent, templates, batches, single messages and what comes in."""

    name = contract.OWNER

    db = Data(Base)
    calls = Calls(accounts, cases, clients, portal, tasks)
    settings = Settings()
    sandbox = Sandbox()
    files = FilesProvider()
    media_sources = MediaSources()

    # Templates and contents

    @serve(contract.CREATE_MESSAGE_TEMPLATE)
    def create_message_template(self, **command: Any) -> Answer:
        return contents.create_template(self.db, **command)

    @serve(contract.GET_MESSAGE_TEMPLATE)
    def get_message_template(self, message_template_id: str) -> Answer:
        return contents.get_template(self.db, message_template_id=message_template_id)

    @serve(contract.LIST_MESSAGE_TEMPLATES)
    def list_message_templates(self, **query: Any) -> Answer:
        return contents.list_templates(self.db, **query)

    @serve(contract.UPDATE_MESSAGE_TEMPLATE)
    def update_message_template(self, **command: Any) -> Answer:
        return contents.update_template(self.db, **command)

    @serve(contract.SAVE_CONTENT)
    def save_content(self, **command: Any) -> Answer:
        return contents.save_content(self.db, **command)

    # Batches

    @serve(contract.ESTIMATE_NOTIFICATIONS)
    def estimate_notifications(self, **query: Any) -> Answer:
        return estimates.estimate(self.db, self.calls, self.settings, **query)

    @on(tasks.NOTIFICATION_REQUESTED)
    def accept_chunk(self, event: ReceivedEvent) -> None:
        batches.accept_chunk(self.db, event)
        crash_point("after_chunk")

    @serve(contract.REQUEST_MESSAGES)
    def request_messages(self, **command: Any) -> Answer:
        return bulk_messages.request_messages(self.db, self.calls, self.settings, actor_id=self._actor, **command)

    @on(contract.MESSAGES_REQUESTED)
    def accept_clients(self, event: ReceivedEvent) -> None:
        bulk_messages.accept_clients(self.db, event, utc_now())

    @serve(contract.LIST_BATCHES)
    def list_batches(self, **query: Any) -> Answer:
        return batch_views.list_batches(self.db, **query)

    @serve(contract.GET_BATCH)
    def get_batch(self, batch_id: str) -> Answer:
        return batch_views.get_batch(self.db, self.calls, batch_id=batch_id)

    @serve(contract.LIST_DELIVERIES)
    def list_deliveries(self, **query: Any) -> Answer:
        return batch_views.list_deliveries(self.db, self.calls, **query)

    @serve(contract.PAUSE_BATCH)
    def pause_batch(self, batch_id: str) -> Answer:
        return batches.pause_batch(self.db, self.calls, batch_id=batch_id)

    @serve(contract.RESUME_BATCH)
    def resume_batch(self, batch_id: str) -> Answer:
        return batches.resume_batch(self.db, self.calls, batch_id=batch_id)

    @serve(contract.CANCEL_BATCH)
    def cancel_batch(self, batch_id: str) -> Answer:
        return batches.cancel_batch(self.db, self.calls, batch_id=batch_id)

    # Single messages

    @serve(contract.SEND_MESSAGE)
    def send_message(self, **command: Any) -> Answer:
        return messages.send_message(self.db, self.calls, **self._sending, **command)

    @serve(contract.CANCEL_MESSAGE)
    def cancel_message(self, message_id: str) -> Answer:
        return messages.cancel_message(self.db, message_id=message_id)

    @serve(contract.GET_MESSAGE)
    def get_message(self, message_id: str) -> Answer:
        return history.get_message(self.db, message_id=message_id)

    @serve(contract.LIST_MESSAGES)
    def list_messages(self, **query: Any) -> Answer:
        return history.list_messages(self.db, **query)

    # Conversations

    @on(contract.MESSAGE_RECEIVED)
    def file_message(self, event: ReceivedEvent) -> None:
        filing.file_message(self.db, self.calls, event, utc_now())

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

    # The communications log

    @serve(contract.LIST_COMMUNICATIONS)
    def list_communications(self, **query: Any) -> Answer:
        return communications.list_communications(self.db, **query)

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

    @serve(contract.LIST_NOTICES)
    def list_notices(self, **query: Any) -> Answer:
        return notices.list_notices(self.db, actor_id=self._actor, **query)

    @serve(contract.MARK_NOTICES_READ)
    def mark_notices_read(self, **command: Any) -> Answer:
        return notices.mark_notices_read(self.db, actor_id=self._actor, **command)

    # Consent

    @serve(contract.LIST_CONSENTS)
    def list_consents(self, **query: Any) -> Answer:
        return consent_ledger.list_consents(self.db, self.calls, **query)

    @serve(contract.DESCRIBE_UNSUBSCRIPTION)
    def describe_unsubscription(self, token: str) -> Answer:
        return unsubscribing.describe_unsubscription(self.db, self.calls, self.settings.unsubscribing, token=token)

    @serve(contract.UNSUBSCRIBE)
    def unsubscribe(self, token: str) -> Answer:
        return unsubscribing.unsubscribe(self.db, self.calls, self.settings.unsubscribing, token=token, now=utc_now())

    @serve(contract.RECORD_CONSENTS)
    def record_consents(self, **command: Any) -> Answer:
        return stated_consents.record_consents(self.db, self.calls, actor_id=self._actor, **command)

    @serve(contract.GET_PREFERENCES)
    def get_preferences(self, client_id: str) -> Answer:
        return preferences.get_preferences(self.db, self.calls, client_id=client_id)

    @serve(contract.SET_PREFERENCES)
    def set_preferences(self, **command: Any) -> Answer:
        return preferences.set_preferences(self.db, self.calls, actor_id=self._actor, **command)

    @serve(contract.LIST_CONSENT_REVIEWS)
    def list_consent_reviews(self, **query: Any) -> Answer:
        return consent_reviews.list_reviews(self.db, **query)

    @serve(contract.DECIDE_CONSENT_REVIEW)
    def decide_consent_review(self, **command: Any) -> Answer:
        return consent_reviews.decide_review(self.db, actor_id=self._actor, **command)

    @on(accounts.FIRM_CHANGED)
    def keep_firm_rules(self, event: ReceivedEvent) -> None:
        firm_rules.refresh(self.db, self.calls, event)

    # Senders

    @serve(contract.LIST_SENDERS)
    def list_senders(self, **query: Any) -> Answer:
        return senders.list_senders(self.db, **query)

    @serve(contract.PUT_SENDER)
    def put_sender(self, **command: Any) -> Answer:
        return senders.put_sender(self.db, provider=self.settings.provider_of(command["channel"]), **command)

    # What providers tell us

    @serve(contract.RECEIVE_INBOUND_MESSAGE)
    def receive_inbound_message(self, **message: Any) -> Answer:
        return inbound.receive(self.db, **message)

    @serve(contract.RECEIVE_PORTAL_MESSAGE)
    def receive_portal_message(self, **message: Any) -> Answer:
        return portal_messages.receive_portal_message(self.db, now=utc_now(), **message)

    @serve(contract.RECORD_EMAIL_EVENT)
    def record_email_event(self, **event: Any) -> Answer:
        return email_events.record_email_event(self.db, **event)

    @every(3600, "messaging: forget provider events")
    def forget_provider_events(self) -> bool:
        return email_events.forget_old_events(self.db, utc_now())

    @serve(contract.RECORD_KEY_PRESS)
    def record_key_press(self, **press: Any) -> Answer:
        return phone_calls.press_key(self.db, self.calls, **press)

    @serve(contract.RECEIVE_INBOUND_CALL)
    def receive_inbound_call(self, **call: Any) -> Answer:
        return phone_calls.receive_call(self.db, self.calls, **call)

    @serve(contract.RECORD_DELIVERY_STATUS)
    def record_delivery_status(self, **status: Any) -> Answer:
        return statuses.record_delivery_status(self.db, **status)

    # What happens elsewhere and concerns what still waits

    @on(tasks.TASK_COMPLETED, batch=500)
    def drop_closed_tasks(self, events: list[ReceivedEvent]) -> None:
        with self.db.unit_of_work(once=events) as uow:
            deliveries.suppress_closed_tasks(uow, [event.data["case_task_id"] for event in uow.fresh], utc_now())

    @on(clients.CLIENT_CHANGED, batch=500)
    def refresh_clients(self, events: list[ReceivedEvent]) -> None:
        with self.db.unit_of_work(once=events) as uow:
            deliveries.prepare_again(uow, [event.data["client_id"] for event in uow.fresh], utc_now())

    @on(clients.CLIENTS_IMPORTED)
    def refresh_imported_clients(self, event: ReceivedEvent) -> None:
        with self.db.unit_of_work(once=event) as uow:
            deliveries.prepare_again(uow, [facts["client_id"] for facts in event.data["clients"]], utc_now())

    @on(clients.CLIENT_DELETED)
    def drop_deleted_client(self, event: ReceivedEvent) -> None:
        with self.db.unit_of_work(once=event) as uow:
            deliveries.suppress_erased(uow, event.data["client_id"], utc_now())

    @on(portal.LINK_REQUESTED)
    def send_new_link(self, event: ReceivedEvent) -> None:
        new_links.send_new_link(self.db, event, utc_now())

    # The sandbox

    @serve(contract.LIST_SANDBOX_MESSAGES)
    def list_sandbox_messages(self, **query: Any) -> Answer:
        return self.sandbox.inboxes.list_messages(**query)

    @serve(contract.GET_SANDBOX_MESSAGE)
    def get_sandbox_message(self, sandbox_message_id: str) -> Answer:
        return self.sandbox.inboxes.get_message(sandbox_message_id=sandbox_message_id)

    @serve(contract.LIST_SANDBOX_ADDRESSES)
    def list_sandbox_addresses(self, **query: Any) -> Answer:
        return self.sandbox.inboxes.list_addresses(**query)

    @serve(contract.DESCRIBE_SANDBOX_ADDRESS)
    def describe_sandbox_address(self, address: str) -> Answer:
        return self.sandbox.inboxes.describe(address=address)

    @serve(contract.SET_SANDBOX_ADDRESS)
    def set_sandbox_address(self, **command: Any) -> Answer:
        return self.sandbox.inboxes.set_behaviour(**command)

    @serve(contract.LIST_SANDBOX_OFFICES)
    def list_sandbox_offices(self) -> Answer:
        return self.sandbox.inboxes.list_offices()

    @serve(contract.ACT_ON_SANDBOX_MESSAGE)
    def act_on_sandbox_message(self, **command: Any) -> Answer:
        return self.sandbox.people.act(**command)

    @serve(contract.WRITE_FROM_SANDBOX)
    def write_from_sandbox(self, **command: Any) -> Answer:
        return self.sandbox.people.write(**command)

    @serve(contract.REPLY_TO_SANDBOX_MESSAGE)
    def reply_to_sandbox_message(self, **command: Any) -> Answer:
        return self.sandbox.people.reply(**command)

    @every(1, "messaging: announce sandbox statuses", everywhere=True)
    def announce_sandbox_statuses(self) -> bool:
        return self.sandbox.announcer.announce()

    @property
    def _sandbox(self) -> frozenset[str]:
        return self.settings.channels_of("sandbox")

    @property
    def _sending(self) -> dict[str, Any]:
        return {"public_url": self.settings.public_url, "sandbox": self._sandbox, "actor_id": self._actor}

    @property
    def _actor(self) -> str | None:
        return self.db.context.actor_id if self.db.context else None
