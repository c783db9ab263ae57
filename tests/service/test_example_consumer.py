"""The example consumer of docs/events.md, run as it is by another system: a process with kombu and nothing of ours."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from kombu.connection import Connection

from chassis.columns import new_id
from chassis.database import Data, Database
from chassis.testing import eventually, make_database, outbox_events
from contracts.messaging import MESSAGE_RECEIVED
from deploy.rabbitmq import management_request
from services.messaging.models import Base

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "consumer.py"
FIRM = new_id()


class Messaging:
    """The relay of messaging's outbox."""

    name = "messaging"
    db = Data(Base)


class Example:
    """The consumer's process, its database and its queue."""

    def __init__(self, broker: str, folder: Path) -> None:
        self.broker, self.database, self.output = broker, folder / "followed.db", folder / "output"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # From a folder of its own, so that nothing of Casewire can be imported.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(EXAMPLE), self.broker, str(self.database)],
                cwd=self.database.parent, env=environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def wait_until_ready(self, times: int = 1) -> None:
        eventually(lambda: self.lines("ready") >= times, what="the consumer is ready", seconds=30)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def lines(self, word: str) -> int:
        return sum(line.startswith(word) for line in self.output.read_text().splitlines())

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, timeout=10)) as database:
            return database.execute(statement).fetchall()

    def seen(self) -> set[str]:
        return {event_id for (event_id,) in self.rows("SELECT event_id FROM seen")}

    def publish(self, body: bytes, routing_key: str = "message.received.v1") -> None:
        with Connection(self.broker) as connection:
            connection.Producer().publish(
                body, exchange="messaging.events", routing_key=routing_key, content_type="application/cloudevents+json",
                content_encoding="utf-8",
            )  # fmt: skip

    def waiting(self, queue: str) -> int:
        with Connection(self.broker) as connection:
            return int(connection.channel().queue_declare(queue, passive=True).message_count)


@pytest.fixture
def example(vhost: str, tmp_path: Path) -> Iterator[Example]:
    running = Example(vhost, tmp_path)
    running.start()
    running.wait_until_ready()
    yield running
    running.kill()


def receive(db: Database, count: int) -> list[str]:
    data = {"channel": "sms", "client_ids": [], "effect": "none"}
    with db.for_firm(FIRM).unit_of_work() as uow:
        ids = [new_id() for _ in range(count)]
        return uow.emit_many(MESSAGE_RECEIVED, [(id_, {"message_id": id_, **data}) for id_ in ids])


def test_every_event_is_applied_once_though_the_consumer_is_killed(
    vhost: str, start: Callable[..., Any], example: Example
) -> None:
    db = make_database(Base)
    start(Messaging, bus=vhost, DATABASE_URLS={"messaging": db.url})
    events = receive(db, 400)
    eventually(lambda: len(example.seen()) > 100, what="the first are applied", seconds=30)
    example.kill()
    assert len(example.seen()) < 400
    events += receive(db, 100)
    eventually(lambda: all(event.published for event in outbox_events(db)), seconds=30)
    example.start()
    eventually(lambda: example.seen() == set(events), what="all are applied", seconds=60)
    eventually(lambda: example.waiting("my-system.casewire") == 0)
    assert example.rows("SELECT count(*) FROM latest") == [(500,)]
    ((firm, data),) = example.rows("SELECT firm_id, data FROM latest LIMIT 1")
    assert firm == FIRM
    assert json.loads(data)["channel"] == "sms"


def test_it_connects_again_when_its_connection_is_lost(rabbitmq: Any, example: Example) -> None:
    vhost = unquote(urlsplit(example.broker).path.removeprefix("/"))

    def cut() -> bool:
        opened = management_request(rabbitmq.management_uri, "GET", "/api/connections")
        names = [connection["name"] for connection in opened if connection.get("vhost") == vhost]
        for name in names:
            with suppress(OSError):  # it may be gone by itself
                management_request(rabbitmq.management_uri, "DELETE", f"/api/connections/{quote(name, safe='')}")
        return bool(names)

    eventually(cut, what="the connection is seen and cut", seconds=30)
    example.wait_until_ready(times=2)
    event_id = new_id()
    example.publish(envelope(event_id, "2026-11-21T15:00:02Z", "new"))
    eventually(lambda: example.seen() == {event_id}, seconds=30)


def envelope(event_id: str, time: str, state: str) -> bytes:
    content = {
        "id": event_id, "type": "message.received.v1", "subject": "one", "firmid": FIRM, "time": time,
        "data": {"state": state},
    }  # fmt: skip
    return json.dumps(content).encode()


def test_a_repeat_a_late_one_and_what_is_no_event_change_nothing(example: Example) -> None:
    newer, older = new_id(), new_id()
    example.publish(envelope(newer, "2026-11-21T15:00:02Z", "new"))
    example.publish(envelope(newer, "2026-11-21T15:00:02Z", "again"))
    example.publish(b"{not json")
    example.publish(b"[]")
    example.publish(envelope(older, "2026-11-21T15:00:01Z", "old"))
    eventually(lambda: example.seen() == {newer, older}, seconds=30)
    assert example.lines("repeated") == 1
    assert [json.loads(data) for (data,) in example.rows("SELECT data FROM latest")] == [{"state": "new"}]
    eventually(lambda: example.waiting("my-system.casewire.dead-letters") == 2, what="two dead letters")


def test_what_comes_while_the_consumer_is_away_waits_for_it(example: Example) -> None:
    example.kill()
    event_id = new_id()
    example.publish(envelope(event_id, "2026-11-21T15:00:02Z", "new"))
    example.start()
    eventually(lambda: example.seen() == {event_id}, seconds=30)
