"""Entrypoints for what is sent: templates, batches, single messages, senders."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.crash import crash_point
from chassis.events import ReceivedEvent, on
from chassis.rpc import serve
from contracts import clients, portal, tasks
from contracts import messaging as contract
from services.messaging import (
    batch_views,
    batches,
    bulk_messages,
    case_messages,
    closed_tasks,
    contents,
    deliveries,
    erasing,
    estimates,
    group_messages,
    history,
    messages,
    new_links,
    senders,
)
from services.messaging.dependencies import Answer, Dependencies
from services.messaging.erasures import contact_erasing


class SendingEntrypoints(Dependencies):
    """What is to be sent, from where, and what has become of it."""

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

    @on(tasks.CASE_MESSAGE_REQUESTED)
    def accept_case_message(self, event: ReceivedEvent) -> None:
        case_messages.accept_case_message(self.db, event, utc_now())

    @serve(contract.REQUEST_GROUP_MESSAGES)
    def request_group_messages(self, **command: Any) -> Answer:
        return group_messages.request_group_messages(
            self.db, self.calls, self.settings, actor_id=self._actor, **command
        )

    @serve(contract.LIST_GROUP_MESSAGES)
    def list_group_messages(self, **query: Any) -> Answer:
        return group_messages.list_group_messages(self.db, **query)

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

    # Senders

    @serve(contract.LIST_SENDERS)
    def list_senders(self, **query: Any) -> Answer:
        return senders.list_senders(self.db, **query)

    @serve(contract.PUT_SENDER)
    def put_sender(self, **command: Any) -> Answer:
        return senders.put_sender(self.db, provider=self.settings.provider_of(command["channel"]), **command)

    # What happens elsewhere and concerns what still waits

    @on(tasks.TASK_COMPLETED, batch=500)
    def drop_closed_tasks(self, events: list[ReceivedEvent]) -> None:
        with self.db.unit_of_work(once=events) as uow:
            closed = [(event.data["case_task_id"], event.time) for event in uow.fresh]
            closed_tasks.suppress(uow, closed, utc_now())

    @on(tasks.TASKS_SKIPPED, batch=10)
    def drop_skipped_tasks(self, events: list[ReceivedEvent]) -> None:
        with self.db.unit_of_work(once=events) as uow:
            hidden = [(id_, event.time) for event in uow.fresh for id_ in event.data["case_task_ids"]]
            closed_tasks.suppress(uow, hidden, utc_now(), status="skipped")

    @on(clients.CLIENT_CHANGED, batch=500)
    def refresh_clients(self, events: list[ReceivedEvent]) -> None:
        with self.db.unit_of_work(once=events) as uow:
            deliveries.prepare_again(uow, [event.data["client_id"] for event in uow.fresh], utc_now())

    @on(clients.CONTACT_ACCESS_CHANGED, batch=500)
    def refresh_clients_of_contacts(self, events: list[ReceivedEvent]) -> None:
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

    @on(clients.CLIENT_ERASED, batch=50)
    def forget_clients(self, events: list[ReceivedEvent]) -> None:
        erasing.forget_clients(self.db, self.files, events, utc_now())

    @on(clients.CONTACT_DELETED, batch=50)
    def forget_contacts(self, events: list[ReceivedEvent]) -> None:
        contact_erasing.forget_contacts(self.db, events, utc_now())

    @on(portal.LINK_REQUESTED)
    def send_new_link(self, event: ReceivedEvent) -> None:
        new_links.send_new_link(self.db, self.calls, event, utc_now())
