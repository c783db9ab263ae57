"""Publishes what is in the outbox: woken by the commit, and every second in case it was not.

On RabbitMQ a row is locked, published, confirmed and marked in one transaction; replicas skip each other's rows. On the
embedded bus the confirm comes when every consumer is done with the event, so the rows in flight are kept in memory, no
transaction is open meanwhile, and what a kill leaves unmarked is published again at the next start.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import eventlet
from amqp.exceptions import NotFound
from eventlet.event import Event as Signal
from nameko.constants import AMQP_URI_CONFIG_KEY
from sqlalchemy import Row
from sqlalchemy.orm import Session

from chassis import forgetting, outbox, topology
from chassis.crash import crash_point
from chassis.database import Database
from chassis.embedded_bus import is_embedded
from chassis.housekeeping import SWEEP_SECONDS, sweep
from chassis.precedence import precedence
from chassis.publisher import PATIENCE, ConfirmedPublisher, Outgoing, prepared
from chassis.telemetry import log_of, log_unexpected, outbox_waiting
from contracts.errors import Unavailable

WINDOW = 500
"""The most rows that are published before their confirms are awaited."""
FIRST_WINDOW = 50
"""Rows of a window after a pause: nobody knows yet how large they are."""
WEIGHT = 1_000_000
"""Bytes that a window should have at most: rows, bodies and frames of it are all in memory at once."""
IN_FLIGHT = 5_000
"""Embedded: rows that wait for their consumers at one time."""
POLL_SECONDS = 1.0
LONELY_POLL_SECONDS = 4.0
"""Embedded: every row comes from this process, whose commit wakes the relay, but for the command line's few."""
LONGEST_PAUSE = 5.0
COUNT_SECONDS = 15.0

_log = log_of(__name__)


