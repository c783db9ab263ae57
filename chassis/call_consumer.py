"""The consumer of RPC requests and replies: Nameko's, without a thread per message and without losing finished work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError
from eventlet import hubs
from kombu.message import Message
from nameko.constants import HEARTBEAT_CONFIG_KEY
from nameko.messaging import QueueConsumer

from chassis.amqp_io import read_ahead

HEARTBEAT = 5
"""Seconds between heartbeats where the configuration names none."""
DRAIN_SECONDS = 1.0
"""The longest that a connection waits before it looks after its heartbeat."""


class CallConsumer(QueueConsumer):
    """One connection per container for the requests it serves and the replies it waits for.

    A provider has `queue`, `no_ack` and `receive(message)`, which must not block. Bodies are left undecoded. One whose
    queue is its own process's has `renew_queue()` too, which is called before each connection consumes: the broker may
    still hold the one before, where only this end has noticed that it is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: set[Message] = set()
        self._draining = False
        self._heartbeat_due = 0.0
        self._pause = DRAIN_SECONDS
        self.connected = False

    def setup(self) -> None:
        super().setup()
        # Four looks an interval: the broker's own heartbeats, two an interval, must not put ours off.
        heartbeat = self.container.config.get(HEARTBEAT_CONFIG_KEY, HEARTBEAT)
        self._pause = min(DRAIN_SECONDS, heartbeat / 4) if heartbeat else DRAIN_SECONDS

    def consume(self, *_: Any, **kwargs: Any) -> Iterator[None]:
        """The loop over one connection; `connected` says whether there is one."""
        try:
            with self.consumer_context(**kwargs) as (connection, _channel, _consumers):
                while not self.should_stop:
                    self.on_iteration()
                    if not self.should_stop and not self._pending_remove_providers:
                        self._drain(connection)
                        yield
        finally:
            self.connected = False

    @contextmanager
    def establish_connection(self) -> Iterator[Any]:
        """Tries until the broker is there, at shorter intervals than Kombu's, which grow to half a minute."""
        with self.create_connection() as connection:
            connection.ensure_connection(
                self.on_connection_error, interval_start=0.5, interval_step=0.5, interval_max=3.0
            )
            yield connection

    def _drain(self, connection: Any) -> None:
        self._draining = True
        try:
            connection.drain_events(timeout=self._pause)
        except TimeoutError:
            pass
        finally:
            self._draining = False
        # Not only when nothing came: who takes replies all the time sends nothing, and the broker would hang up.
        if time.monotonic() >= self._heartbeat_due:
            self._heartbeat_due = time.monotonic() + self._pause
            connection.heartbeat_check()

    def interrupt(self) -> None:
        """Lets the loop look at once at what it is asked to do, instead of after its next wait."""
        hubs.get_hub().schedule_call_global(0, self._throw)

    def _throw(self) -> None:
        # As a time-out, for that is what py-amqp survives in the middle of a frame.
        if self._draining:
            self._gt.throw(TimeoutError("interrupted"))

    def unregister_provider(self, provider: Any) -> None:
        """Cancels a provider's consumer and returns when that is done."""
        self.interrupt()
        super().unregister_provider(provider)

    def kill(self) -> None:
        self.interrupt()
        super().kill()

    def on_consume_ready(self, *args: Any, **kwargs: Any) -> None:
        self.connected = True
        super().on_consume_ready(*args, **kwargs)

    def get_consumers(self, consumer_cls: Any, channel: Any) -> Any:
        """Called on each connection, the first and every later one."""
        # What the lost connection had delivered comes again; acknowledging it there is no longer possible.
        self._held.clear()
        self._consumers.clear()
        read_ahead(channel.connection)
        for provider in self._providers:
            consumer = consumer_cls(
                queues=[queue_of(provider)], on_message=partial(self._receive, provider), no_ack=provider.no_ack
            )
            consumer.qos(prefetch_count=self.prefetch_count)
            self._consumers[provider] = consumer
        return self._consumers.values()

    def _receive(self, provider: Any, message: Message) -> None:
        if not provider.no_ack:
            self._held.add(message)
        provider.receive(message)

    def ack_message(self, message: Message) -> None:
        """Acknowledge, unless its connection is gone: then the broker has it back already."""
        if message in self._held:
            self._held.discard(message)
            try:
                message.ack()
            except (AMQPError, OSError):
                return
            if not self._consumers and not self._held:
                self.interrupt()

    def requeue_message(self, message: Message) -> None:
        """Give a message back, for another replica."""
        if message in self._held:
            self._held.discard(message)
            try:
                message.requeue()
            except (AMQPError, OSError):
                return

    def on_iteration(self) -> None:
        """Stops when no consumer is left and what was delivered is acknowledged. Nameko's own stops at once, closes the
        connection, and work that is just being finished can no longer be acknowledged."""
        self._cancel_consumers_if_requested()
        if not self._consumers and not self._held:
            self.should_stop = True


def queue_of(provider: Any) -> Any:
    """The queue that a provider consumes on a new connection."""
    if hasattr(provider, "renew_queue"):
        provider.renew_queue()
    return provider.queue
