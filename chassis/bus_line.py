"""The connection on which a service sends its RPC requests and replies.

One connection for each service, not a pool: requests are confirmed, but nobody waits for a confirm before the next
request goes out. A green thread reads confirms and returns as they come, so that a call to a service that nobody serves
fails at once, and one that a frozen or vanished broker never took fails long before its deadline. Replies are neither
confirmed nor persistent: whoever misses one has a deadline.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import eventlet
from amqp.exceptions import ChannelError
from eventlet.semaphore import Semaphore
from kombu.connection import Connection
from nameko.constants import (
    AMQP_SSL_CONFIG_KEY,
    AMQP_URI_CONFIG_KEY,
    HEARTBEAT_CONFIG_KEY,
    LOGIN_METHOD_CONFIG_KEY,
    RPC_EXCHANGE_CONFIG_KEY,
    TRANSPORT_OPTIONS_CONFIG_KEY,
)
from nameko.extensions import SharedExtension

from chassis.amqp_io import read_ahead
from chassis.call_consumer import HEARTBEAT
from chassis.embedded_bus import is_embedded
from chassis.telemetry import log_of
from contracts.errors import CasewireError, Unavailable

EXCHANGE = "nameko-rpc"
PATIENCE = 1.5
"""Seconds in which the broker must take a message; `5-trust.md` wants an answer within 2 s when it does not."""
RETRY_AFTER = 1.0
"""Seconds after a failed connection in which others fail at once instead of waiting for the next failure."""
TRANSIENT = 1

_log = log_of(__name__)


class Waiting(Protocol):
    """A request that waits for its reply."""

    correlation_id: str
    confirmed: bool

    def fail(self, error: CasewireError) -> None:
        """There will be no reply."""


class BusLine(SharedExtension):
    """One per service container, shared by what it serves and what it calls."""

    def __init__(self) -> None:
        self._lock = Semaphore(1)
        self._connection: Connection | None = None
        self._requests: Any = None
        self._replies: Any = None
        self._reader: Any = None
        self._failed_at = float("-inf")
        self._tag = 0
        self._unconfirmed: dict[int, Waiting] = {}

    def setup(self) -> None:
        config = self.container.config
        self.exchange = config.get(RPC_EXCHANGE_CONFIG_KEY) or EXCHANGE
        self._uri = config[AMQP_URI_CONFIG_KEY]
        self._embedded = is_embedded(self._uri)
        self._heartbeat = config.get(HEARTBEAT_CONFIG_KEY, HEARTBEAT)
        self._options = {
            "ssl": config.get(AMQP_SSL_CONFIG_KEY),
            "login_method": config.get(LOGIN_METHOD_CONFIG_KEY),
            # A dict of its own: publishers that share Nameko's class-level one change each other's confirms.
            "transport_options": dict(config.get(TRANSPORT_OPTIONS_CONFIG_KEY) or {}),
        }

    def stop(self) -> None:
        self._drop(self._connection, graceful=True)

    kill = stop

    def request(
        self, body: bytes, routing_key: str, headers: dict[str, Any], ttl: float, reply_to: str, waiting: Waiting
    ) -> None:
        """Send a request that lives `ttl` seconds. Raises Unavailable if it cannot be sent.

        Later `waiting.confirmed` becomes true, or `waiting.fail` is called.
        """
        properties = {
            "delivery_mode": TRANSIENT,
            "reply_to": reply_to,
            "correlation_id": waiting.correlation_id,
            # A stopped service's queue still takes requests; nobody wants their answers after the deadline.
            "expiration": str(max(1, int(ttl * 1000))),
        }
        self._send(body, routing_key, headers, properties, min(ttl, PATIENCE), waiting)

    def reply(self, body: bytes, reply_to: str, correlation_id: str | None) -> None:
        """Send a reply. Raises Unavailable if it cannot be sent."""
        properties = {"delivery_mode": TRANSIENT, "correlation_id": correlation_id}
        self._send(body, reply_to, {}, properties, PATIENCE, None)

    def _send(
        self,
        body: bytes,
        routing_key: str,
        headers: dict[str, Any],
        properties: dict[str, Any],
        patience: float,
        waiting: Waiting | None,
    ) -> None:
        writing = False
        timeout = eventlet.Timeout(patience)
        try:
            with timeout, self._lock:
                if self._connection is None:
                    self._connect()
                channel = self._replies if waiting is None else self._requests
                message = channel.prepare_message(
                    body,
                    content_type="application/json",
                    content_encoding="utf-8",
                    headers=headers,
                    properties=properties,
                )
                writing = True
                if waiting is not None and not self._embedded:
                    self._tag += 1
                    self._unconfirmed[self._tag] = waiting
                channel.basic_publish(
                    message, exchange=self.exchange, routing_key=routing_key, mandatory=waiting is not None
                )
                writing = False
                if waiting is not None and self._embedded:
                    waiting.confirmed = True
        except eventlet.Timeout as expired:
            if writing:
                # Half a frame may be out: nothing more can be written to this connection; nor will who takes nothing
                # take a new one.
                self._failed_at = time.monotonic()
                self._drop(self._connection)
            if expired is not timeout:
                raise
            raise Unavailable("bus_unavailable") from None
        except ChannelError as error:
            if "NO_ROUTE" in str(error):
                raise _no_service(routing_key) from None
            self._drop(self._connection)
            raise Unavailable("bus_unavailable") from error
        except CasewireError:
            raise
        except Exception as error:  # kombu and amqp also raise AttributeError and IndexError on a lost connection
            self._drop(self._connection)
            raise Unavailable("bus_unavailable") from error

    # ---- the connection

    def _connect(self) -> None:
        if time.monotonic() - self._failed_at < RETRY_AFTER:
            raise Unavailable("bus_unavailable")
        connection = Connection(self._uri, heartbeat=self._heartbeat, connect_timeout=PATIENCE, **self._options)
        try:
            connection.connect()
            requests, replies = connection.channel(), connection.channel()
            requests.exchange_declare(self.exchange, type="topic", durable=True, auto_delete=False)
            if not self._embedded:
                self._listen(connection, requests)
        except BaseException:
            # From its end on: a frozen broker lets it wait for longer than others then fail at once.
            self._failed_at = time.monotonic()
            connection.collect()
            raise
        self._connection, self._requests, self._replies = connection, requests, replies

    def _listen(self, connection: Connection, channel: Any) -> None:
        channel.confirm_select()
        self._tag = 0
        unconfirmed: dict[int, Waiting] = {}
        self._unconfirmed = unconfirmed
        channel.events["basic_ack"].add(lambda tag, multiple: _confirm(unconfirmed, tag, multiple))
        channel.events["basic_nack"].add(lambda tag, multiple: _refuse(unconfirmed, tag, multiple))
        channel.events["basic_return"].add(lambda _error, _exchange, key, message: _return(unconfirmed, key, message))
        raw = connection.connection
        read_ahead(raw)
        # Before each publish py-amqp reads the socket to see whether the broker blocks; the reader below would read at
        # the same time, which eventlet forbids.
        raw.client_properties = {**raw.client_properties, "capabilities": {}}
        self._reader = eventlet.spawn(self._read, connection)

    def _read(self, connection: Connection) -> None:
        # Shorter than the broker's own heartbeats, half an interval apart: each that comes starts this wait anew.
        pause = self._heartbeat / 4 if self._heartbeat else None
        due = time.monotonic()
        try:
            while True:
                try:
                    connection.drain_events(timeout=pause)
                except TimeoutError:
                    pass
                if pause is not None and time.monotonic() >= due:
                    due = time.monotonic() + pause
                    with eventlet.Timeout(PATIENCE), self._lock:
                        connection.heartbeat_check()
        except (Exception, eventlet.Timeout) as error:
            _log.warning("bus_line_lost", error=type(error).__name__)
            self._reader = None
            self._drop(connection)

    def _drop(self, connection: Connection | None, graceful: bool = False) -> None:
        """Forget a connection, unless another has already taken its place."""
        if connection is None or connection is not self._connection:
            return
        self._connection = self._requests = self._replies = None
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.kill()
        if graceful:
            try:
                with eventlet.Timeout(PATIENCE):
                    connection.close()
            except (Exception, eventlet.Timeout):
                connection.collect()
        else:
            connection.collect()
        for waiting in unconfirmed.values():
            waiting.fail(Unavailable("bus_unavailable"))


def _take(unconfirmed: dict[int, Waiting], tag: int, multiple: bool) -> list[Waiting]:
    if not multiple:
        found = unconfirmed.pop(tag, None)
        return [] if found is None else [found]
    tags = [known for known in unconfirmed if known <= tag]
    return [unconfirmed.pop(known) for known in tags]


def _confirm(unconfirmed: dict[int, Waiting], tag: int, multiple: bool) -> None:
    for waiting in _take(unconfirmed, tag, multiple):
        waiting.confirmed = True


def _refuse(unconfirmed: dict[int, Waiting], tag: int, multiple: bool) -> None:
    for waiting in _take(unconfirmed, tag, multiple):
        waiting.fail(Unavailable("bus_unavailable"))


def _return(unconfirmed: dict[int, Waiting], routing_key: str, message: Any) -> None:
    returned = message.properties.get("correlation_id")
    for waiting in unconfirmed.values():
        if waiting.correlation_id == returned:
            waiting.fail(_no_service(routing_key))
            return


def _no_service(routing_key: str) -> Unavailable:
    return Unavailable("service_unavailable", service=routing_key.partition(".")[0])
