"""Subscribing to events.

    class TasksService:
        db = Data(models.Base)

        @on(CASE_CHANGED)
        def follow_case(self, event: ReceivedEvent) -> None: ...

        @on(TASK_COMPLETED, batch=500)
        def apply_answers(self, events: list[ReceivedEvent]) -> None: ...

A handler opens `self.db.unit_of_work(once=event)` (or `once=events`), so that a repeat changes nothing. It runs in the
event's firm (a batch is split by firm) and takes less than a minute. When it raises, the event is tried again after
5 s, 30 s and 5 min and then parked (`chassis.dead_letters`); what another try cannot change (a 4xx of the error tree,
data that the schema refuses, a TypeError) is parked at once. A failed batch is run again one by one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from kombu.connection import Connection
from kombu.entity import Queue
from nameko.constants import AMQP_SSL_CONFIG_KEY, AMQP_URI_CONFIG_KEY, LOGIN_METHOD_CONFIG_KEY
from nameko.extensions import Entrypoint, register_entrypoint

from chassis import topology
from chassis.envelope import ReceivedEvent
from chassis.event_consumer import EventConsumer, EventDesk
from chassis.telemetry import log_of
from contracts.base import Event

__all__ = ["ReceivedEvent", "Subscription", "connection_to", "on", "queues", "subscriptions"]

CONCURRENCY = 5
"""Events of one subscription that one process handles at a time, if it takes no batches."""
PREFETCH = 1_000

Method = TypeVar("Method", bound=Callable[..., Any])

_log = log_of(__name__)


class Subscription(Entrypoint):
    """Nameko's entrypoint behind `on`."""

    queue_consumer = EventConsumer()
    no_ack = False

    def __init__(self, event: Event, batch: int | None = None, broadcast: bool = False) -> None:
        super().__init__()
        self.event = event
        self.batch = batch
        self.broadcast = broadcast

    def setup(self) -> None:
        service = self.container.service_name
        self.name = self.name_in(service, self.method_name)
        if not self.broadcast:
            self.queue = self.queue_in(service, self.method_name)
            self._declare()
        self.prefetch = PREFETCH if self.batch else CONCURRENCY * 4
        self.desk = EventDesk(self)
        self.queue_consumer.register_provider(self)

    def start(self) -> None:
        for number in range(1 if self.batch else CONCURRENCY):
            self.container.spawn_managed_thread(self.desk.run, identifier=f"{self.name} {number}")

    def stop(self) -> None:
        self.desk.stop()
        self.queue_consumer.unregister_provider(self)

    def renew_queue(self) -> None:
        """A broadcast has another queue on each connection: the old one is locked until the broker knows that its
        connection is lost, and what it was sent meanwhile is not kept either way."""
        if self.broadcast:
            name = f"{self.name}.{uuid.uuid4().hex}"
            self.queue = topology.broadcast_queue(name, self.event.owner, self.event.name)

    def receive(self, message: Any) -> None:
        """Called for each delivery; never blocks."""
        self.desk.put(message)

    def name_in(self, service: str, method: str) -> str:
        """Its name as the subscription of a service's method."""
        return f"{service}.{self.event.name}.{method}"

    def queue_in(self, service: str, method: str) -> Queue:
        """The queue that it has as the subscription of a service's method."""
        return topology.subscription_queue(self.name_in(service, method), self.event.owner, self.event.name, service)

    def _declare(self) -> None:
        """Declares the queue before anything is consumed: one that exists with other arguments must end the start."""
        try:
            with connection_to(self.container.config) as connection:
                topology.declare_subscription(connection.channel(), self.queue, self.container.service_name)
        except OSError:
            _log.warning("bus_not_reached", queue=self.name)  # the consumer declares it when the broker is there


def connection_to(config: Any) -> Connection:
    """A connection to the bus that a configuration names, made on first use."""
    return Connection(
        config[AMQP_URI_CONFIG_KEY],
        connect_timeout=5,
        ssl=config.get(AMQP_SSL_CONFIG_KEY),
        login_method=config.get(LOGIN_METHOD_CONFIG_KEY),
    )


def on(event: Event, batch: int | None = None, *, broadcast: bool = False) -> Callable[[Method], Method]:
    """Subscribes a method to an event: `def name(self, event)`, or `def name(self, events)` with `batch`, the largest
    number it takes at once.

    `broadcast` gives the event to every process instead of one (to drop a cache): not kept while a process is down, not
    retried, not parked.
    """

    def decorate(method: Method) -> Method:
        register_entrypoint(method, Subscription(event, batch, broadcast))
        return method

    return decorate


def subscriptions(service: type) -> dict[str, Event]:
    """The events that a service class subscribes to, by method name (for contract tests and documents)."""
    return {method: subscription.event for method, subscription in _subscriptions(service)}


def queues(service: Any) -> list[Queue]:
    """The queues that a service class's subscriptions keep while no process of it runs."""
    return [
        subscription.queue_in(service.name, method)
        for method, subscription in _subscriptions(service)
        if not subscription.broadcast
    ]


def _subscriptions(service: type) -> Iterator[tuple[str, Subscription]]:
    for name in dir(service):
        for entrypoint in getattr(getattr(service, name), "nameko_entrypoints", ()):
            if isinstance(entrypoint, Subscription):
                yield name, entrypoint