class Relay:
    """The relay of one service's outbox. `run` is the body of its green thread; `stop` ends it after its window."""

    poll_seconds = POLL_SECONDS

    def __init__(self, db: Database, config: Any) -> None:
        self.db = db.across_firms("the relay publishes every firm's events")
        self.service: str = db.base.service_name
        self.thread: Any = None
        self._stopping = False
        self._wake = Signal()
        self._size = FIRST_WINDOW
        self._swept_at = time.monotonic()
        self._counted_at = 0.0
        self._publisher = ConfirmedPublisher(config, self._declare)
        self.db.engines.on_outbox(self.wake)

    def run(self) -> None:
        """Publishes until `stop`."""
        pause = self.poll_seconds
        while not self._stopping:
            try:
                more = self._publish_some()
                self._count()
                pause = self.poll_seconds
                if not more:
                    self._wait(pause)
                    self._keep_house()
            except (Exception, eventlet.Timeout) as error:
                if isinstance(error, Unavailable):
                    _log.warning("relay_waits", code=error.code)
                else:
                    log_unexpected(_log, error, event="relay_failed")
                pause = min(pause * 2, LONGEST_PAUSE)
                self._wait(pause)
        self._publisher.drop()

    def stop(self) -> None:
        """Ends the green thread, after the window it works on."""
        _running.pop(self.db.url, None)
        self.db.engines.no_outbox(self.wake)
        self._stopping = True
        self.wake()
        with eventlet.Timeout(PATIENCE + 1, False):
            self.thread.wait()

    def wake(self) -> None:
        """Tells the green thread that there may be rows."""
        if not self._wake.ready():
            self._wake.send(None)

    def _wait(self, seconds: float) -> None:
        if not self._stopping:
            with eventlet.Timeout(seconds, False):
                self._wake.wait()
        if self._wake.ready():
            self._wake = Signal()

    def _publish_some(self) -> bool:
        """Publishes one window. Returns whether there may be more. Raises Unavailable if the broker took none."""
        size = self._size
        if self.db.engines.is_sqlite:
            # Nobody else relays this file, and a write transaction must not wait for a broker.
            with self.db.read() as session:
                rows = outbox.unpublished(session, self.db.tables.outbox, size)
            confirmed = self._send(rows)
            if rows:
                with self.db.unit_of_work() as uow:
                    self._mark(uow.session, rows, confirmed)
        else:
            # Any process with this outbox relays what all of them wrote: a batch's events must not hold up a STOP.
            precedence.step_aside()
            with self.db.unit_of_work() as uow:
                rows = outbox.unpublished(uow.session, self.db.tables.outbox, size)
                confirmed = self._send(rows)
                if rows:
                    crash_point("after_publish")
                self._mark(uow.session, rows, confirmed)
        if rows and not any(confirmed):
            # One message may be what the broker refuses: smaller windows find it and let the others pass.
            self._size = max(1, size // 4)
            raise Unavailable("bus_unavailable")
        self._size = _next_window(size, [len(row.payload) for row in rows])
        return bool(rows) and (not all(confirmed) or len(rows) == size)

    def _send(self, rows: Sequence[Row[Any]]) -> list[bool]:
        return self._publisher.publish([outbox.outgoing(row, self.service) for row in rows]) if rows else []

    def _mark(self, session: Session, rows: Sequence[Row[Any]], confirmed: list[bool]) -> None:
        table = self.db.tables.outbox
        outbox.mark_published(session, table, [row.id for row, sure in zip(rows, confirmed, strict=True) if sure])
        outbox.count_attempt(session, table, [row.id for row, sure in zip(rows, confirmed, strict=True) if not sure])

    def _declare(self, channel: Any) -> None:
        self._declare_exchange(channel)
        try:
            topology.demand_declared(channel)
        except NotFound:
            _log.error("queues_not_declared", remedy="casewire queues declare")
            raise

    def _declare_exchange(self, channel: Any) -> None:
        topology.event_exchange(self.service)(channel).declare()

    def _keep_house(self) -> None:
        self._publisher.keep_alive()
        if time.monotonic() - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            sweep(self.db)
            forgetting.go_on(self.db)

    def _count(self) -> None:
        """Tells the metrics how many events wait."""
        if time.monotonic() - self._counted_at >= COUNT_SECONDS:
            self._counted_at = time.monotonic()
            with self.db.read() as session:
                outbox_waiting.labels(self.service).set(outbox.waiting(session, self.db.tables.outbox))


class EmbeddedRelay(Relay):
    """The relay on the embedded bus."""

    poll_seconds = LONELY_POLL_SECONDS

    def __init__(self, db: Database, config: Any) -> None:
        super().__init__(db, config)
        self._in_flight: set[str] = set()
        self._settled: list[str] = []
        self._ended = False

    def stop(self) -> None:
        """Ends the green thread. Consumers in other services of this process may still be finishing: each event that
        they settle from here on is marked at once, or it would come again at the next start."""
        super().stop()
        self._ended = True
        self._mark_settled()

    def _mark_settled(self) -> None:
        settled, self._settled = self._settled, []
        if settled:
            with self.db.unit_of_work() as uow:
                outbox.mark_published(uow.session, self.db.tables.outbox, settled)

    def _mark_late(self) -> None:
        """What cannot be marked comes again at the next start: the consumer, which is done with it, must not fail."""
        try:
            self._mark_settled()
        except (Exception, eventlet.Timeout) as error:
            log_unexpected(_log, error, event="relay_failed")

    def _publish_some(self) -> bool:
        table = self.db.tables.outbox
        room = min(WINDOW, IN_FLIGHT - len(self._in_flight))
        settled, self._settled = self._settled, []
        if not settled and not self._waiting(room):
            return False
        try:
            with self.db.unit_of_work() as uow:
                outbox.mark_published(uow.session, table, settled)
                rows = outbox.unpublished(uow.session, table, room, without=self._in_flight) if room > 0 else []
                outbox.count_attempt(uow.session, table, [row.id for row in rows])
        except BaseException:
            self._settled.extend(settled)
            raise
        self._in_flight.difference_update(settled)
        for row in rows:
            self._publish_one(row.id, outbox.outgoing(row, self.service))
        return bool(self._settled) or (bool(rows) and len(rows) == room)

    def _declare(self, channel: Any) -> None:
        # All subscribers are in this process, whose bus holds what is published until they have their queues.
        self._declare_exchange(channel)

    def _waiting(self, room: int) -> bool:
        """Whether there is anything to publish: a read, so that an idle relay does not write."""
        if room <= 0:
            return False
        with self.db.read() as session:
            return bool(outbox.unpublished(session, self.db.tables.outbox, 1, without=self._in_flight))

    def _publish_one(self, event_id: str, message: Outgoing) -> None:
        def settle() -> None:
            self._settled.append(event_id)
            if self._ended:
                self._mark_late()
            else:
                self.wake()

        self._in_flight.add(event_id)
        channel = self._publisher.channel()
        channel.basic_publish(
            prepared(channel, message),
            exchange=message.exchange,
            routing_key=message.routing_key,
            on_settled=settle,
        )
        crash_point("after_publish")


def _next_window(size: int, weights: Sequence[int]) -> int:
    """How many rows the next window takes: more after a full one, fewer where they are large."""
    if len(weights) < size:
        return FIRST_WINDOW
    return max(1, min(2 * size, WINDOW, WEIGHT * size // max(1, sum(weights))))


_running: dict[str, Relay] = {}


def start_relay(container: Any, db: Database) -> Relay | None:
    """Starts the relay of a database in a service's container.

    None if one of this process's services that shares the database runs it already.
    """
    if db.url in _running:
        return None
    embedded = is_embedded(container.config[AMQP_URI_CONFIG_KEY])
    relay = _running[db.url] = (EmbeddedRelay if embedded else Relay)(db, container.config)
    relay.thread = container.spawn_managed_thread(relay.run, identifier="relay")
    return relay
