"""From a delivery to its handler, and what happens when that fails.

One connection per container consumes for all its subscriptions, each on a channel of its own with its own prefetch.
Deliveries gather on a subscription's desk; its green threads take them from there, so that no thread is made per
message, and acknowledge after the handler's commit.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import eventlet
from amqp.exceptions import AMQPError
from eventlet.event import Event as Signal
from kombu.messaging import Consumer
from nameko.constants import AMQP_URI_CONFIG_KEY

from chassis import dead_letters, topology
from chassis.amqp_io import read_ahead
from chassis.call_consumer import CallConsumer, queue_of
from chassis.columns import utc_now
from chassis.database import Data, Database
from chassis.embedded_bus import is_embedded
from chassis.envelope import CONTENT_TYPE
from chassis.event_handling import SUSPECT_DELIVERIES, Delivery, Handling, body_of, count_in
from chassis.outbox import PUBLICATION
from chassis.publisher import ConfirmedPublisher, Outgoing
from chassis.telemetry import log_of, log_unexpected

if TYPE_CHECKING:
    from chassis.events import Subscription

LINGER_SECONDS = 0.02
"""The longest a batch waits for more, and only while more is arriving."""
BURST = 20
LINGER_IN_A_BURST = 0.4
"""The same for a batch of so many: what else comes of the same work costs less with it, and nobody waits for either."""
WORK_OFF_SECONDS = 2.0
"""The longest that the end of the one process waits for what its services have in hand."""
REPLAY_SECONDS = 3.0
PASSING_SECONDS = 30.0
"""How often it is looked for what was parked because somebody was away."""
MOST_RETURNS = 10
"""How often an event may come back from the dead letters to its queue."""
RETURNS = "casewire-returns"

_log = log_of(__name__)


class EventConsumer(CallConsumer):
    """Consumes events and the service's dead letters."""

    def __init__(self) -> None:
        super().__init__()
        self._retries: ConfirmedPublisher | None = None
        self._burial = DeadLetterDesk(self)
        self._replays: Any = None
        self._looked_at = float("-inf")

    def kill(self) -> None:
        if self._replays is not None:
            self._replays.kill()
        super().kill()

    @property
    def retries(self) -> ConfirmedPublisher:
        """Publishes to the retry queues."""
        if self._retries is None:
            self._retries = ConfirmedPublisher(self.container.config, topology.declare_retries)
        return self._retries

    @property
    def database(self) -> Database | None:
        """The service's database, for what must be parked; None if it has none."""
        for provider in self.container.dependencies:
            if isinstance(provider, Data):
                return provider.database
        return None

    def start(self) -> None:
        if not self._starting and any(not provider.broadcast for provider in self._providers):
            self._replays = eventlet.spawn(self._replay_parked)
        super().start()

    def stop(self) -> None:
        if self._replays is not None:
            self._replays.kill()
        super().stop()
        if self._retries is not None:
            self._retries.drop()

    def get_consumers(self, consumer_cls: Any, channel: Any) -> Any:
        """Called on each connection, the first and every later one."""
        self._held.clear()
        self._consumers.clear()
        read_ahead(channel.connection)
        client = channel.connection.client
        providers: list[Any] = list(self._providers)
        if any(not provider.broadcast for provider in providers):
            self._burial.queue = topology.dead_letter_queue(self.container.service_name)
            providers.append(self._burial)
        for provider in providers:
            consumer = Consumer(
                client.channel(),
                queues=[queue_of(provider)],
                on_message=partial(self._receive, provider),
                on_decode_error=self.on_decode_error,
            )
            consumer.qos(prefetch_count=provider.prefetch)
            self._consumers[provider] = consumer
        return self._consumers.values()

    @property
    def embedded(self) -> bool:
        """Whether the bus is this process's own."""
        return is_embedded(self.container.config[AMQP_URI_CONFIG_KEY])

    def subscriptions(self) -> set[str]:
        """The names of this container's subscriptions that have a queue of their own."""
        return {provider.name for provider in self._providers if not provider.broadcast}

    def on_decode_error(self, message: Any, exc: BaseException) -> None:
        """A body that cannot even be unpacked goes to the dead letters, and is not logged."""
        message.reject()

    def on_iteration(self) -> None:
        """Ends with the last subscription, when what is held is acknowledged."""
        self._cancel_consumers_if_requested()
        if set(self._consumers) == {self._burial}:
            self._consumers.pop(self._burial).cancel()
        if not self._consumers and not self._held:
            self.should_stop = True

    def holds(self, message: Any) -> bool:
        """Whether a delivery can still be acknowledged; if not, the broker delivers it again."""
        return message in self._held

    def ack_through(self, message: Any) -> None:
        """Acknowledges a delivery and all earlier ones of its channel, which must be settled, by one frame."""
        if message not in self._held:
            return
        channel, last = message.channel, message.delivery_tag
        through = [held for held in self._held if held.channel is channel and held.delivery_tag <= last]
        self._held.difference_update(through)
        try:
            channel.basic_ack(last, multiple=True)
        except (AMQPError, OSError):
            return

    def forget(self, messages: Iterable[Any]) -> None:
        """Leaves deliveries to the broker, which has them back when the connection closes."""
        self._held.difference_update(messages)

    def _replay_parked(self) -> None:
        while True:
            eventlet.sleep(REPLAY_SECONDS)
            try:
                self._replay_some()
            except (Exception, eventlet.Timeout) as error:
                log_unexpected(_log, error, event="replay_failed")

    def _replay_some(self) -> None:
        database = self.database
        if database is None:
            return
        desks = {provider.name: provider.desk for provider in self._providers if not provider.broadcast}
        if time.monotonic() - self._looked_at >= PASSING_SECONDS:
            self._looked_at = time.monotonic()
            dead_letters.replay_what_passes(database, utc_now(), desks.keys())
        for row in dead_letters.awaiting_replay(database, desks.keys()):
            desks[row.subscription].handling.replay(row)


