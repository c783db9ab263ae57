"""/sandbox: the phones and inboxes of the sandbox provider, where a person reads, taps and replies.

Served only where the provider is the sandbox. It has no log-in: it belongs on a machine of one's own.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from markupsafe import Markup, escape

from contracts import messaging
from contracts.errors import Invalid, invalid_field
from gateway.endpoints import call, query_of
from gateway.wire import json_response

blueprint = Blueprint("sandbox", __name__, url_prefix="/sandbox")

_LINK = re.compile(r"https?://[^\s<>\"]+")
_QUERY = query_of(messaging.ListSandbox, set())
_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def _linked(text: str) -> Markup:
    """The text, escaped, with its addresses as links."""
    parts, end = [], 0
    for found in _LINK.finditer(text):
        address = found.group().rstrip(".,;:!?)")
        parts.append(escape(text[end : found.start()]))
        parts.append(Markup('<a href="{0}" rel="noreferrer" target="_blank">{0}</a>').format(address))
        end = found.start() + len(address)
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def _page(**query: Any) -> dict[str, Any]:
    return call(messaging.LIST_SANDBOX_MESSAGES, **query)


def _phone_of(message: dict[str, Any]) -> str:
    """The client's side of a message."""
    return message["to"] if message["direction"] == "outbound" else message["from"]


@blueprint.get("")
def show() -> Response:
    """The phones, and one phone's messages when `to` names it."""
    to = request.args.get("to") or None
    recent = _page(limit=200)["data"]
    phones: dict[str, dict[str, Any]] = {}
    for message in recent:
        phone = phones.setdefault(_phone_of(message), {"latest": message, "count": 0})
        phone["count"] += 1
    thread = list(reversed(_page(limit=100, to=to)["data"])) if to else []
    body = render_template(
        "sandbox/phones.html", phones=phones, to=to, thread=thread, linked=_linked, replied=request.args.get("replied")
    )
    response = make_response(body)
    response.headers["Content-Security-Policy"] = _CSP
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/messages")
def list_messages() -> Response:
    """The same as JSON, newest first."""
    errors = _QUERY.validate(request.args)
    if errors:
        named = [{"field": name, "message": str(said[0])} for name, said in errors.items()]
        raise Invalid("invalid_input", fields=named)
    return json_response(_page(**_QUERY.load(request.args)))


@blueprint.post("/messages/<message_id>/reply")
def reply(message_id: str) -> Response:
    """Answer as the phone: the reply goes through the same signed webhook as a real one."""
    as_form = request.mimetype == "application/x-www-form-urlencoded"
    # A quick button (STOP) sends its word after the empty box of the same name.
    said = request.form.getlist("body")[-1:] if as_form else []
    body: Any = said[0] if said else (request.get_json(silent=True) or {}).get("body")
    if not isinstance(body, str) or not body.strip():
        raise invalid_field("body", "Say something.")
    answer = call(messaging.REPLY_TO_SANDBOX_MESSAGE, sandbox_message_id=message_id, body=body)
    if as_form:
        back = redirect(url_for("sandbox.show", to=request.form.get("to"), replied=answer["status"]), 303)
        return make_response(back)
    return json_response(answer)
