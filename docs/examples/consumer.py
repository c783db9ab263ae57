"""Follow Casewire's events from another system, with kombu and nothing of Casewire.

    pip install kombu
    python consumer.py amqp://user:password@broker:5672/casewire followed.db

Copy it and put your own work where `apply` is. What it relies on is in docs/events.md: a message may come again, and
messages come in no certain order.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import time
from typing import Any

from kombu import Connection, Exchange, Queue, binding
from kombu.mixins import ConsumerMixin

# What to follow: (the owner's exchange, a routing key). A key is an event's name; `*` stands for one word, `#` for any
# number of them. docs/asyncapi.json lists every event with its schema.
SUBSCRIPTIONS = [
    ("clients.events", "client.*.v1"),
    ("messaging.events", "message.received.v1"),
    ("messaging.events", "consent.changed.v1"),
    ("messaging.events", "delivery.#"),
]

# The queue is yours: give it a name that nobody else's has. It keeps what comes while you are away, so delete it when
# you stop following for good. All processes that read this one queue share the work.
QUEUE = "my-system.casewire"
DEAD_LETTERS = "my-system.casewire.dead-letters"

# How many messages wait in this process at once. More is faster; all of them come again if the process dies.
PREFETCH = 50
PAUSE = 1.0

log = logging.getLogger("consumer")


def queue() -> Queue:
    """A quorum queue, so that it survives the loss of a broker. What was given out 20 times without an answer (it kills
    its reader) or was rejected for good goes to a queue of dead letters, where a person looks at it."""
    return Queue(
        QUEUE,
        bindings=[
            # Casewire declares its exchanges in the same way: it does not matter who is first.
            binding(Exchange(exchange, type="topic", durable=True), routing_key=key)
            for exchange, key in SUBSCRIPTIONS
        ],
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": 20,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": DEAD_LETTERS,
        },
    )


def dead_letters() -> Queue:
    """Where messages go that cannot be worked on. Watch its length."""
    return Queue(DEAD_LETTERS, durable=True, queue_arguments={"x-queue-type": "quorum"})


class Store:
    """This system's own database. An event and its effect are one transaction: either both are there, or neither."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path)
        self._database.executescript(
            """
            CREATE TABLE IF NOT EXISTS seen (event_id TEXT PRIMARY KEY);
            CREATE TABLE IF NOT EXISTS latest (
                firm_id TEXT, subject TEXT, name TEXT, time TEXT, data TEXT, PRIMARY KEY (firm_id, subject, name)
            );
            """
        )

    def take(self, event: dict[str, Any]) -> bool:
        """Applies an event once, however often it comes. False: it was applied before."""
        with self._database:
            new = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (event["id"],)).rowcount == 1
            if new:
                self.apply(event)
            return new

    def apply(self, event: dict[str, Any]) -> None:
        """The work itself: here, what was last said about each record. An older event that comes late changes nothing.

        An event names records by their ids and holds no personal data. What more is needed is fetched from the API
        (`GET /v1/clients/<id>`), before this transaction if it takes long.
        """
        self._database.execute(
            """
            INSERT INTO latest VALUES (:firmid, :subject, :type, :time, :data)
            ON CONFLICT DO UPDATE SET time = excluded.time, data = excluded.data WHERE excluded.time > latest.time
            """,
            {**event, "data": json.dumps(event["data"])},
        )


class Consumer(ConsumerMixin):
    """Reads the queue. The mixin connects again whenever the connection is lost."""

    def __init__(self, connection: Connection, store: Store) -> None:
        self.connection = connection
        self.store = store

    def get_consumers(self, consumer: Any, channel: Any) -> list[Any]:
        dead_letters()(channel).declare()
        return [consumer(queues=[queue()], on_message=self.on_message, prefetch_count=PREFETCH)]

    def on_consume_ready(self, connection: Any, channel: Any, consumers: Any, **_: Any) -> None:
        log.info("ready")

    def on_message(self, message: Any) -> None:
        """Applies one message, then acknowledges it: if the process dies in between, it comes again."""
        try:
            event = json.loads(message.body)
            name = event["type"]
        except (ValueError, KeyError, TypeError):
            # It will never be readable: to the dead letters. Its content may be personal and is not logged.
            log.warning("not an event")
            message.reject(requeue=False)
            return
        try:
            new = self.store.take(event)
        except sqlite3.OperationalError:
            # Our own database is busy or gone: a later try may succeed. Each one counts towards the delivery limit.
            log.exception("could not apply %s %s", name, event["id"])
            time.sleep(PAUSE)
            message.requeue()
            return
        message.ack()
        log.info("%s %s %s", "applied" if new else "repeated", name, event["id"])


def main(broker: str, path: str) -> None:
    """Follows until it is stopped."""
    # A heartbeat notices a broker that has gone without a word.
    with Connection(broker, heartbeat=10) as connection:
        Consumer(connection, Store(path)).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    main(*sys.argv[1:3])
