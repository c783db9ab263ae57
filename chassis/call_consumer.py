"""The consumer of RPC requests and replies: Nameko's, without a thread per message and without losing finished work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError
from eventlet import hubs
from kombu.message import Message
from nameko.messaging import QueueConsumer

DRAIN_SECONDS = 1.0
"""How often an idle connection looks after its heartbeat."""


class CallConsumer(QueueConsumer):
    """One connection per container for the requests it serves and the replies it waits for.

    A provider has `queue`, `no_ack` and `receive(message)`, which must not block. Bodies are left undecoded.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: set[Message] = set()
        self._draining = False
        self.connected = False

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
            connection.drain_events(timeout=DRAIN_SECONDS)
        except TimeoutError:
            self._draining = False
            connection.heartbeat_check()
        finally:
            self._draining = False

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
        for provider in self._providers:
            consumer = consumer_cls(
                queues=[provider.queue], on_message=partial(self._receive, provider), no_ack=provider.no_ack
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
