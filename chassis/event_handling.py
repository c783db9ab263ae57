"""Running a subscription's handler, and deciding what becomes of an event that it refuses."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import eventlet
import orjson
from greenlet import GreenletExit
from nameko.containers import WorkerContext

from chassis import dead_letters, topology
from chassis.context import DATA_KEY, Context, use
from chassis.crash import crash_point
from chassis.database import AlreadyDone
from chassis.embedded_queue import PUBLICATION_HEADER
from chassis.envelope import CONTENT_TYPE, BadEnvelope, ReceivedEvent, unwrap
from chassis.outbox import PUBLICATION
from chassis.publisher import Outgoing
from chassis.telemetry import describe, events_handled, log_of, log_unexpected, where
from contracts.errors import CasewireError, DeadlineExceeded, RateLimited, Unavailable

if TYPE_CHECKING:
    from chassis.events import Subscription

HANDLER_SECONDS = 60.0
"""A handler that takes longer is stopped and tried again: the broker would give its event to another one beside it."""
OUTAGE_SECONDS = 30.0
"""How long an event waits in place for its own database to come back, before it takes the retry queues."""
SUSPECT_DELIVERIES = 2
"""Earlier deliveries without an answer, from which on an event runs alone: it may have killed its worker."""

ATTEMPT = "casewire-attempt"

_MOST_COUNTED = 1_000_000
_TRANSIENT = (Unavailable, DeadlineExceeded, RateLimited)
_log = log_of(__name__)


@dataclass(eq=False)
class Delivery:
    """One delivered message: its event, or the problem with it."""

    message: Any
    event: ReceivedEvent | None
    problem: Exception | None
    attempt: int
    earlier: int

    @classmethod
    def of(cls, message: Any, subscription: Subscription) -> Delivery:
        """Reads a message. A body that is no such event makes a delivery with a problem."""
        headers = message.headers
        attempt = count_in(headers, ATTEMPT, 1)
        earlier = count_in(headers, "x-delivery-count", 0) + count_in(headers, PUBLICATION, 1) - 1
        event, problem = None, None
        try:
            event = unwrap(_read(body_of(message)), subscription.event, subscription.name, attempt, earlier)
        except BadEnvelope as error:
            problem = error
        return cls(message, event, problem, attempt, earlier)


class Handling:
    """Handles one subscription's deliveries."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._consumer = subscription.queue_consumer
        self._container = subscription.container

    def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Runs the handler for deliveries, in groups by firm if it takes batches, and settles each. Never raises."""
        try:
            self._handle_all(deliveries)
        except (Exception, eventlet.Timeout) as error:
            log_unexpected(_log, error, event="event_not_settled", subscription=self._subscription.name)
            eventlet.sleep(1)
            for delivery in deliveries:
                self._consumer.requeue_message(delivery.message)

    def _handle_all(self, deliveries: Sequence[Delivery]) -> None:
        groups: dict[str, list[tuple[Delivery, ReceivedEvent]]] = {}
        for delivery in deliveries:
            if delivery.event is None:
                self._fail(delivery, delivery.problem or BadEnvelope("no event"))
            elif delivery.earlier >= SUSPECT_DELIVERIES:
                self._try_alone(delivery, delivery.event)
            else:
                groups.setdefault(delivery.event.firm_id, []).append((delivery, delivery.event))
        for group in groups.values():
            self._handle_group(group)
        left = [delivery.message for delivery in deliveries if self._consumer.holds(delivery.message)]
        if self._subscription.batch and left:
            # One green thread takes a batch subscription's deliveries in their order: all up to here are settled.
            self._consumer.ack_through(left[-1])

    def replay(self, row: Any) -> None:
        """Runs a parked message again and notes what came of it."""
        database = self._database()
        if not dead_letters.begin_replay(database, row.id):
            return
        failed = dead_letters.Failed(
            row.subscription, row.event, row.event_id, row.firm_id, row.envelope, row.attempts + 1
        )
        try:
            # What this release can read and an earlier one could not is an event like any other.
            unread = dead_letters.undecodable(row.envelope)
            envelope = row.envelope if unread is None else _read(unread)
            event = unwrap(envelope, self._subscription.event, self._subscription.name, failed.attempts)
            self._call([event])
        except (Exception, eventlet.Timeout) as error:
            dead_letters.park(database, failed, reason_of(error))
        except GreenletExit:
            # The process ends in order: the next one goes on.
            dead_letters.replay(database, [row.id], row.settled_by)
            raise
        else:
            dead_letters.note_replayed(database, row.id)
            _log.info("event_replayed", subscription=row.subscription, event_id=row.event_id)

    def _handle_group(self, group: list[tuple[Delivery, ReceivedEvent]]) -> None:
        try:
            self._call([event for _, event in group])
        except (Exception, eventlet.Timeout) as error:
            if len(group) == 1 or isinstance(error, _TRANSIENT):
                for delivery, _ in group:
                    self._fail(delivery, error)
                return
            _log.warning("batch_failed", subscription=self._subscription.name, error=describe(error), size=len(group))
        else:
            crash_point("before_ack")
            self._done([delivery for delivery, _ in group])
            return
        for single in group:
            self._handle_group([single])

    def _try_alone(self, delivery: Delivery, event: ReceivedEvent) -> None:
        failed = self._failed(delivery)
        try:
            database = self._database()
            if not dead_letters.begin_trial(database, failed):
                _log.error("event_parked", subscription=failed.subscription, event_id=event.id, reason="killed_worker")
                self._done([delivery], "parked")
                self._consumer.ack_message(delivery.message)
                return
            self._handle_group([(delivery, event)])
            dead_letters.end_trial(database, failed)
            # At once, in a batch too: what the next suspect kills must not have this one tried again.
            self._consumer.ack_message(delivery.message)
        except (Exception, eventlet.Timeout) as error:
            self._fail(delivery, error)

    def _call(self, events: list[ReceivedEvent]) -> None:
        """Calls the handler in the firm's context; waits for the service's own database if that is away."""
        give_up = time.monotonic() + OUTAGE_SECONDS
        pause = 0.25
        while True:
            try:
                self._call_once(events)
                return
            except AlreadyDone:
                return
            except Unavailable as error:
                if error.code != "database_unavailable" or time.monotonic() > give_up:
                    raise
            eventlet.sleep(pause)
            pause = min(pause * 2, 4.0)

    def _call_once(self, events: list[ReceivedEvent]) -> None:
        container, subscription = self._container, self._subscription
        first = events[0]
        context = Context(firm_id=first.firm_id)
        if first.correlation_id is not None:
            context = replace(context, correlation_id=first.correlation_id)
        argument: Any = events if subscription.batch else first
        service = container.service_cls()
        worker = WorkerContext(container, service, subscription, (argument,), {}, data={DATA_KEY: context})
        with use(context), eventlet.Timeout(HANDLER_SECONDS):
            container._inject_dependencies(worker)
            container._worker_setup(worker)
            try:
                getattr(service, subscription.method_name)(argument)
            finally:
                container._worker_result(worker, None, None)
                container._worker_teardown(worker)

    def _done(self, deliveries: Sequence[Delivery], outcome: str = "applied") -> None:
        if not self._subscription.batch:
            for delivery in deliveries:
                self._consumer.ack_message(delivery.message)
        events_handled.labels(self._subscription.name, outcome).inc(len(deliveries))

    def _fail(self, delivery: Delivery, error: BaseException) -> None:
        """Retries later, or parks; acknowledges once one of them is done, and leaves the message to the broker if
        neither can be."""
        name = self._subscription.name
        event_id = delivery.event.id if delivery.event is not None else None
        if not isinstance(error, CasewireError | BadEnvelope):
            log_unexpected(_log, error, event="event_failed", subscription=name, event_id=event_id)
        if self._subscription.broadcast:
            self._done([delivery], "failed")
            return
        final = is_permanent(error) or delivery.attempt > len(topology.RETRY_SECONDS)
        try:
            if final and self._park(delivery, error):
                self._done([delivery], "parked")
            elif self._retry(delivery):
                self._done([delivery], "retried")
            else:
                eventlet.sleep(1)
                self._consumer.requeue_message(delivery.message)
        except (Exception, eventlet.Timeout) as trouble:
            log_unexpected(_log, trouble, event="event_not_settled", subscription=name, event_id=event_id)
            eventlet.sleep(1)
            self._consumer.requeue_message(delivery.message)

    def _park(self, delivery: Delivery, error: BaseException) -> bool:
        failed = self._failed(delivery)
        try:
            dead_letters.park(self._database(), failed, reason_of(error))
        except Unavailable:
            return False
        _log.error("event_parked", subscription=failed.subscription, event_id=failed.event_id, error=describe(error))
        return True

    def _retry(self, delivery: Delivery) -> bool:
        number = min(delivery.attempt, len(topology.RETRY_SECONDS))
        kept = (PUBLICATION, PUBLICATION_HEADER)
        headers = {name: value for name, value in delivery.message.headers.items() if name in kept}
        message = Outgoing(
            body=body_of(delivery.message),
            exchange=topology.retry_exchange(topology.RETRY_SECONDS[number - 1]),
            routing_key=self._subscription.name,
            content_type=CONTENT_TYPE,
            headers={**headers, ATTEMPT: delivery.attempt + 1},
            message_id=delivery.message.properties.get("message_id"),
        )
        return self._consumer.retries.publish([message])[0]

    def _failed(self, delivery: Delivery) -> dead_letters.Failed:
        name = self._subscription.name
        body = body_of(delivery.message)
        return dead_letters.failed_delivery(name, self._subscription.event.name, body, delivery.attempt)

    def _database(self) -> Any:
        database = self._consumer.database
        if database is None:
            raise LookupError(f"{self._subscription.name} has no database")
        return database


def read_body(body: bytes) -> Any:
    """What a body says. ValueError if it is no JSON."""
    return orjson.loads(body)


def _read(body: bytes) -> Any:
    try:
        return read_body(body)
    except ValueError:
        raise BadEnvelope("the body is no JSON") from None


def count_in(headers: Mapping[str, Any], name: str, least: int) -> int:
    """A header that counts from `least`, which it also is where there is none, or one that no service of ours wrote."""
    found = headers.get(name)
    return found if isinstance(found, int) and least <= found <= _MOST_COUNTED else least


def body_of(message: Any) -> bytes:
    """A message's body. (py-amqp decodes what says that it is UTF-8.)"""
    body = message.body
    return body.encode() if isinstance(body, str) else bytes(body)


def is_permanent(error: BaseException) -> bool:
    """Whether another try cannot change the outcome."""
    if isinstance(error, CasewireError):
        return 400 <= error.status < 500 and not isinstance(error, RateLimited)
    return isinstance(error, BadEnvelope | TypeError | AttributeError | NotImplementedError)


def reason_of(error: BaseException) -> str:
    """Why an event was parked: types, codes and places in the code, no values of records."""
    text = str(error) if isinstance(error, BadEnvelope) else describe(error)
    return "\n".join([text, *where(error, deepest=6)])[:4000]
