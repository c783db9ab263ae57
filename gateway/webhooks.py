"""What providers tell us: signatures are checked here, against the public address; the meaning is messaging's."""

from __future__ import annotations

import re
import time
from typing import Any

import eventlet
from eventlet.semaphore import Semaphore
from flask import Blueprint, Response, current_app, request
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Gather, VoiceResponse

from chassis.telemetry import log_of
from contracts import messaging
from contracts.base import Operation
from contracts.errors import DeadlineExceeded, Forbidden, Invalid, NotFound, Unavailable
from gateway.endpoints import call

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")
log = log_of(__name__)

_INSISTS_FOR = 8.0
"""Seconds. Twilio waits for 15, and the last call may take five."""
_PAUSE = 0.5
_insisting = Semaphore(4)
"""Few at a time: others need the gateway's workers too."""
_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def _twiml() -> Response:
    return Response(_EMPTY_TWIML, content_type="text/xml")


def _verified_form() -> dict[str, str]:
    """The form of a request that Twilio signed. Raises Forbidden.

    The signature covers the public URL, which a proxy in front of us may have rewritten, and every form value.
    """
    settings = current_app.config["CASEWIRE"]
    signature = request.headers.get("X-Twilio-Signature", "")
    if settings.twilio_auth_token is None or not signature:
        raise Forbidden("signature_missing")
    if not RequestValidator(settings.twilio_auth_token).validate(_public_address(), request.form, signature):
        raise Forbidden("signature_invalid")
    return request.form.to_dict()


def _public_address() -> str:
    """This request's address as the provider was told it."""
    query = request.query_string.decode("latin-1")
    return str(current_app.config["CASEWIRE"].public_url) + request.path + (f"?{query}" if query else "")


@blueprint.post("/twilio/sms")
def twilio_sms() -> Response:
    """An inbound message. Answered with empty TwiML once it is committed: what there is to say goes its own way."""
    form = _verified_form()
    media = [
        {"url": form[f"MediaUrl{index}"], "content_type": form.get(f"MediaContentType{index}", "")[:120]}
        for index in range(min(request.form.get("NumMedia", 0, type=int), 20))
        if form.get(f"MediaUrl{index}")
    ]
    for name in ("MessageSid", "From", "To"):
        if not form.get(name):
            raise Invalid("parameter_missing", fields=[{"field": name, "message": "Missing."}])
    try:
        _insist(
            messaging.RECEIVE_INBOUND_MESSAGE,
            provider="twilio",
            provider_id=form["MessageSid"],
            channel="sms",
            to=form["To"],
            # A carrier may put one for a sign that it does not know: no database keeps it, and no STOP must fail by it.
            body=form.get("Body", "").replace("\x00", ""),
            messaging_service_sid=form.get("MessagingServiceSid"),
            opt_out_type=form.get("OptOutType"),
            media=media,
            **{"from": form["From"]},
        )
    except NotFound:
        # No sender of ours has this number: nothing to record, and nothing that a repeat would change.
        log.warning("inbound_for_unknown_sender")
    return _twiml()


def _insist(operation: Operation, **arguments: Any) -> Any:
    """Calls until it is taken, for as long as Twilio waits, and returns the answer: it asks no second time, and a STOP
    or a key against calls would be lost because a service was just restarting. Raises what the last call raised."""
    until = time.monotonic() + _INSISTS_FOR
    try:
        return call(operation, **arguments)
    except (Unavailable, DeadlineExceeded):
        if not _insisting.acquire(blocking=False):
            raise
    try:
        while True:
            eventlet.sleep(_PAUSE)
            try:
                return call(operation, **arguments)
            except (Unavailable, DeadlineExceeded):
                if time.monotonic() >= until:
                    raise
    finally:
        _insisting.release()


@blueprint.post("/twilio/status")
def twilio_status() -> Response:
    """A status callback. `token` in its address is the delivery's own."""
    form = _verified_form()
    provider_id, status = form.get("MessageSid"), form.get("MessageStatus") or form.get("SmsStatus")
    if not provider_id or not status:
        raise Invalid("parameter_missing", fields=[{"field": "MessageStatus", "message": "Missing."}])
    call(
        messaging.RECORD_DELIVERY_STATUS,
        provider="twilio",
        provider_id=provider_id,
        status=status,
        error_code=form.get("ErrorCode") or None,
        token=request.args.get("token"),
    )
    return Response(status=204)


_CALL_ENDED = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
_KEY_SECONDS = 8
_TOKEN = re.compile(r"[!-~]{1,120}")


@blueprint.post("/twilio/voice")
def twilio_voice() -> Response:
    """What happens in calls. With the delivery's `token` in its address: a key that was pressed in a call of ours, or
    what became of the call; without one: somebody calls us. A key and a call are answered with what is said next."""
    form = _verified_form()
    if not form.get("CallSid"):
        raise Invalid("parameter_missing", fields=[{"field": "CallSid", "message": "Missing."}])
    if request.args.get("token") is None:
        return _answer_call(form)
    if form.get("Digits"):
        return _answer_key(form, request.args["token"])
    if not form.get("CallStatus"):
        raise Invalid("parameter_missing", fields=[{"field": "CallStatus", "message": "Missing."}])
    call(
        messaging.RECORD_DELIVERY_STATUS,
        provider="twilio",
        provider_id=form["CallSid"],
        status=form["CallStatus"],
        token=request.args["token"],
    )
    return Response(status=204)


def _answer_key(form: dict[str, str], token: str) -> Response:
    try:
        spoken = _insist(
            messaging.RECORD_KEY_PRESS,
            provider="twilio",
            provider_id=form["CallSid"],
            digits=form["Digits"],
            token=token,
            event_id=_repeated_with(),
        )
    except NotFound:
        log.warning("key_press_in_unknown_call")
        spoken = None
    return _speak(spoken)


def _repeated_with() -> str | None:
    """What Twilio sends again with a request that it repeats, None without. The signature does not cover it: one that
    it cannot be is left out, for the key counts all the same."""
    token = request.headers.get("I-Twilio-Idempotency-Token", "")
    return token if _TOKEN.fullmatch(token) else None


def _answer_call(form: dict[str, str]) -> Response:
    if form.get("CallStatus") in _CALL_ENDED:
        return Response(status=204)
    for name in ("From", "To"):
        if not form.get(name):
            raise Invalid("parameter_missing", fields=[{"field": name, "message": "Missing."}])
    try:
        spoken = _insist(
            messaging.RECEIVE_INBOUND_CALL,
            provider="twilio",
            provider_id=form["CallSid"],
            to=form["To"],
            digits=form.get("Digits") or None,
            **{"from": form["From"]},
        )
    except NotFound:
        log.warning("call_for_unknown_sender")
        spoken = None
    return _speak(spoken)


def _speak(spoken: dict[str, Any] | None) -> Response:
    """What is said next, as TwiML: with a key to wait for, or the end of the call after it. A key comes back to the
    address of this very request."""
    response = VoiceResponse()
    if spoken is not None and spoken["awaits_key"]:
        gather = Gather(num_digits=1, timeout=_KEY_SECONDS, action=_public_address(), method="POST")
        gather.say(spoken["text"], language=spoken["language"])
        response.append(gather)
    elif spoken is not None:
        response.say(spoken["text"], language=spoken["language"])
    response.hangup()
    return Response(str(response), content_type="text/xml")
