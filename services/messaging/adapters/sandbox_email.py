"""What the sandbox tells us of email, in the words of Amazon SES: what became of a message, and what people write."""

from __future__ import annotations

import base64
import datetime as dt
from email.message import EmailMessage
from typing import Any

import orjson

from chassis.columns import utc_now
from services.messaging.adapters.email_headers import header_text
from services.messaging.models import SandboxMessage

Record = dict[str, Any]

EMAIL_PATH = "/webhooks/ses"
_EVENT_TYPES = {"sent": "Send", "delivered": "Delivery", "bounced": "Bounce", "complained": "Complaint"}


def email_event(message: SandboxMessage, kind: str, *, hard: bool = True) -> Record:
    """The SNS notification that an email was sent, delivered, bounced (for good, if `hard`) or complained about. The
    same again is known by its id, and has no further effect."""
    name = _EVENT_TYPES[kind]
    told = {
        "eventType": name,
        "mail": {"messageId": message.id, "tags": {"casewire-delivery": [message.delivery_token or ""]}},
        name.lower(): _details(message.recipient, kind, hard=hard),
    }
    return _notification(f"{message.id}-{kind}", told)


def received_email(*, provider_id: str, sender: str, recipient: str, subject: str | None, body: str) -> Record:
    """The SNS notification of an email that somebody wrote to an address of ours."""
    email = EmailMessage()
    email["From"], email["To"], email["Subject"] = sender, recipient, header_text(subject or "")
    email.set_content(body)
    told = {
        "notificationType": "Received",
        "mail": {"messageId": provider_id, "source": sender},
        "receipt": {"recipients": [recipient], "action": {"type": "SNS", "encoding": "BASE64"}},
        "content": base64.b64encode(email.as_bytes()).decode(),
    }
    return _notification(provider_id, told)


def _notification(event_id: str, told: Record) -> Record:
    return {
        "Type": "Notification",
        "MessageId": event_id,
        "TopicArn": "arn:aws:sns:sandbox:000000000000:casewire",
        "Timestamp": _instant(utc_now()),
        "Message": orjson.dumps(told).decode(),
    }


def _details(address: str, kind: str, *, hard: bool) -> Record:
    now = _instant(utc_now())
    if kind == "bounced":
        recipients = [{"emailAddress": address, "status": "5.1.1" if hard else "4.2.2"}]
        return {"bounceType": "Permanent" if hard else "Transient", "bouncedRecipients": recipients, "timestamp": now}
    if kind == "complained":
        recipients = [{"emailAddress": address}]
        return {"complainedRecipients": recipients, "complaintFeedbackType": "abuse", "timestamp": now}
    return {"recipients": [address], "timestamp": now}


def _instant(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
