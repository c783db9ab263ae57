"""Rows 8 and 9: every event three times and shuffled, and a newer version before an older."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from kombu import Connection, Exchange, Message, Queue

from chassis.columns import new_id
from tests.faults.deployments import Deployment, Distributed
from tests.faults.figures import Figure, at_least, exactly
from tests.faults.processes import Stream
from tests.faults.work import Batch, Firm, Load
from tests.systems import eventually

OWNERS = ("accounts", "clients", "cases", "tasks", "messaging", "portal")

Say = Callable[[str], None]


class Listener:
    """A queue of our own on every service's events, and a way to publish what came by it again."""

    def __init__(self, uri: str, routing_key: str = "#", owners: tuple[str, ...] = OWNERS) -> None:
        self._connection = Connection(uri)
        channel = self._connection.channel()
        queue = Queue("listener", exclusive=True)(channel)
        queue.declare()
        for owner in owners:
            queue.bind_to(Exchange(f"{owner}.events", type="topic", durable=True), routing_key=routing_key)
        self.held: list[tuple[str, str, Any, dict[str, Any]]] = []
        consumer = self._connection.Consumer(queue, callbacks=[self._take], no_ack=True, accept=None)
        consumer.consume()
        self._producer = self._connection.Producer()
        self.published = 0

    def _take(self, body: Any, message: Message) -> None:
        if not message.headers.get("repeated"):
            info = message.delivery_info
            self.held.append((info["exchange"], info["routing_key"], message.body, dict(message.headers)))

    def listen(self, seconds: float) -> None:
        """Takes in for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self._connection.drain_events(timeout=0.2)
            except TimeoutError:
                continue

    def publish(self, exchange: str, key: str, body: Any, headers: dict[str, Any]) -> None:
        """Publishes an event as its owner's relay does."""
        self._producer.publish(
            body, exchange=exchange, routing_key=key, headers={**headers, "repeated": 1},
            content_type="application/cloudevents+json", content_encoding="utf-8", delivery_mode=2,
        )  # fmt: skip
        self.published += 1

    def repeat_all(self) -> None:
        """Publishes what came in twice more, shuffled: what a broker may do, done always."""
        again = self.held * 2
        self.held = []
        random.shuffle(again)
        for held in again:
            self.publish(*held)

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()


def repeat_everything(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """Row 8."""
    if isinstance(firm.deployment, Distributed):
        batches, repeated = _repeat_on_the_bus(firm, firm.deployment, load)
    else:
        batches, repeated = _repeat_from_the_outbox(firm, firm.deployment, load)
    say(f"{repeated:,} events published again")
    figures = firm.account(*batches)
    return [at_least("events published again", repeated, 2 * load.messages), *figures, *_told(firm, batches)]


def _repeat_on_the_bus(firm: Firm, deployment: Distributed, load: Load) -> tuple[list[Batch], int]:
    listener = Listener(deployment.amqp_uri)
    try:
        batches = Stream(firm, load).batches

        def work() -> bool:
            listener.listen(0.5)
            listener.repeat_all()
            return not firm.waiting(*batches)

        eventually(work, "the batch's end", 240)
        firm.settled(*batches)
        listener.listen(3.0)
        listener.repeat_all()
        deployment.events_lost(60)
    finally:
        listener.close()
    return batches, listener.published


def _repeat_from_the_outbox(firm: Firm, deployment: Deployment, load: Load) -> tuple[list[Batch], int]:
    """The embedded bus is inside the process: its outboxes are told, from outside, that nothing was published yet. The
    relay takes rows by their attempts, which are drawn by lot."""
    stream = Stream(firm, load)
    again = (
        "UPDATE outbox SET published_at = NULL, attempts = -1 - (abs(random()) % 1000) "
        "WHERE published_at IS NOT NULL AND attempts >= :least"
    )

    def work() -> bool:
        for service in deployment.urls:
            deployment.ask(service, again, least=0)  # what was not repeated yet
        time.sleep(1.0)  # one round of repeats a second, while messages go out
        return not firm.waiting(*stream.batches)

    eventually(work, "the batch's end", 240)
    firm.settled(*stream.batches)
    repeated = 0
    for _ in range(2):
        deployment.outbox_empty()
        repeated += sum(deployment.ask(service, "SELECT count(*) FROM outbox")[0][0] for service in deployment.urls)
        for service in deployment.urls:
            deployment.ask(service, again, least=-1_000_000)
    deployment.outbox_empty()
    return stream.batches, repeated


def _told(firm: Firm, batches: list[Batch]) -> list[Figure]:
    """What another service made of the events: one line of a client's activity for each delivery that was sent."""
    lines: Counter[str] = Counter()
    for (facts,) in firm.deployment.ask("clients", "SELECT facts FROM activity WHERE kind = 'delivery.sent.v1'"):
        values = json.loads(facts) if isinstance(facts, str) else facts
        lines[str(values["delivery_id"]).replace("-", "")] += 1
    ledger = firm.deliveries(*batches)
    sent = [id_ for id_, row in ledger.items() if row.state in ("sent", "delivered")]
    return [exactly("told otherwise than once", sum(lines[id_] != 1 for id_ in sent), 0)]


def send_the_older_last(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """Row 9: each record is changed twice; when both are applied, the older event comes once more, as a new one."""
    deployment = firm.deployment
    assert isinstance(deployment, Distributed)
    listener = Listener(deployment.amqp_uri, routing_key="client.changed.v1", owners=("clients",))
    api = deployment.api
    ids = []
    try:
        for client in api.every("/v1/clients"):
            ids.append(client["id"])
            if len(ids) == load.messages:
                break
        for language, tags in (("fr", ["older"]), ("es", ["newer"])):
            for client_id in ids:
                api.patch(f"/v1/clients/{client_id}", {"language": language, "tags": tags})
            listener.listen(0.1)
        eventually(lambda: listener.listen(0.3) or len(listener.held) >= 2 * len(ids), "every change heard of", 60)
        deployment.events_lost(60)
        say(f"{len(ids):,} records changed twice")
        older = [held for held in listener.held if _event(held)["data"]["tags"] == ["older"]]
        for exchange, key, body, headers in older:
            event = {**_event((exchange, key, body, headers)), "id": new_id()}
            listener.publish(exchange, key, json.dumps(event).encode(), headers)
        applied = "SELECT count(*) FROM inbox WHERE subscription LIKE 'cases.client.changed%'"
        wanted = 3 * len(ids)
        eventually(lambda: deployment.ask("cases", applied)[0][0] >= wanted, "the older ones applied", 60)
    finally:
        listener.close()
    kept = deployment.ask("cases", "SELECT client_id, language FROM client_facts")
    tags = deployment.ask("cases", "SELECT client_id, tag FROM client_tag")
    languages = {str(client_id): language for client_id, language in kept}
    by_client = {str(client_id): tag for client_id, tag in tags}
    stale = sum(languages.get(id_) != "es" or by_client.get(id_) != "newer" for id_ in ids)
    return [
        at_least("older sent last", len(older), len(ids)),
        exactly("overwritten by the stale", stale, 0),
        exactly("events lost", deployment.events_lost(60), 0),
        exactly("parked", deployment.parked(), 0),
    ]


def _event(held: tuple[str, str, Any, dict[str, Any]]) -> dict[str, Any]:
    body = held[2]
    event: dict[str, Any] = json.loads(body)
    return event
