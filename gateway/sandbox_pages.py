"""/sandbox: the phones and inboxes of the sandbox provider, where a person reads, taps, replies and presses keys.

Served only where the provider is the sandbox. It has no log-in: it belongs on a machine of one's own. Nothing needs
script; a small one of our own keeps the page fresh.

    GET  /sandbox                     q, channel, cursor: the list; to: one phone or inbox
    POST /sandbox                     do, to, and what it takes: then 303 to the same phone or inbox
    GET  /sandbox/messages/{id}/page  an email as a mail program shows it, alone in a frame that may do nothing
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for

from chassis.columns import utc_now
from contracts import messaging
from contracts.errors import CasewireError, Forbidden, NotFound
from gateway import sandbox_view as view
from gateway.endpoints import call

blueprint = Blueprint("sandbox", __name__, url_prefix="/sandbox")

Record = dict[str, Any]

LISTED, IN_THREAD = 40, 100
_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FRAME_CSP = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


@blueprint.get("")
def show() -> Response:
    """The list, and one phone or inbox when `to` names it, or a form to write with."""
    to = (request.args.get("to") or "").strip().lower() or None
    return _page(to, writing="write" in request.args)


def _page(
    to: str | None, *, writing: bool = False, problem: str | None = None, typed: Any = None, status: int = 200
) -> Response:
    now = utc_now()
    channel = request.args.get("channel")
    channel = channel if channel in view.CHANNEL_NAMES else None
    q = (request.args.get("q") or "").strip()[:320] or None
    cursor = request.args.get("cursor") or None
    listed = call(messaging.LIST_SANDBOX_ADDRESSES, q=q, channel=channel, cursor=cursor, limit=LISTED)
    chosen = _chosen(to, now) if to and not writing else None
    offices = call(messaging.LIST_SANDBOX_OFFICES)["offices"]
    page = render_template(
        "sandbox/page.html", listed=listed, chosen=chosen, to=to, q=q, channel=channel, offices=offices, now=now,
        writing=writing, typed=typed or {}, view=view, flash=_flash(chosen, problem),
    )  # fmt: skip
    response = _protected(page, _CSP, frames="DENY")
    response.status_code = status
    return response


def _chosen(to: str, now: Any) -> Record:
    profile = call(messaging.DESCRIBE_SANDBOX_ADDRESS, address=to)
    cursor = request.args.get("before") or None
    messages = call(messaging.LIST_SANDBOX_MESSAGES, to=to, limit=IN_THREAD, cursor=cursor)
    return {
        **profile,
        "is_inbox": "@" in to,
        "days": view.days_of(messages["data"], now),
        "older": messages["meta"]["next_cursor"],
        "newest": messages["data"][0]["id"] if messages["data"] else None,
        "office": profile["latest"] and view.shown(profile["latest"]).office,
        "proof": view.proof_command(current_app.config["CASEWIRE"].public_url, to),
    }


def _flash(chosen: Record | None, problem: str | None) -> tuple[str, str] | None:
    channel = request.args.get("by") or (chosen["channel"] if chosen else "sms")
    channel = channel if channel in view.CHANNEL_NAMES else "sms"
    return view.told(
        request.args.get("did"), request.args.get("status"), channel, problem or request.args.get("problem")
    )


@blueprint.get("/messages/<message_id>/page")
def show_page(message_id: str) -> Response:
    """An email's page. It runs no script, loads nothing from anywhere and sends nothing; a link opens outside."""
    message = call(messaging.GET_SANDBOX_MESSAGE, sandbox_message_id=message_id)
    if not message.get("html"):
        raise NotFound("sandbox_message_not_found")
    response = _protected('<base target="_blank">' + message["html"], _FRAME_CSP, frames="SAMEORIGIN")
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blueprint.post("")
def do() -> Response:
    """Does what a form asks for and shows what came of it. Raises Forbidden for a form of another site."""
    _demand_own_form()
    form = request.form
    deed, to = form.get("do", ""), form.get("to", "").strip().lower()
    if deed not in _DEEDS:
        return _back(to or None, problem="invalid_input")
    try:
        where, answer = _DEEDS[deed](form, to)
    except CasewireError as error:
        if deed == "write":
            return _page(None, writing=True, problem=error.code, typed=form, status=error.status)
        return _back(to or None, problem=error.code)
    return _back(where, did=deed, status=(answer or {}).get("status"), by=form.get("channel") or None)


def _reply(form: Any, to: str) -> tuple[str, Record]:
    # A quick reply (STOP) sends its word after the empty box of the same name.
    said = next((text for text in reversed(form.getlist("body")) if text.strip()), "")
    return to, call(messaging.REPLY_TO_SANDBOX_MESSAGE, sandbox_message_id=form.get("message", ""), body=said)


def _write(form: Any, to: str) -> tuple[str, Record]:
    given = {name: form.get(name, "") for name in ("channel", "from", "to", "body")}
    answer = call(messaging.WRITE_FROM_SANDBOX, subject=form.get("subject") or None, **given)
    kept = call(messaging.GET_SANDBOX_MESSAGE, sandbox_message_id=answer["provider_id"])
    return kept["from"], answer


def _act(action: str) -> Callable[[Any, str], tuple[str, Record]]:
    def act(form: Any, to: str) -> tuple[str, Record]:
        asked = {"sandbox_message_id": form.get("message", ""), "action": action, "value": form.get("value")}
        return to, call(messaging.ACT_ON_SANDBOX_MESSAGE, **asked)

    return act


def _set_behaviour(form: Any, to: str) -> tuple[str, None]:
    seconds = form.get("seconds", type=float)
    given = {"address": to, "behaviour": form.get("behaviour", "")}
    call(messaging.SET_SANDBOX_ADDRESS, **given, **({} if seconds is None else {"seconds": seconds}))
    return to, None


_DEEDS: dict[str, Callable[[Any, str], tuple[str, Record | None]]] = {
    "reply": _reply,
    "write": _write,
    "behaviour": _set_behaviour,
    **{action: _act(action) for action in ("deliver", "bounce", "complain", "unsubscribe", "press")},
}


def _demand_own_form() -> None:
    """Without a log-in a form has no token either; but browsers say which site it is from."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    foreign = site not in (None, "same-origin", "none") or (origin and urlsplit(origin).netloc != request.host)
    if foreign:
        raise Forbidden("form_of_another_site")


def _back(to: str | None, **said: Any) -> Response:
    return make_response(redirect(url_for("sandbox.show", to=to, **said), 303))


def _protected(page: str, policy: str, *, frames: str) -> Response:
    response = make_response(page)
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Frame-Options"] = frames
    response.headers["Referrer-Policy"] = "same-origin"
    return response
