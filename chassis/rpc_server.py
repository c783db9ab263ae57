"""Serving operations.

    class ClientsService:
        name = "clients"
        db = Data(models.Base)

        @serve(GET_CLIENT)
        def get_client(self, client_id):
            return records.get_client(self.db, client_id)

Over the bus the method gets the request's Python values and what it returns is dumped by the response schema. Called
directly, as a test may, it is the plain method.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

import eventlet
from kombu.entity import Exchange, Queue
from kombu.message import Message
from nameko.exceptions import ContainerBeingKilled
from nameko.extensions import Entrypoint, ProviderCollector, SharedExtension, register_entrypoint

from chassis import idempotency
from chassis.bus_line import BusLine
from chassis.call_consumer import CallConsumer
from chassis.context import DATA_KEY, Context, kinds_seen, use
from chassis.health import CHECK_METHOD, check_container
from chassis.precedence import precedence
from chassis.rpc_wire import Codec, RemoteFault, Wire, decode_request, encode_error, encode_result
from chassis.telemetry import calls_served, log_of, log_unexpected
from contracts.base import Operation
from contracts.errors import CasewireError, Conflict, DeadlineExceeded, Forbidden, Invalid, Unavailable

Method = TypeVar("Method", bound=Callable[..., Any])

# What may leave any operation without being declared by it.
_LIMIT = "casewire.sees_only"
_ALWAYS = (Invalid, Forbidden, Conflict, Unavailable, DeadlineExceeded, RemoteFault)

_log = log_of(__name__)
_answering: set[tuple[str, str, str]] = set()


class Served:
    """An operation and the method that answers it."""

    def __init__(self, operation: Operation, method: Callable[..., Any]) -> None:
        self.operation = operation
        self.codec = Codec(operation)
        self._method = method
        self._seconds = calls_served.labels(self.codec.routing_key)
        _check_signature(self.codec, method)

    def may_repeat(self, context: Context) -> bool:
        """Whether to carry out a request a second time does no harm."""
        keyed = context.idempotency_key is not None and context.firm_id is not None
        return self.operation.repeatable or keyed or not self.codec.changes

    def answer(self, service: Any, wire: Wire, context: Context) -> bytes:
        """The body of the reply to a request. Nothing but the end of the process gets past this."""
        context = context.with_deadline(self.operation.deadline)
        with self._seconds.time(), use(context), precedence.call():
            try:
                return encode_result(self._answer(service, wire, context))
            except CasewireError as error:
                if isinstance(error, (*self.operation.errors, *_ALWAYS)):
                    return encode_error(error)
                # What the contract does not name is a fault of ours: the caller learns no more than that.
                log_unexpected(_log, error, "undeclared_error", operation=self.codec.routing_key, code=error.code)
                return encode_error(RemoteFault("internal_error", correlation_id=context.correlation_id))
            except eventlet.Timeout:
                # Not an Exception: missed here it would end the worker without an answer and without an ack.
                return encode_error(DeadlineExceeded("deadline_exceeded", operation=self.codec.routing_key))
            except Exception as error:
                log_unexpected(_log, error, operation=self.codec.routing_key)
                return encode_error(RemoteFault("internal_error", correlation_id=context.correlation_id))

    def _answer(self, service: Any, wire: Wire, context: Context) -> Wire:
        if self.operation.firm and context.firm_id is None:
            raise Forbidden("firm_missing", operation=self.codec.routing_key)
        arguments = self.codec.load_request(wire)
        if context.idempotency_key is not None and context.firm_id is not None and self.codec.changes:
            return self._answer_once(service, wire, arguments, context.firm_id, context.idempotency_key)
        return self.codec.dump_response(self._method(service, **arguments))

    def _answer_once(self, service: Any, wire: Wire, arguments: Wire, firm_id: str, key: str) -> Wire:
        db = getattr(service, "db", None)
        request = idempotency.KeyedRequest(
            operation=self.operation.name,
            key=key,
            # What was answered to somebody who is shown more is no answer to who is limited.
            request_hash=idempotency.hash_request(wire if kinds_seen() is None else {**wire, _LIMIT: kinds_seen()}),
            dump=self.codec.dump_response,
        )
        mark = (firm_id, self.codec.routing_key, key)
        if mark in _answering:
            raise Conflict("idempotency_key_in_use", operation=self.codec.routing_key)
        _answering.add(mark)
        try:
            stored: Wire | None = None if db is None else db.stored_answer(request)
            if stored is not None:
                return stored
            with idempotency.answering(request):
                return self.codec.dump_response(self._method(service, **arguments))
        except idempotency.AlreadyAnswered as answered:
            return answered.answer
        finally:
            _answering.discard(mark)


def _check_signature(codec: Codec, method: Callable[..., Any]) -> None:
    """The method must take what the contract sends: found at import, not at the first call."""
    if method.__name__ != codec.name:
        raise TypeError(f"{codec.operation} is served by a method of that name, not {method.__name__}")
    parameters = list(inspect.signature(method).parameters.values())[1:]
    named = {parameter.name: parameter for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD}
    fields = codec.request_fields
    if len(named) == len(parameters) and (missing := fields.keys() - named.keys()):
        raise TypeError(f"{codec.operation}: the method takes no {', '.join(sorted(missing))}")
    if extra := [name for name, entry in named.items() if entry.default is entry.empty and name not in fields]:
        raise TypeError(f"{codec.operation}: the contract sends no {', '.join(extra)}")


class RequestConsumer(SharedExtension, ProviderCollector):
    """The service's request queue: one per container, shared by its operations."""

    no_ack = False
    line = BusLine()
    queue_consumer = CallConsumer()

    def __init__(self) -> None:
        super().__init__()
        self._by_name: dict[str, Serve] = {}
        self._leaving: set[Serve] = set()

    def setup(self) -> None:
        self.line.setup()
        service = self.container.service_name
        self.queue = Queue(
            f"rpc-{service}",
            exchange=Exchange(self.line.exchange, type="topic", durable=True),
            routing_key=f"{service}.*",
            durable=True,
            # A request is transient and has a deadline: it is worth no consensus where quorum is the default.
            queue_arguments={"x-queue-type": "classic"},
        )
        self.queue_consumer.register_provider(self)

    def register_provider(self, provider: Serve) -> None:
        self._by_name[provider.method_name] = provider
        super().register_provider(provider)

    def unregister_provider(self, provider: Serve) -> None:
        """Stops consuming with the last operation; what is running goes on."""
        self._leaving.add(provider)
        if not self._providers - self._leaving and self._providers:
            self.queue_consumer.unregister_provider(self)
        super().unregister_provider(provider)

    def receive(self, message: Message) -> None:
        """Start a worker for a request. Never blocks: replies come by the same connection."""
        name = message.delivery_info["routing_key"].rpartition(".")[2]
        provider = self._by_name.get(name)
        if provider is not None:
            if self.container._worker_pool.free() > 0:
                self._work(provider, message)
            else:
                self.container.spawn_managed_thread(partial(self._work, provider, message), identifier=name)
        elif name == CHECK_METHOD:
            self.container.spawn_managed_thread(partial(self._check, message), identifier=name)
        else:
            self._reply(message, encode_error(RemoteFault("unknown_operation", operation=name)))

    def _work(self, provider: Serve, message: Message) -> None:
        try:
            wire = decode_request(message.body)
        except Invalid as error:
            self._reply(message, encode_error(error))
            return
        context = Context.from_headers(message.headers)
        if message.delivery_info.get("redelivered") and not provider.served.may_repeat(context):
            # Who had it before, and died or lost the bus, may have carried it out: nobody can tell.
            interrupted = DeadlineExceeded("interrupted", operation=provider.served.codec.routing_key)
            self._reply(message, encode_error(interrupted))
            return
        try:
            self.container.spawn_worker(
                provider,
                (_Request(provider.served, wire, context),),
                {},
                context_data={DATA_KEY: context},
                handle_result=partial(self._handle_result, message),
            )
        except ContainerBeingKilled:
            self.queue_consumer.requeue_message(message)

    def _handle_result(self, message: Message, _worker_ctx: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        if exc_info is not None:
            # `Served.answer` raises nothing: this is a fault of the chassis itself.
            result = encode_error(RemoteFault("internal_error"))
        self._reply(message, result)
        return None, exc_info

    def _check(self, message: Message) -> None:
        self._reply(message, encode_result(check_container(self.container)))

    def _reply(self, message: Message, body: bytes) -> None:
        reply_to = message.properties.get("reply_to")
        if reply_to:
            try:
                self.line.reply(body, reply_to, message.properties.get("correlation_id"))
            except Unavailable:
                # The caller has a deadline, and a command that it repeats has an idempotency key.
                _log.warning("reply_not_sent", service=self.container.service_name)
        self.queue_consumer.ack_message(message)


class Serve(Entrypoint):
    """Nameko's entrypoint behind `serve`."""

    requests = RequestConsumer()

    def __init__(self, served: Served) -> None:
        super().__init__()
        self.served = served

    def setup(self) -> None:
        owner = self.served.operation.owner
        if owner != self.container.service_name:
            raise TypeError(f"{self.served.operation} is declared by {owner}, not {self.container.service_name}")
        self.requests.register_provider(self)

    def stop(self) -> None:
        self.requests.unregister_provider(self)


class _Request:
    """What the bus hands to a served method in place of keyword arguments."""

    __slots__ = ("context", "served", "wire")

    def __init__(self, served: Served, wire: Wire, context: Context) -> None:
        self.served = served
        self.wire = wire
        self.context = context


def serve(operation: Operation) -> Callable[[Method], Method]:
    """Serve an operation by the method of its name.

    The request is loaded (Invalid with `fields`), refused without a firm where the operation needs one (Forbidden), and
    answered once per idempotency key where the service has a database named `db` and the use case calls `uow.answer`.
    Errors of the contracts' tree cross the bus as their types; any other is logged, and crosses as RemoteFault with
    nothing but the correlation id.
    """

    def decorate(method: Method) -> Method:
        served = Served(operation, method)

        @wraps(method)
        def either(service: Any, *request: Any, **arguments: Any) -> Any:
            if len(request) == 1 and isinstance(request[0], _Request):
                return served.answer(service, request[0].wire, request[0].context)
            return method(service, *request, **arguments)

        either.served = served  # type: ignore[attr-defined]
        register_entrypoint(either, Serve(served))
        return either  # type: ignore[return-value]

    return decorate


def served_operations(service: type) -> dict[str, Operation]:
    """The operations that a service class serves, by name (for contract tests and documents)."""
    methods = inspect.getmembers(service, inspect.isfunction)
    return {name: method.served.operation for name, method in methods if hasattr(method, "served")}
