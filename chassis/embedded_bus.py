"""`embedded://`: a Kombu transport whose broker lives in this process (`chassis.embedded_broker`).

`embedded:///name` is a virtual host of its own. Differences from Kombu's `memory://`: every queue gets its own copy and
tag; messages carry the AMQP properties that Nameko reads; prefetch counts per consumer, so that waiting calls cannot
block their own replies; reject, TTL, dead-lettering, delivery limits, auto-delete and `mandatory` act as in RabbitMQ;
consumers are woken by a put instead of polling.

A publisher that must know when a message is done with (the relay) publishes on a channel of its own:

    channel.basic_publish(
        channel.prepare_message(body, content_type="application/json", headers={...}, properties={"delivery_mode": 2}),
        exchange="clients.events", routing_key="client.changed.v1", on_settled=callback,
    )

See `Broker.publish` and `Publication` for what "settled" means and where the callback runs. A consumer that retries by
publishing to a TTL queue must pass on the headers it received, and publish before it acknowledges.
"""

from __future__ import annotations

import time
from typing import Any

import eventlet
from amqp.exceptions import ChannelError
from eventlet.event import Event
from kombu import transport as kombu_transport
from kombu.transport import base

from chassis.embedded_broker import Broker, broker
from chassis.embedded_channel import Channel, Subscription

# After this many deliveries without a wait, others get a turn: nothing else in a delivery loop ever yields.
TURN = 50


class Connection:
    """One client of the broker. Deliveries to all its channels come out of `drain_events`, one at a time."""

    def __init__(self, client: Any, shared: Broker) -> None:
        self.client = client
        self.broker = shared
        self.channels: set[Channel] = set()
        self.subscriptions: list[Subscription] = []
        self.connected = True
        self._next = 0
        self._run = 0
        self._waiter: Event | None = None

    def channel(self) -> Channel:
        channel = Channel(self)
        self.channels.add(channel)
        return channel

    def wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.send(True)

    def drain_events(self, timeout: float | None = None) -> None:
        """Deliver one message; `socket.timeout` if none came in `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._deliver_one():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("no message in time")
            self._run = 0
            self._waiter = Event()
            self._waiter.wait(left)
            self._waiter = None
            if not self.connected:
                raise OSError("the connection is closed")

    def _deliver_one(self) -> bool:
        self._run += 1
        if self._run > TURN:
            self._run = 0
            eventlet.sleep(0)
        subscriptions = self.subscriptions
        for step in range(len(subscriptions)):
            place = (self._next + step) % len(subscriptions)
            if subscriptions[place].may_take():
                self._next = place + 1
                if subscriptions[place].channel.deliver(subscriptions[place]):
                    return True
                return self._deliver_one()
        return False

    def close(self) -> None:
        for channel in list(self.channels):
            channel.close()
        self.connected = False
        self.wake()

    collect = close


class Transport(base.Transport):
    """Kombu's entry: `amqp://` becomes `embedded://` and nothing else changes."""

    client: Any
    driver_type = "embedded"
    driver_name = "embedded"
    connection_errors = (OSError,)
    channel_errors = (ChannelError,)
    # A broker in the same process cannot be reconnected to: nothing is worth a retry.
    recoverable_connection_errors = ()
    recoverable_channel_errors = ()
    implements = base.Transport.implements.extend(exchange_type=frozenset(["direct", "topic", "fanout"]))

    def __init__(self, client: Any, **_: Any) -> None:
        self.client = client

    def driver_version(self) -> str:
        return "1"

    def establish_connection(self) -> Connection:
        return Connection(self.client, broker(self.client.virtual_host or "/"))

    def close_connection(self, connection: Connection) -> None:
        connection.close()

    def verify_connection(self, connection: Connection) -> bool:
        return connection.connected

    def create_channel(self, connection: Connection) -> Channel:
        return connection.channel()

    def close_channel(self, channel: Channel) -> None:
        channel.close()

    def drain_events(self, connection: Connection, timeout: float | None = None, **_: Any) -> None:
        connection.drain_events(timeout)


def is_embedded(uri: str) -> bool:
    """Whether a bus address names the broker of this process."""
    return uri.startswith("embedded:")


def virtual_host(uri: str) -> str:
    """The virtual host that an `embedded://` address names, as Kombu reads it."""
    return uri.partition("://")[2].partition("/")[2] or "/"


# Kombu resolves `embedded://` by this table; there is no registration function.
kombu_transport.TRANSPORT_ALIASES["embedded"] = "chassis.embedded_bus:Transport"

__all__ = ["Channel", "Connection", "Transport", "is_embedded", "virtual_host"]
