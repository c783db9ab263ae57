"""What an RPC looks like on the bus: the protocol of Nameko, with typed errors added.

Request: {"args": [], "kwargs": {...}} to the topic exchange with the key `<service>.<operation>`.
Reply: {"result": {...}, "error": null} or {"result": null, "error": {Nameko's fields, "casewire": error.to_wire()}}.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import orjson
from marshmallow import ValidationError

from chassis.wire import lenient, strict
from contracts.base import Empty, Operation
from contracts.errors import CasewireError, Invalid, from_wire

Wire = dict[str, Any]

# Names are `verb_noun`: these verbs change nothing, so nothing has to be remembered under an idempotency key.
_READS = frozenset({"get", "list", "search", "find", "check", "count", "select", "estimate", "preview", "resolve"})


class RemoteFault(CasewireError):
    """The other service failed in a way that its contract does not declare. It says no more than the correlation id."""

    status: ClassVar[int] = 502
    title: ClassVar[str] = "Bad gateway"


class Codec:
    """An operation with its schemas made ready once."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.name = operation.name
        self.routing_key = str(operation)
        self.changes = operation.name.partition("_")[0] not in _READS

    @cached_property
    def _request(self) -> Any:
        return strict(self.operation.request)

    @cached_property
    def _response(self) -> Any:
        return strict(self.operation.response)

    @cached_property
    def _reading(self) -> Any:
        return lenient(self.operation.response)

    @cached_property
    def request_fields(self) -> dict[str, Any]:
        """The request's fields by the name that the method receives."""
        return {field.attribute or name: field for name, field in self._request.fields.items()}

    def dump_request(self, arguments: dict[str, Any]) -> Wire:
        """Python values to wire values. Raises TypeError for an argument that the contract does not have."""
        if unknown := arguments.keys() - self.request_fields.keys():
            raise TypeError(f"{self.operation} takes no {', '.join(sorted(unknown))}")
        wire: Wire = self._request.dump(arguments)
        return wire

    def load_request(self, wire: Wire) -> dict[str, Any]:
        """Wire values to Python values. Raises Invalid that names the fields."""
        try:
            loaded: dict[str, Any] = self._request.load(wire)
        except ValidationError as error:
            raise Invalid("invalid_input", fields=_named(error.messages_dict)) from None
        return loaded

    def dump_response(self, value: Any) -> Wire:
        """What the method returned as wire values; None is an empty answer."""
        if value is None and self.operation.response is Empty:
            return {}
        wire: Wire = self._response.dump(value)
        return wire

    def load_response(self, wire: Wire) -> Any:
        """The answer as Python values; fields that this caller does not know yet are left out."""
        return self._reading.load(wire)


def _named(messages: Any, path: str = "") -> list[dict[str, str]]:
    """Marshmallow's nested messages as [{"field": "phones.0.number", "message": "..."}]."""
    if isinstance(messages, dict):
        return [
            entry
            for key, inner in messages.items()
            for entry in _named(inner, path if key == "_schema" else f"{path}.{key}" if path else str(key))
        ]
    found = messages if isinstance(messages, list) else [messages]
    return [{"field": path, "message": str(message)} for message in found]


def encode_request(wire: Wire) -> bytes:
    """The body of a request."""
    return orjson.dumps({"args": (), "kwargs": wire})


def decode_request(body: bytes | str) -> Wire:
    """The arguments in a request's body. Raises Invalid."""
    try:
        request = orjson.loads(body)
        arguments = request["kwargs"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Invalid("malformed_request") from None
    if request.get("args") or not isinstance(arguments, dict):
        raise Invalid("malformed_request")
    return arguments


def encode_result(result: Wire) -> bytes:
    """The body of a reply with an answer."""
    return orjson.dumps({"result": result, "error": None})


def encode_error(error: CasewireError) -> bytes:
    """The body of a reply with an error: Nameko's own clients raise it as a RemoteError, ours as its type."""
    described = {
        "exc_type": type(error).__name__,
        "exc_path": f"{type(error).__module__}.{type(error).__name__}",
        "exc_args": [error.code],
        "value": str(error),
        "casewire": error.to_wire(),
    }
    return orjson.dumps({"result": None, "error": described})


def decode_reply(body: bytes | str) -> Wire:
    """The wire answer in a reply's body; raises the error it holds, or RemoteFault if that is of no known type."""
    try:
        reply = orjson.loads(body)
        error = reply["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise RemoteFault("malformed_reply") from None
    if not error:
        result: Wire = reply["result"]
        return result
    wire = error.get("casewire") or {}
    raise from_wire(wire) or _fault(wire)


def _fault(wire: Wire) -> RemoteFault:
    meta = wire.get("meta") or {}
    return RemoteFault(str(wire.get("code") or "remote_error"), **{str(key): value for key, value in meta.items()})
