"""Fault rows 1, 8 and 13 in quick forms on RabbitMQ and PostgreSQL, every service in its process, two dispatchers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kombu import Connection, Exchange, Message, Queue

from deploy.demo.api import Api
from deploy.distributed import down, read_state
from tests.faults.office import Office
from tests.systems import eventually

CLIENTS = 200
RATE = 60.0
OWNERS = ("accounts", "clients", "cases", "tasks", "messaging", "portal")

STARTING = """
import pathlib, sys
from deploy.distributed import up
up(pathlib.Path(sys.argv[1]), {"dispatcher": 2})
"""


class Distributed:
    """The running deployment: the supervisor starts again whatever is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        state = read_state(folder)
        assert state is not None
        self.api = Api(state["url"], (folder / "api-key").read_text().strip())
        self.office = Office(self.api, folder)
        self.numbers: list[str] = []

    def services(self) -> dict[str, dict[str, Any]]:
        """Name to process id, health port and starts, as of now."""
        state = read_state(self.folder)
        assert state is not None
        found: dict[str, dict[str, Any]] = state["services"]
        return found

    def kill(self, name: str) -> None:
        """`kill -9` of one process."""
        os.kill(self.services()[name]["pid"], signal.SIGKILL)

    @property
    def amqp_uri(self) -> str:
        settings = yaml.safe_load((self.folder / "settings.yaml").read_text())
        return str(settings["AMQP_URI"])


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distributed]:
    folder = tmp_path_factory.mktemp("distributed") / "up"
    # PostgreSQL runs as a user of its own, which must be able to enter.
    for parent in (folder.parent, folder.parent.parent, folder.parent.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    # In a process of its own, which its supervisor outlives.
    subprocess.run([sys.executable, "-c", STARTING, str(folder)], check=True, timeout=240)
    try:
        running = Distributed(folder.resolve())
        running.numbers = running.office.open(CLIENTS, rate=RATE)
        yield running
        running.api.session.close()
    finally:
        down(folder, quiet=True)


def ask(system: Distributed, key: str) -> str:
    """One more batch to everybody."""
    body = {
        "selector": {"case_filter": {"field": "state", "op": "eq", "value": "open"}},
        "channels": ["sms"],
        "message": {"body": f"{key}: {{{{ task.link }}}}"},
        "allow_repeat": True,
    }
    return str(system.api.post("/v1/case-tasks/bulk-notify", body, key=key)["batch_id"])


def texts_of(system: Distributed, key: str) -> Counter[str]:
    """What the provider accepted of one batch, by number."""
    return Counter(text["to"] for text in system.office.texts() if text["body"].startswith(f"{key}: "))


class Repeater:
    """Publishes every event twice more, in a shuffled order: what a broker may do, done always."""

    def __init__(self, uri: str) -> None:
        self._connection = Connection(uri)
        channel = self._connection.channel()
        queue = Queue("repeater", exclusive=True)(channel)
        queue.declare()
        for owner in OWNERS:
            queue.bind_to(Exchange(f"{owner}.events", type="topic", durable=True), routing_key="#")
        self._held: list[tuple[str, str, Any, dict[str, Any]]] = []
        self._consumer = self._connection.Consumer(queue, callbacks=[self._take], no_ack=True, accept=None)
        self._consumer.consume()
        self._producer = self._connection.Producer()
        self.repeated = 0

    def _take(self, body: Any, message: Message) -> None:
        if not message.headers.get("repeated"):
            info = message.delivery_info
            self._held += [(info["exchange"], info["routing_key"], message.body, dict(message.headers))] * 2

    def work(self, seconds: float) -> None:
        """Takes in and repeats for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self._connection.drain_events(timeout=0.2)
            except TimeoutError:
                self._repeat()
        self._repeat()

    def _repeat(self) -> None:
        random.shuffle(self._held)
        for exchange, key, body, headers in self._held:
            self._producer.publish(
                body, exchange=exchange, routing_key=key, headers={**headers, "repeated": 1},
                content_type="application/cloudevents+json", content_encoding="utf-8", delivery_mode=2,
            )  # fmt: skip
        self.repeated += len(self._held)
        self._held.clear()

    def close(self) -> None:
        self._connection.close()


def test_every_event_three_times_and_shuffled_changes_nothing(system: Distributed) -> None:
    repeater = Repeater(system.amqp_uri)
    try:
        batch_id = ask(system, "thrice")
        eventually(
            lambda: repeater.work(0.5) or system.office.batch(batch_id)["state"] == "finished", "the batch's end", 90
        )
        repeater.work(2.0)
        assert repeater.repeated > CLIENTS
    finally:
        repeater.close()
    counts = system.office.batch(batch_id)["counts"]
    assert sum(counts.values()) == CLIENTS
    assert texts_of(system, "thrice") == dict.fromkeys(system.numbers, 1)


def test_processes_killed_at_random_lose_nothing_and_send_nothing_twice(system: Distributed) -> None:
    batch_id = ask(system, "killed")
    victims = ["dispatcher-1", "messaging", "dispatcher-2", "tasks", "dispatcher-1", "clients"]
    for name in victims:
        time.sleep(random.uniform(0.2, 0.6))  # the moment of the kill: waiting for a state would leave most moments out
        system.kill(name)
    system.office.finished(batch_id, seconds=120)
    assert texts_of(system, "killed") == dict.fromkeys(system.numbers, 1)
    counts = system.office.batch(batch_id)["counts"]
    assert sum(counts.values()) == CLIENTS
    assert set(counts) <= {"sent", "delivered"}


def test_no_call_begins_after_a_stop_was_committed(system: Distributed) -> None:
    """Last, since its people stay stopped."""
    eventually(lambda: system.api.get("/health/ready")["status"] == "ready", "everything ready again")
    batch_id = ask(system, "stopped")
    system.office.sent_at_least(5, batch_id)
    stopped = {number: system.office.stop(number) for number in random.sample(system.numbers, 25)}
    system.office.finished(batch_id)
    texts = [text for text in system.office.texts() if text["body"].startswith("stopped: ")]
    reached = system.office.demand_none_after(stopped, texts)
    suppressed = [row for row in system.office.rows(batch_id) if row["state"] == "suppressed"]
    assert {row["reason"] for row in suppressed} == {"opted_out"}
    assert {row["address"] for row in suppressed} == set(system.numbers) - reached
    assert len(reached) + len(suppressed) == CLIENTS