class EventDesk:
    """Where one subscription's deliveries wait for its green threads."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.consumer: EventConsumer = subscription.queue_consumer
        self.handling = Handling(subscription)
        self._waiting: deque[Any] = deque()
        self._signal = Signal()
        self._stopping = False
        self._busy = 0
        self._idle = Signal()

    def put(self, message: Any) -> None:
        """Takes a delivery. Never blocks."""
        self._waiting.append(message)
        self._rouse()

    def run(self) -> None:
        """Works until `stop`: the body of each green thread of the subscription."""
        while not self._stopping:
            if not self._waiting:
                self._signal.wait()
                if self._signal.ready():
                    self._signal = Signal()
                continue
            messages = [message for message in self.take() if self.consumer.holds(message)]
            self._busy += 1
            try:
                self.handling.handle([Delivery.of(message, self.subscription) for message in messages])
            finally:
                self._busy -= 1
                if not self._busy:
                    self._leave()

    def stop(self) -> None:
        """Ends the work: what is begun is finished, what waits goes back to the broker."""
        if self.consumer.embedded:
            self._work_off()
        self._stopping = True
        self._rouse()
        if self._busy:
            self._idle.wait()
        self.consumer.forget(self._waiting)
        self._waiting.clear()

    def _work_off(self) -> None:
        """Waits until nothing waits, though not for long. On the embedded bus an event is one message to all services:
        what others of this process have finished and this one has not would come to all of them again."""
        with eventlet.Timeout(WORK_OFF_SECONDS, False):
            while self._waiting or self._busy:
                eventlet.sleep(LINGER_SECONDS)

    def _leave(self) -> None:
        if self._stopping and not self._idle.ready():
            self._idle.send(None)

    def _rouse(self) -> None:
        if not self._signal.ready():
            self._signal.send(None)

    def take(self) -> list[Any]:
        """The next deliveries to handle together, up to the subscription's batch: what waits, and what comes soon."""
        largest = self.subscription.batch or 1
        if largest > 1:
            self._linger(largest)
        if self._stopping:
            return []  # what waited meanwhile goes back to the broker: to begin it now, nobody would wait for its end
        return [self._waiting.popleft() for _ in range(min(largest, len(self._waiting)))]

    def _linger(self, largest: int) -> None:
        began, seen = time.monotonic(), 0
        while len(self._waiting) < largest and not self._stopping:
            count = len(self._waiting)
            longest = LINGER_IN_A_BURST if count >= BURST else LINGER_SECONDS
            if time.monotonic() - began >= longest or (seen == count and count < BURST):
                return
            seen = count
            eventlet.sleep(longest / 10)


class DeadLetterDesk:
    """Takes what the broker delivered too often. Most of it is innocent: it only waited behind what killed the worker.
    So it goes back to its queue as a suspect, which runs alone; what comes here again and again is parked."""

    no_ack = False
    broadcast = False
    prefetch = 10
    queue: Any = None

    def __init__(self, consumer: EventConsumer) -> None:
        self._consumer = consumer

    def receive(self, message: Any) -> None:
        """Called for each dead letter; never blocks."""
        self._consumer.container.spawn_managed_thread(partial(self._bury, message), identifier="dead letter")

    def _bury(self, message: Any) -> None:
        deaths = message.headers.get("x-death") or [{}]
        subscription = str(deaths[0].get("queue", "unknown"))
        if deaths[0].get("reason") == "delivery_limit" and self._give_back(message, subscription):
            self._consumer.ack_message(message)
            return
        failed = dead_letters.failed_delivery(
            subscription, message.delivery_info["routing_key"], body_of(message), topology.DELIVERY_LIMIT
        )
        try:
            database = self._consumer.database
            if database is None:
                raise LookupError("no database to park in")
            dead_letters.park(database, failed, f"delivered too often ({deaths[0].get('reason', 'unknown')})")
        except (Exception, eventlet.Timeout) as error:
            log_unexpected(_log, error, event="dead_letter_not_parked", subscription=subscription)
            eventlet.sleep(1)
            self._consumer.requeue_message(message)
        else:
            _log.error("event_parked", subscription=subscription, event_id=failed.event_id, reason="delivery_limit")
            self._consumer.ack_message(message)

    def _give_back(self, message: Any, subscription: str) -> bool:
        """Returns a message to the queue of one of our own subscriptions; False if that may not or cannot be."""
        returns = count_in(message.headers, RETURNS, 0)
        if returns >= MOST_RETURNS or subscription not in self._consumer.subscriptions():
            return False
        suspect = max(count_in(message.headers, PUBLICATION, 1), SUSPECT_DELIVERIES + 1)
        again = Outgoing(
            body=body_of(message),
            exchange="",
            routing_key=subscription,
            content_type=CONTENT_TYPE,
            headers={PUBLICATION: suspect, RETURNS: returns + 1},
            message_id=message.properties.get("message_id"),
        )
        return self._consumer.retries.publish([again])[0]
