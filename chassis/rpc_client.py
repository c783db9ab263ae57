"""Calling other services.

calls = Calls(contracts.clients, contracts.cases)           # on a service class

client = self.calls.clients.get_client(client_id=client_id)
replies = [self.calls.cases.get_case_facts.start(case_ids=ids), self.calls.clients.get_client_facts.start(...)]
facts = [reply.result() for reply in replies]
"""

from __future__ import annotations

import hashlib
import itertools
import time
import types
import uuid
import weakref
from typing import Any

import eventlet
from eventlet.event import Event
from kombu.entity import Exchange, Queue
from kombu.message import Message
from nameko.extensions import DependencyProvider, SharedExtension

from chassis import context as contexts
from chassis import idempotency
from chassis.bus_line import PATIENCE, BusLine
from chassis.call_consumer import CallConsumer
from chassis.health import check_operation
from chassis.rpc_wire import Codec, Wire, decode_reply, encode_request
from chassis.unit_of_work import in_transaction
from contracts.base import Operation, declared
from contracts.errors import CasewireError, DeadlineExceeded, Unavailable

LAST_LOOK = 0.02
"""Seconds after a time-out in which what lies in the socket is still read."""

REPLY_QUEUE_LIFE = 60_000
"""Milliseconds that a reply queue outlives its consumer: longer than a broken connection, shorter than a pile-up."""


class Reply:
    """A call that is under way."""

    __slots__ = (
        "__weakref__",
        "_body",
        "_codec",
        "_desk",
        "_ends_at",
        "_error",
        "_event",
        "_raw",
        "confirmed",
        "correlation_id",
    )

    def __init__(self, desk: ReplyDesk, codec: Codec, raw: bool, correlation_id: str, ends_at: float) -> None:
        self._desk = desk
        self._codec = codec
        self._raw = raw
        self._ends_at = ends_at
        self._event: Event = Event()
        self._body: bytes | str | None = None
        self._error: CasewireError | None = None
        self.correlation_id = correlation_id
        self.confirmed = False

    def arrive(self, body: bytes | str) -> None:
        """The reply came."""
        self._body = body
        if not self._event.ready():
            self._event.send(True)

    def fail(self, error: CasewireError) -> None:
        """There will be no reply."""
        self._error = self._error or error
        if not self._event.ready():
            self._event.send(True)

    def result(self) -> Any:
        """Waits for the answer and returns it: Python values, or wire values from `Calls(..., raw=True)`.

        Raises the declared errors of the operation; DeadlineExceeded; Unavailable if the bus or the service cannot be
        reached; RemoteFault if the service failed.
        """
        if not self._event.ready():
            self._wait()
        if self._body is not None:
            wire = decode_reply(self._body)
            return wire if self._raw else self._codec.load_response(wire)
        raise self._error or DeadlineExceeded("deadline_exceeded", operation=self._codec.routing_key)

    def _wait(self) -> None:
        left = self._ends_at - time.monotonic()
        # Nobody waits for a confirm alone; but where none has come by now, no reply will come either.
        if not self.confirmed and left > PATIENCE and not self._comes_within(PATIENCE) and not self.confirmed:
            self._error = self._error or Unavailable("bus_unavailable")
            self._desk.suspect_silence()
        elif not self._event.ready():
            self._comes_within(self._ends_at - time.monotonic())

    def _comes_within(self, seconds: float) -> bool:
        if seconds > 0 and self._event.wait(seconds) is None:
            # When something held up the whole process, this time-out is noticed before what has arrived meanwhile.
            eventlet.sleep(LAST_LOOK)
        return bool(self._event.ready())


