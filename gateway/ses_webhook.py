"""/webhooks/ses: what Amazon SES tells us by way of SNS. Signatures are checked here; the meaning is messaging's.

The sandbox speaks the same language, and signs with its own secret: that counts only where its pages are served.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request

from chassis.columns import utc_now
from chassis.telemetry import log_of
from contracts import messaging
from contracts.errors import Forbidden, Invalid
from gateway import inbound_email
from gateway.endpoints import call
from gateway.sns import Sns

blueprint = Blueprint("ses_webhook", __name__, url_prefix="/webhooks")
log = log_of(__name__)

Record = dict[str, Any]

SANDBOX_SIGNATURE = "X-Casewire-Sandbox-Signature"
TOKEN_TAG, TOKEN_HEADER = "casewire-delivery", "x-casewire-delivery"
_KINDS = {
    "Send": "sent",
    "Delivery": "delivered",
    "Bounce": "bounced",
    "Complaint": "complained",
    "Reject": "rejected",
    "Rendering Failure": "rejected",
    "DeliveryDelay": "delayed",
}
_RECIPIENTS = {"Bounce": "bouncedRecipients", "Complaint": "complainedRecipients", "DeliveryDelay": "delayedRecipients"}
_MOST_RECIPIENTS = 100
_SNS = "casewire.sns"


@blueprint.post("/ses")
def ses() -> Response:
    """One SNS message. What it says that we do not know is taken and ignored, so that it does not come again."""
    envelope = _verified_envelope()
    kind = envelope.get("Type")
    if kind == "SubscriptionConfirmation":
        _sns().confirm(envelope)
        log.info("sns_subscription_confirmed")
    elif kind == "Notification":
        _take(envelope)
    return Response(status=200)


def _verified_envelope() -> dict[str, str]:
    """Raises Invalid for what is no SNS message, Forbidden for one that is not from whom it says."""
    body = request.get_data()
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        envelope = None
    if not isinstance(envelope, dict) or not all(isinstance(value, str) for value in envelope.values()):
        raise Invalid("not_an_sns_message")
    if SANDBOX_SIGNATURE in request.headers:
        _check_sandbox(body, request.headers[SANDBOX_SIGNATURE])
    else:
        _sns().verify(envelope, utc_now())
    return envelope


def _check_sandbox(body: bytes, signature: str) -> None:
    settings = current_app.config["CASEWIRE"]
    if not settings.sandbox_pages or settings.twilio_auth_token is None:
        raise Forbidden("signature_invalid")
    expected = hmac.new(settings.twilio_auth_token.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Forbidden("signature_invalid")


def _sns() -> Sns:
    """Kept with the app: it remembers certificates."""
    if _SNS not in current_app.extensions:
        settings = current_app.config["CASEWIRE"]
        current_app.extensions[_SNS] = Sns(settings.sns_topics, settings.sns_cert_hosts)
    found: Sns = current_app.extensions[_SNS]
    return found


def _take(envelope: dict[str, str]) -> None:
    provider = "sandbox" if SANDBOX_SIGNATURE in request.headers else "ses"
    try:
        told = orjson.loads(envelope.get("Message", ""))
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("mail"), dict):
        return  # "Successfully validated SNS topic", for one
    name = told.get("eventType") or told.get("notificationType")
    if name == "Received":
        inbound_email.receive(provider, told)
    elif name in _KINDS:
        event = _event(str(name), told)
        if event is not None:
            call(messaging.RECORD_EMAIL_EVENT, provider=provider, event_id=envelope["MessageId"], **event)


def _event(name: str, told: Record) -> Record | None:
    mail, details = told["mail"], told.get(name[:1].lower() + name[1:])
    details = details if isinstance(details, dict) else {}
    if details.get("complaintFeedbackType") == "not-spam":
        return None
    listed = details.get(_RECIPIENTS.get(name, "recipients"))
    return {
        "kind": _KINDS[name],
        "provider_id": str(mail.get("messageId") or "")[:120],
        "token": _token(mail),
        "recipients": [
            _recipient(entry, details) for entry in (listed if isinstance(listed, list) else [])[:_MOST_RECIPIENTS]
        ],
        "at": details.get("timestamp") or mail.get("timestamp"),
    }


def _recipient(entry: Any, details: Record) -> Record:
    """A recipient as an object or, of what was delivered, as a plain address."""
    told = entry if isinstance(entry, dict) else {"emailAddress": entry}
    code = told.get("status") or details.get("complaintFeedbackType") or details.get("bounceSubType")
    return {
        "address": str(told.get("emailAddress") or "")[:320],
        "hard": details.get("bounceType") == "Permanent",
        "code": str(code)[:60] if code else None,
    }


def _token(mail: Record) -> str | None:
    """Our delivery's token: from the tags of an event, or from the headers of a notification, which has no tags."""
    tags = mail.get("tags")
    if isinstance(tags, dict) and isinstance(tags.get(TOKEN_TAG), list) and tags[TOKEN_TAG]:
        return str(tags[TOKEN_TAG][0])[:120]
    for header in mail.get("headers") or []:
        if isinstance(header, dict) and str(header.get("name")).lower() == TOKEN_HEADER:
            return str(header.get("value"))[:120]
    return None
