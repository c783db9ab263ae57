"""The consumer of RPC requests and replies: Nameko's, without a thread per message and without losing finished work."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError
from kombu.message import Message
from nameko.messaging import QueueConsumer


class CallConsumer(QueueConsumer):
    """One connection per container for the requests it serves and the replies it waits for.

    A provider has `queue`, `no_ack` and `receive(message)`, which must not block. Bodies are left undecoded.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: set[Message] = set()
        self.connected = False

    def consume(self, *args: Any, **kwargs: Any) -> Iterator[None]:
        """Nameko's loop over one connection; `connected` says whether there is one."""
        try:
            yield from super().consume(*args, **kwargs)
        finally:
            self.connected = False

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