class ReplyDesk(SharedExtension):
    """One queue per container for the replies to all its calls. A reply that nobody waits for any more is dropped."""

    no_ack = True
    line = BusLine()
    queue_consumer = CallConsumer()

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        # Weak: a call that its caller has given up, or never asked the result of, is forgotten with the caller.
        self._waiting: weakref.WeakValueDictionary[str, Reply] = weakref.WeakValueDictionary()
        self._heard_at = float("-inf")
        self._connections = itertools.count(0)

    def setup(self) -> None:
        self.address = str(uuid.uuid4())
        self.line.setup()
        self.queue_consumer.register_provider(self)

    def renew_queue(self) -> None:
        """The same queue for each connection, so that no reply is lost with one; but the last to consume it comes
        first. Without that, as long as the broker holds a connection that is lost, every other reply would go there."""
        self.queue = Queue(
            f"rpc.reply-{self.container.service_name}-{self.address}",
            exchange=Exchange(self.line.exchange, type="topic", durable=True),
            routing_key=self.address,
            # A virtual host may make quorum its default, and a reply is worth no consensus.
            queue_arguments={"x-expires": REPLY_QUEUE_LIFE, "x-queue-type": "classic"},
            consumer_arguments={"x-priority": next(self._connections)},
        )

    def stop(self) -> None:
        self.queue_consumer.unregister_provider(self)

    def receive(self, message: Message) -> None:
        self._heard_at = time.monotonic()
        reply = self._waiting.pop(message.properties.get("correlation_id") or "", None)
        if reply is not None:
            reply.arrive(message.body)

    def suspect_silence(self) -> None:
        """The broker did not take a request. If it brings no replies either, it is frozen: nobody waits any longer for
        what it has taken before."""
        if time.monotonic() - self._heard_at >= PATIENCE:
            for reply in list(self._waiting.values()):
                reply.fail(Unavailable("bus_unavailable"))

    def send(self, codec: Codec, wire: Wire, context: contexts.Context, raw: bool) -> Reply:
        """Send a request; the reply is to be asked for its result."""
        seconds = context.remaining(codec.operation.deadline)
        if seconds <= 0:
            raise DeadlineExceeded("deadline_exceeded", operation=codec.routing_key)
        body = encode_request(wire)
        reply = Reply(self, codec, raw, f"{self.address}-{next(self._numbers)}", time.monotonic() + seconds)
        self._waiting[reply.correlation_id] = reply
        headers = context.to_headers(seconds, _key_for(codec, context, body))
        self.line.request(body, codec.routing_key, headers, seconds, self.address, reply)
        return reply


def _key_for(codec: Codec, context: contexts.Context, body: bytes) -> str | None:
    """The idempotency key of a call: the caller's own, or one that follows from the command being answered, so that a
    repeated command repeats its calls under the same keys."""
    if not codec.changes:
        return None
    answered = idempotency.running()
    if answered is None:
        return context.idempotency_key
    return hashlib.sha256(f"{answered.operation} {answered.key} {codec.routing_key} ".encode() + body).hexdigest()


class Call:
    """One operation of another service."""

    __slots__ = ("_codec", "_desk", "_raw")

    def __init__(self, desk: ReplyDesk, operation: Operation, raw: bool) -> None:
        self._desk = desk
        self._codec = Codec(operation)
        self._raw = raw

    def __call__(self, **arguments: Any) -> Any:
        """Call and wait: see `Reply.result`."""
        return self.start(**arguments).result()

    def start(self, **arguments: Any) -> Reply:
        """Send the request and go on. Raises TypeError for an undeclared argument, DeadlineExceeded if no time is left,
        Unavailable if the bus cannot be reached."""
        if in_transaction():
            raise RuntimeError(f"{self._codec.routing_key} was called inside a transaction")
        wire = arguments if self._raw else self._codec.dump_request(arguments)
        return self._desk.send(self._codec, wire, contexts.current() or contexts.Context(), self._raw)


class Owner:
    """Another service: its operations are attributes, and one that its contract does not declare is AttributeError."""

    def __init__(self, name: str, calls: dict[str, Call]) -> None:
        self._name = name
        vars(self).update(calls)

    def __getattr__(self, name: str) -> Call:
        raise AttributeError(f"the contract of {self._name} declares no operation {name}")


class Calls(DependencyProvider):
    """The services whose contract modules are given, as attributes named by their OWNER; `raw` for wire values in and
    out. Each call takes the running context along and ends with its operation's deadline or the caller's own."""

    desk = ReplyDesk()

    def __init__(self, *contracts: types.ModuleType, raw: bool = False) -> None:
        self._contracts = contracts
        self._raw = raw

    def setup(self) -> None:
        self._owners = types.SimpleNamespace()
        for module in self._contracts:
            operations = [*declared(module)[0], check_operation(module.OWNER)]
            own = {entry.name: Call(self.desk, entry, self._raw) for entry in operations if entry.owner == module.OWNER}
            setattr(self._owners, module.OWNER, Owner(module.OWNER, own))

    def get_dependency(self, worker_ctx: Any) -> Any:
        return self._owners
