"""A firm that writes to its clients: messaging's database, the other services as their contracts promise them, and a
provider that records what it is sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import eventlet
import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.database import Database
from chassis.testing import Clock, FakeCalls, make_service, outbox_events, received
from contracts import accounts, cases, clients, messaging, portal, tasks
from contracts.base import Event
from contracts.errors import NotFound
from services.messaging import address_keys, batch_views, batches, contents, filing, inbound, senders
from services.messaging.consents.unsubscribing import UnsubscribeLinks
from services.messaging.dispatching.sending import Sending
from services.messaging.models import Base, Delivery
from services.messaging.service import MessagingService
from services.messaging.settings import MessagingSettings
from tests.service.recording_provider import RecordingProvider

address_keys.use(b"a key of the tests, for addresses")

NOW = dt.datetime(2026, 11, 21, 17, 0, tzinfo=dt.UTC)  # noon in New York
OFFICE = "+12125550100"
PUBLIC_URL = "https://casewire.test"
BODY = "Hi {{ client.first_name }}: {{ task.link }}"


class Desk:
    """`person()` makes a client with a number of their own; `ask()` requests notifications about case tasks."""

    def __init__(self, database: Database, firm_id: str | None = None, office: str = OFFICE) -> None:
        self.everywhere = database
        self.firm_id = firm_id or new_id()
        self.colleagues: dict[str, dict[str, Any]] = {}
        self.staff_id = self.colleague()
        self.context = Context(firm_id=self.firm_id, actor_id=self.staff_id, actor_kind="staff")
        self.db = database.for_firm(self.firm_id)
        self.clock = Clock(NOW)
        self.firm: dict[str, Any] = {"name": "Harbor & Lane", "time_zone": "America/New_York", "quiet_hours": None}
        self.people: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.requests: dict[str, int] = {}
        self.links: list[dict[str, Any]] = []
        self.calls = FakeCalls(accounts, cases, clients, portal, tasks, answers=self._answers())
        self.provider = RecordingProvider(self.clock)
        self.sending = self.dispatcher()
        self.service = make_service(
            MessagingService,
            db=self.db,
            calls=self.calls,
            settings=MessagingSettings.from_config({"PUBLIC_URL": PUBLIC_URL}),
        )
        self.office = office
        self.sender_id = self.sender(rate=1000.0)

    def _answers(self) -> dict[Any, Any]:
        return {
            accounts.GET_FIRM: lambda: {"id": self.firm_id, **self.firm},
            accounts.GET_STAFF: self._staff_member,
            accounts.LIST_STAFF: lambda **query: {
                "data": list(self.colleagues.values()),
                "meta": {"next_cursor": None, "total": len(self.colleagues)},
            },
            clients.FIND_CLIENTS_BY_ADDRESS: lambda channel, address: {
                "client_ids": [
                    id_
                    for id_, person in self.people.items()
                    if address in (person.get("sms"), person.get("email")) and person["state"] != "erased"
                ]
            },
            clients.GET_CLIENT_FACTS: lambda client_ids: {
                "clients": [
                    {"client_id": id_, "status": "active", "tags": [], "language": "en", "version": 1}
                    for id_ in client_ids
                    if self.people.get(id_, {"state": "erased"})["state"] != "erased"
                ]
            },
            clients.GET_CLIENT: self._client,
            clients.GET_RECIPIENTS: lambda client_ids: {
                "recipients": [self.people.get(id_, {"client_id": id_, "state": "erased"}) for id_ in client_ids]
            },
            tasks.GET_CASE_TASK_FACTS: lambda case_task_ids: {
                "case_tasks": [self.tasks[id_] for id_ in case_task_ids if id_ in self.tasks]
            },
            tasks.GET_NOTIFICATION_REQUEST: self._request,
            cases.GET_CASE_FACTS: lambda case_ids: {
                "cases": [
                    {"case_id": id_, "number": "2026-7", "name": "Doe v. Roe", "custom_fields": {"court": "north"}}
                    for id_ in case_ids
                ]
            },
            portal.REGISTER_LINKS: self._register,
        }

    def colleague(self, **facts: Any) -> str:
        """A staff member's id."""
        id_ = new_id()
        self.colleagues[id_] = {"id": id_, "name": "Ada", "email": None, "role": "member", "active": True, **facts}
        return id_

    def _staff_member(self, staff_id: str) -> dict[str, Any]:
        if staff_id not in self.colleagues:
            raise NotFound("staff_not_found", staff_id=staff_id)
        return self.colleagues[staff_id]

    def _client(self, client_id: str) -> dict[str, Any]:
        if client_id not in self.people:
            raise NotFound("client_not_found", client_id=client_id)
        number = self.people[client_id]["sms"]
        phones = [{"number": number, "kind": "mobile", "primary": True}] if number else []
        return {"id": client_id, "phones": phones, "emails": []}

    def _request(self, batch_id: str) -> dict[str, Any]:
        if batch_id not in self.requests:
            raise NotFound("notification_request_not_found", batch_id=batch_id)
        return {"batch_id": batch_id, "accepted": self.requests[batch_id], "estimate": None, "created_at": NOW}

    def _register(self, links: list[dict[str, Any]]) -> dict[str, Any]:
        self.links += links
        return {
            "links": [
                {"link_id": new_id(), "token_hash": link["token_hash"], "expires_at": NOW + dt.timedelta(days=14)}
                for link in links
            ]
        }

    def dispatcher(self, concurrency: int = 32, limited: Collection[str] = (), begin_within: float = 60.0) -> Sending:
        """One more dispatcher on the same rows. `limited`: the providers whose account has a rate. `begin_within`: so
        long that a busy machine does not matter."""
        return Sending(
            self.everywhere,
            self.calls,
            {"recording": self.provider, "twilio": self.provider},
            public_url=PUBLIC_URL,
            unsubscribing=UnsubscribeLinks("a test's", PUBLIC_URL),
            concurrency=concurrency,
            limited=limited,
            idle=0.001,
            begin_within=begin_within,
            now=self.clock,
        )

    def sender(self, rate: float) -> str:
        return senders.put_sender(
            self.db, provider="recording", channel="sms", address=self.office, rate=rate, messaging_service_sid=None
        )["id"]

    def person(self, number: str | None = "", **facts: Any) -> str:
        """A client's id; `number` None for one without a mobile."""
        client_id = new_id()
        own = f"+1212555{1000 + len(self.people):04d}" if number == "" else number
        self.people[client_id] = {
            "client_id": client_id, "state": "found", "first_name": "Ann", "last_name": "Lee",
            "display_name": "Ann Lee", "sms": own, **facts,
        }  # fmt: skip
        return client_id

    def number(self, client_id: str) -> str:
        return str(self.people[client_id]["sms"])

    def task(self, status: str = "to_do") -> str:
        case_task_id = new_id()
        self.tasks[case_task_id] = {
            "case_task_id": case_task_id, "case_id": new_id(), "title": "Your number", "status": status,
        }  # fmt: skip
        return case_task_id

    def content(self, body: str = BODY, channels: Sequence[str] = ("sms", "email")) -> str:
        message = {"template_id": None, "body": body, "subject": None}
        return str(contents.save_content(self.db, message=message, channels=list(channels))["content_id"])

    def item(self, *client_ids: str, case_task_id: str | None = None) -> dict[str, Any]:
        task_id = case_task_id or self.task()
        return {
            "case_task_id": task_id,
            "case_id": self.tasks[task_id]["case_id"],
            "client_ids": list(client_ids),
        }

    def event(self, items: list[dict[str, Any]], **given: Any) -> Any:
        data = {
            "batch_id": new_id(), "chunk": 1, "chunks": 1, "accepted": len(items), "content_id": None,
            "channels": ["sms"], "fallback": False, "coalesce": False, "allow_repeat": False,
            "statuses": ["to_do", "in_progress", "overdue"], "timing": {"mode": "now", "at": None},
            "requested_by": self.staff_id, "requested_at": self.clock(), "items": items, **given,
        }  # fmt: skip
        data["content_id"] = data["content_id"] or self.content()
        self.requests[data["batch_id"]] = data["accepted"]
        return received(tasks.NOTIFICATION_REQUESTED, data, firm_id=self.firm_id, subscription="test")

    def ask(self, items: list[dict[str, Any]], **given: Any) -> str:
        """Requests notifications in one chunk, as it arrives; returns the batch's id."""
        event = self.event(items, **given)
        batches.accept_chunk(self.db, event, now=self.clock())
        return str(event.data["batch_id"])

    def prepare(self) -> None:
        while self.sending.prepare_some():
            pass

    def send(self, sending: Sending | None = None) -> None:
        """One round of sending, with everything that follows from it."""
        engine = sending or self.sending
        engine.send_some()
        engine.slots.wait_all()
        while engine.recorder:
            engine.recorder.record_some()

    def run(self) -> None:
        """Prepares and sends until nothing more goes out."""
        self.sending.finish_some()
        self.prepare()
        still = 0
        while still < 3:
            before = len(self.provider.accepted)
            self.send()
            self.clock.advance(seconds=1)
            still = 0 if len(self.provider.accepted) > before else still + 1
        self.prepare()
        self.sending.finish_some()

    def reply(self, number: str, words: str, **given: Any) -> dict[str, Any]:
        said = {"channel": "sms", "from_": number, "to": self.office, "body": words, **given}
        provider_id = said.pop("provider_id", new_id())
        return inbound.receive(self.everywhere, provider="twilio", provider_id=provider_id, now=self.clock(), **said)

    def write(self, number: str, words: str = "Hello", **given: Any) -> str:
        """A message comes in and is filed, as the bus would have it: twice. Its id."""
        answer = self.reply(number, words, **given)
        for event in self.arrived(answer["message_id"]) * 2:
            filing.file_message(self.db, self.calls, event, self.clock())
        return str(answer["message_id"])

    def arrived(self, message_id: str) -> list[Any]:
        """The events that tell of an inbound message, as they are received."""
        return [
            received(messaging.MESSAGE_RECEIVED, found.data, firm_id=self.firm_id, event_id=found.id, time=self.clock())
            for found in outbox_events(self.everywhere, messaging.MESSAGE_RECEIVED)
            if found.subject == message_id
        ]

    def deliveries(self, batch_id: str | None = None) -> list[Delivery]:
        statement = select(Delivery).order_by(Delivery.created_at, Delivery.id)
        if batch_id is not None:
            statement = statement.where(Delivery.batch_id == batch_id)
        with self.db.read() as session:
            return list(session.scalars(statement))

    def outcome(self, batch_id: str) -> dict[str, int]:
        """How many deliveries of a batch are in each state, suppressed ones by reason."""
        found: dict[str, int] = {}
        for row in self.deliveries(batch_id):
            name = str(row.reason) if row.state == "suppressed" else row.state
            found[name] = found.get(name, 0) + 1
        return found

    def batch(self, batch_id: str) -> dict[str, Any]:
        return batch_views.get_batch(self.db, self.calls, batch_id=batch_id)

    def emitted(self, event: Event) -> list[dict[str, Any]]:
        return [found.data for found in outbox_events(self.everywhere, event) if found.firm_id == self.firm_id]


@pytest.fixture
def desk(new_database: Callable[[Any], Database]) -> Iterator[Desk]:
    desk = Desk(new_database(Base))
    with use(desk.context):
        yield desk


def together(*actions: Callable[[], Any]) -> list[Any]:
    """Runs actions on green threads of their own, all begun before any is waited for."""
    threads = [eventlet.spawn(action) for action in actions]
    return [thread.wait() for thread in threads]
