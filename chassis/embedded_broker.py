"""The exchanges, queues and messages of the embedded bus, with RabbitMQ's semantics and no Kombu in them.

Everything lives in this process's memory and on one eventlet hub: nothing here blocks or yields, so no lock is needed.
What RabbitMQ promises by disk, this broker promises by settlement: a publish may ask to be told when every copy of it
is done with (see `Publication`), and until then its publisher still holds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import eventlet
from amqp.exceptions import NotFound, PreconditionFailed

from chassis.embedded_queue import PUBLICATION_HEADER, Copy, Exchange, Publication, Queue, Subscriber


class Broker:
    """One virtual host."""

    def __init__(self) -> None:
        self.exchanges: dict[str, Exchange] = {f"amq.{kind}": Exchange(kind) for kind in ("direct", "topic", "fanout")}
        self.queues: dict[str, Queue] = {}
        self._routes: dict[tuple[str, str], tuple[Queue, ...]] = {}
        self._publications: dict[int, Publication] = {}
        self._held: list[Callable[[], None]] | None = None
        self._closing = False

    # ---- holding back while the process starts

    def hold(self) -> None:
        """Keep settled publishes until `release`: queues live as long as the process, so an event that is published
        before every subscriber has declared its queue would miss it."""
        if self._held is None:
            self._held = []

    def release(self) -> None:
        held, self._held = self._held, None
        for publish in held or ():
            publish()

    def close_down(self) -> None:
        """The process ends: what must be routed no longer is to a queue that nobody consumes any more, so that calls
        between services that stop fail at once instead of at their deadline."""
        self._closing = True

    # ---- declaring

    def declare_exchange(self, name: str, kind: str) -> None:
        known = self.exchanges.setdefault(name, Exchange(kind))
        if known.type != kind:
            raise PreconditionFailed(f"PRECONDITION_FAILED - exchange {name!r} is of type {known.type!r}")

    def declare_queue(self, name: str, durable: bool, auto_delete: bool, arguments: dict[str, Any]) -> Queue:
        queue = self.queues.get(name)
        if queue is None:
            queue = self.queues[name] = Queue(name, durable, auto_delete, arguments)
            self._routes.clear()
        elif not queue.same_as(durable, auto_delete, arguments):
            raise PreconditionFailed(f"PRECONDITION_FAILED - inequivalent arguments for queue {name!r}")
        return queue

    def queue(self, name: str) -> Queue:
        try:
            return self.queues[name]
        except KeyError:
            raise NotFound(f"NOT_FOUND - no queue {name!r}") from None

    def exchange(self, name: str) -> Exchange:
        try:
            return self.exchanges[name]
        except KeyError:
            raise NotFound(f"NOT_FOUND - no exchange {name!r}") from None

    def bind(self, queue: str, exchange: str, routing_key: str) -> None:
        self.exchange(exchange).bindings[routing_key, self.queue(queue).name] = None
        self._routes.clear()

    def unbind(self, queue: str, exchange: str, routing_key: str) -> None:
        self.exchange(exchange).bindings.pop((routing_key, queue), None)
        self._routes.clear()

    def delete_queue(self, name: str) -> int:
        queue = self.queues.pop(name, None)
        if queue is None:
            return 0
        for exchange in self.exchanges.values():
            for key in [key for key in exchange.bindings if key[1] == name]:
                del exchange.bindings[key]
        self._routes.clear()
        return self.purge(queue)

    def purge(self, queue: Queue) -> int:
        dropped = list(queue.ready)
        queue.ready.clear()
        for copy in dropped:
            copy.settle()
        return len(dropped)

    # ---- consuming

    def subscribe(self, queue: Queue, subscriber: Subscriber) -> None:
        queue.subscribers.append(subscriber)
        if queue.ready:
            subscriber.wake()

    def unsubscribe(self, queue: Queue, subscriber: Subscriber) -> None:
        if subscriber in queue.subscribers:
            queue.subscribers.remove(subscriber)
        if queue.subscribers:
            _wake(queue)
        elif queue.auto_delete:
            self.delete_queue(queue.name)
        elif "x-expires" in queue.arguments:
            eventlet.spawn_after(queue.arguments["x-expires"] / 1000, self._expire_queue, queue)

    def take(self, queue: Queue) -> Copy | None:
        """The next copy, now unacknowledged, or None."""
        self._drop_expired(queue)
        if not queue.ready:
            return None
        queue.unacknowledged += 1
        copy = queue.ready.popleft()
        copy.deliveries += 1
        return copy

    def acknowledge(self, queue: Queue, copy: Copy) -> None:
        queue.unacknowledged -= 1
        copy.settle()

    def reject(self, queue: Queue, copy: Copy, requeue: bool) -> None:
        queue.unacknowledged -= 1
        if not requeue:
            self._dead_letter(queue, copy, "rejected")
        elif copy.deliveries > queue.arguments.get("x-delivery-limit", float("inf")):
            self._dead_letter(queue, copy, "delivery_limit")
        elif self.queues.get(queue.name) is not queue:
            copy.settle()
        else:
            queue.ready.appendleft(copy)
            self._watch_expiry(queue)
            _wake(queue)

    # ---- publishing

    def publish(
        self,
        message: dict[str, Any],
        exchange: str,
        routing_key: str,
        on_settled: Callable[[], None] | None = None,
        mandatory: bool = False,
    ) -> bool:
        """Route a copy to each queue; False if there was none.

        `on_settled` is called once, without arguments, when every copy is settled: at once and before this returns if
        no queue took one. It runs in whatever green thread settles last, and must neither block nor raise.
        """
        if on_settled is not None and self._held is not None:
            self._held.append(lambda: _ignore(self.publish(message, exchange, routing_key, on_settled)))
            return True
        if mandatory and self._closing and not any(queue.subscribers for queue in self.route(exchange, routing_key)):
            return False
        headers = message["headers"]
        if on_settled is not None:
            publication: Publication | None = Publication(on_settled, self._publications)
        else:
            publication = self._publications.get(headers.get(PUBLICATION_HEADER, 0))
        if publication is None:
            return self._route_copies(message, exchange, routing_key, headers, None)
        publication.open_copy()
        try:
            marked = {**headers, PUBLICATION_HEADER: publication.number}
            return self._route_copies(message, exchange, routing_key, marked, publication)
        finally:
            publication.settle_copy()

    def route(self, exchange: str, routing_key: str) -> Sequence[Queue]:
        known = self._routes.get((exchange, routing_key))
        if known is None:
            if len(self._routes) > 10_000:
                self._routes.clear()
            known = self._routes[exchange, routing_key] = tuple(self._find_route(exchange, routing_key))
        return known

    def _find_route(self, exchange: str, routing_key: str) -> Iterator[Queue]:
        if not exchange:
            if routing_key in self.queues:
                yield self.queues[routing_key]
            return
        yield from (self.queues[name] for name in self.exchange(exchange).targets(routing_key))

    def _route_copies(
        self,
        message: dict[str, Any],
        exchange: str,
        routing_key: str,
        headers: dict[str, Any],
        publication: Publication | None,
    ) -> bool:
        queues = self.route(exchange, routing_key)
        for queue in queues:
            self._put(queue, Copy(message, exchange, routing_key, headers, publication))
        return bool(queues)

    def _put(self, queue: Queue, copy: Copy) -> None:
        if copy.publication is not None:
            copy.publication.open_copy()
        ttl = queue.arguments.get("x-message-ttl")
        expiration = copy.message["properties"].get("expiration")
        waits = [float(wait) for wait in (ttl, expiration) if wait is not None]
        if waits:
            copy.expires_at = time.monotonic() + min(waits) / 1000
            self._drop_expired(queue)
        queue.ready.append(copy)
        if waits:
            self._watch_expiry(queue)
        _wake(queue)

    # ---- expiry and dead letters

    def _drop_expired(self, queue: Queue) -> None:
        """As in RabbitMQ, a message expires at the head of its queue."""
        while queue.ready and queue.ready[0].expires_at is not None and queue.ready[0].expired(time.monotonic()):
            self._dead_letter(queue, queue.ready.popleft(), "expired")

    def _watch_expiry(self, queue: Queue) -> None:
        # Without a dead-letter exchange nobody can tell an expired message from a dropped one: dropped when touched.
        if queue.timer is None and queue.ready and "x-dead-letter-exchange" in queue.arguments:
            expires_at = queue.ready[0].expires_at
            if expires_at is not None:
                delay = max(0.0, expires_at - time.monotonic())
                queue.timer = eventlet.spawn_after(delay, self._on_expiry, queue)

    def _on_expiry(self, queue: Queue) -> None:
        queue.timer = None
        self._drop_expired(queue)
        self._watch_expiry(queue)

    def _expire_queue(self, queue: Queue) -> None:
        if not queue.subscribers and self.queues.get(queue.name) is queue:
            self.delete_queue(queue.name)

    def _dead_letter(self, queue: Queue, copy: Copy, reason: str) -> None:
        exchange = queue.arguments.get("x-dead-letter-exchange")
        if exchange is not None and (exchange == "" or exchange in self.exchanges):
            routing_key = queue.arguments.get("x-dead-letter-routing-key", copy.routing_key)
            death = {"queue": queue.name, "reason": reason, "exchange": copy.exchange, "count": copy.deliveries}
            headers = {**copy.headers, "x-death": [death, *copy.headers.get("x-death", ())]}
            properties = {key: value for key, value in copy.message["properties"].items() if key != "expiration"}
            message = {**copy.message, "properties": properties}
            for target in self.route(exchange, routing_key):
                # A dead letter that nobody consumes is settled; one that waits for a retry or a consumer is not.
                kept = reason == "expired" or target.subscribers
                self._put(target, Copy(message, exchange, routing_key, headers, copy.publication if kept else None))
        copy.settle()


def _wake(queue: Queue) -> None:
    for subscriber in queue.subscribers:
        subscriber.wake()


def _ignore(_: object) -> None:
    return None


_BROKERS: dict[str, Broker] = {}


def broker(virtual_host: str = "/") -> Broker:
    """This process's broker for a virtual host, made on first use."""
    return _BROKERS.setdefault(virtual_host, Broker())


def forget(virtual_host: str = "/") -> None:
    """Drop a virtual host with all its queues (tests)."""
    _BROKERS.pop(virtual_host, None)
