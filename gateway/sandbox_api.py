"""/sandbox as JSON, for scripts: what the sandbox's phones and inboxes hold, and what their people do.

Like the page it is served only where the provider is the sandbox, and has no log-in: it belongs on a machine of one's
own. What somebody does is answered as the real webhook is: `{"status", "provider_id"}`.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema

from contracts import messaging
from contracts.errors import Invalid
from gateway.endpoints import call, query_of
from gateway.wire import json_response

blueprint = Blueprint("sandbox_api", __name__, url_prefix="/sandbox")

_MESSAGES, _ADDRESSES = query_of(messaging.ListSandbox, set()), query_of(messaging.ListSandboxAddresses, set())


@blueprint.get("/messages")
def list_messages() -> Response:
    """Newest first."""
    return json_response(call(messaging.LIST_SANDBOX_MESSAGES, **_asked(_MESSAGES)))


@blueprint.get("/messages/<message_id>")
def get_message(message_id: str) -> Response:
    """One message."""
    return json_response(call(messaging.GET_SANDBOX_MESSAGE, sandbox_message_id=message_id))


@blueprint.post("/messages")
def write() -> Response:
    """Somebody writes first: {"channel", "from", "to", "subject", "body"}."""
    return json_response(call(messaging.WRITE_FROM_SANDBOX, **_body()))


@blueprint.post("/messages/<message_id>/reply")
def reply(message_id: str) -> Response:
    """Somebody answers a message: {"body"}."""
    return json_response(call(messaging.REPLY_TO_SANDBOX_MESSAGE, **{**_body(), "sandbox_message_id": message_id}))


@blueprint.post("/messages/<message_id>/act")
def act(message_id: str) -> Response:
    """What becomes of a message by hand: {"action", "value"}."""
    return json_response(call(messaging.ACT_ON_SANDBOX_MESSAGE, **{**_body(), "sandbox_message_id": message_id}))


@blueprint.get("/addresses")
def list_addresses() -> Response:
    """Each phone and inbox with its latest message, the latest first."""
    return json_response(call(messaging.LIST_SANDBOX_ADDRESSES, **_asked(_ADDRESSES)))


@blueprint.get("/addresses/<path:address>")
def describe_address(address: str) -> Response:
    """One phone or inbox, and what firms' ledgers say of it."""
    return json_response(call(messaging.DESCRIBE_SANDBOX_ADDRESS, address=address))


@blueprint.put("/addresses/<path:address>")
def set_address(address: str) -> Response:
    """How it takes what is sent to it from now on: {"behaviour", "seconds"}."""
    return json_response(call(messaging.SET_SANDBOX_ADDRESS, **{**_body(), "address": address}))


@blueprint.get("/offices")
def list_offices() -> Response:
    """The firms' own numbers and addresses, which people may write to."""
    return json_response(call(messaging.LIST_SANDBOX_OFFICES))


def _asked(query: Schema) -> dict[str, Any]:
    errors = query.validate(request.args)
    if errors:
        named = [{"field": name, "message": str(said[0])} for name, said in errors.items()]
        raise Invalid("invalid_input", fields=named)
    return dict(query.load(request.args))


def _body() -> dict[str, Any]:
    """The JSON object of a request; what it may hold is for the contract to say. No browser sends one from another
    site without asking first, which nobody grants."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Invalid("invalid_input", fields=[{"field": "", "message": "A JSON object."}])
    return body
