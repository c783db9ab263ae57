"""The part of an AMQP channel that Kombu and Nameko use, on the embedded broker."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from amqp.exceptions import ChannelError, RecoverableConnectionError
from amqp.protocol import queue_declare_ok_t
from kombu.message import Message
from kombu.transport import base

from chassis.embedded_queue import Copy, Queue

if TYPE_CHECKING:
    from chassis.embedded_bus import Connection


class Subscription:
    """One consumer of one queue, with its own prefetch."""

    def __init__(
        self, tag: str, queue: Queue, channel: Channel, callback: Callable[[Message], None], no_ack: bool, prefetch: int
    ) -> None:
        self.tag = tag
        self.queue = queue
        self.channel = channel
        self.callback = callback
        self.no_ack = no_ack
        self.prefetch = prefetch
        self.held = 0

    def wake(self) -> None:
        if self.channel.connection is not None:
            self.channel.connection.wake()

    def may_take(self) -> bool:
        return bool(self.queue.ready) and (self.prefetch == 0 or self.held < self.prefetch)


class Channel(base.StdChannel):
    """The part of an AMQP channel that Kombu and Nameko use."""

    _tags = itertools.count(1)

    def __init__(self, connection: Connection) -> None:
        self.connection: Connection | None = connection
        self.channel_id = next(self._tags)
        self._broker = connection.broker
        self._subscriptions: dict[str, Subscription] = {}
        self._unacknowledged: dict[int, tuple[Queue, Copy, Subscription | None]] = {}
        self._prefetch = 0
        self._own_queues: list[str] = []

    # ---- declaring

    def exchange_declare(self, exchange: str, type: str = "direct", passive: bool = False, **_: Any) -> None:
        if passive:
            self._broker.exchange(exchange)
        else:
            self._broker.declare_exchange(exchange, type or "direct")

    def exchange_delete(self, exchange: str, **_: Any) -> None:
        self._broker.exchanges.pop(exchange, None)

    def queue_declare(
        self,
        queue: str = "",
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: dict[str, Any] | None = None,
        **_: Any,
    ) -> queue_declare_ok_t:
        name = queue or f"amq.gen-{uuid.uuid4()}"
        if passive:
            declared = self._broker.queue(name)
        else:
            declared = self._broker.declare_queue(name, durable, auto_delete, dict(arguments or {}))
            if exclusive:
                self._own_queues.append(name)
        return queue_declare_ok_t(name, len(declared.ready), len(declared.subscribers))

    def queue_bind(self, queue: str, exchange: str = "", routing_key: str = "", **_: Any) -> None:
        if exchange:
            self._broker.bind(queue, exchange, routing_key)

    def queue_unbind(self, queue: str, exchange: str = "", routing_key: str = "", **_: Any) -> None:
        self._broker.unbind(queue, exchange, routing_key)

    def queue_purge(self, queue: str, **_: Any) -> int:
        return self._broker.purge(self._broker.queue(queue))

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **_: Any) -> int:
        known = self._broker.queues.get(queue)
        if known is None or (if_unused and known.subscribers) or (if_empty and known.ready):
            return 0
        return self._broker.delete_queue(queue)

    # ---- publishing

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {
            "body": body,
            "content-type": content_type,
            "content-encoding": content_encoding,
            "headers": headers or {},
            "properties": {
                **(properties or {}),
                "priority": priority,
                "content_type": content_type,
                "content_encoding": content_encoding,
            },
        }

    def basic_publish(
        self,
        message: dict[str, Any],
        exchange: str = "",
        routing_key: str = "",
        mandatory: bool = False,
        on_settled: Callable[[], None] | None = None,
        **_: Any,
    ) -> None:
        if self.connection is None:
            raise RecoverableConnectionError("the channel is closed")
        routed = self._broker.publish(message, exchange, routing_key, on_settled, mandatory)
        if mandatory and not routed:
            raise ChannelError("NO_ROUTE", (60, 40), 312, "Basic.publish")

    def confirm_select(self, nowait: bool = False) -> None:
        """Nothing to do: a publish returns when its copies are in their queues."""

    # ---- consuming

    def basic_qos(self, prefetch_size: int = 0, prefetch_count: int = 0, apply_global: bool = False) -> None:
        """Holds for consumers that begin after it, each for itself, as RabbitMQ reads it."""
        self._prefetch = prefetch_count

    def basic_consume(
        self,
        queue: str,
        callback: Callable[[Message], None],
        no_ack: bool = False,
        consumer_tag: str = "",
        **_: Any,
    ) -> str:
        if self.connection is None:
            raise RecoverableConnectionError("the channel is closed")
        tag = consumer_tag or f"ctag{next(self._tags)}"
        entry = Subscription(tag, self._broker.queue(queue), self, callback, no_ack, 0 if no_ack else self._prefetch)
        self._subscriptions[tag] = entry
        self.connection.subscriptions.append(entry)
        self._broker.subscribe(entry.queue, entry)
        return tag

    def basic_cancel(self, consumer_tag: str, **_: Any) -> None:
        entry = self._subscriptions.pop(consumer_tag, None)
        if entry is not None:
            if self.connection is not None:
                self.connection.subscriptions.remove(entry)
            self._broker.unsubscribe(entry.queue, entry)

    def basic_get(self, queue: str, no_ack: bool = False, **_: Any) -> Message | None:
        known = self._broker.queue(queue)
        copy = self._broker.take(known)
        return None if copy is None else self._hand_out(known, copy, no_ack, None)

    def deliver(self, entry: Subscription) -> bool:
        copy = self._broker.take(entry.queue)
        if copy is None:
            return False
        entry.callback(self._hand_out(entry.queue, copy, entry.no_ack, entry))
        return True

    def _hand_out(self, queue: Queue, copy: Copy, no_ack: bool, entry: Subscription | None) -> Message:
        tag = next(self._tags)
        raw = copy.message
        headers = dict(copy.headers)
        if copy.deliveries > 1:
            headers["x-delivery-count"] = copy.deliveries - 1
        message = Message(
            body=raw["body"],
            channel=self,
            delivery_tag=tag,
            content_type=raw["content-type"],
            content_encoding=raw["content-encoding"],
            delivery_info={
                "exchange": copy.exchange,
                "routing_key": copy.routing_key,
                "consumer_tag": entry.tag if entry else None,
                "redelivered": copy.deliveries > 1,
                "delivery_tag": tag,
            },
            properties={**raw["properties"], "application_headers": headers},
            headers=headers,
        )
        if no_ack:
            self._broker.acknowledge(queue, copy)
        else:
            self._unacknowledged[tag] = (queue, copy, entry)
            if entry is not None:
                entry.held += 1
        return message

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        tags = [tag for tag in self._unacknowledged if tag <= delivery_tag] if multiple else [delivery_tag]
        for tag in tags:
            found = self._done(tag)
            if found is not None:
                self._broker.acknowledge(*found)

    def basic_reject(self, delivery_tag: int, requeue: bool = False) -> None:
        found = self._done(delivery_tag)
        if found is not None:
            self._broker.reject(*found, requeue=requeue)

    def basic_recover(self, requeue: bool = True) -> None:
        for tag in sorted(self._unacknowledged, reverse=True):
            self.basic_reject(tag, requeue=requeue)

    def _done(self, tag: int) -> tuple[Queue, Copy] | None:
        found = self._unacknowledged.pop(tag, None)
        if found is None:
            return None
        queue, copy, entry = found
        if entry is not None:
            entry.held -= 1
            entry.wake()
        return queue, copy

    def message_to_python(self, message: Message) -> Message:
        return message

    def close(self) -> None:
        """Cancels the consumers and puts back what was not acknowledged."""
        if self.connection is None:
            return
        for tag in list(self._subscriptions):
            self.basic_cancel(tag)
        self.basic_recover()
        for name in self._own_queues:
            self._broker.delete_queue(name)
        connection, self.connection = self.connection, None
        connection.channels.discard(self)
