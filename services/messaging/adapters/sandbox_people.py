"""What the people of the sandbox do: reply, write first, press a key, unsubscribe, complain. All of it reaches us
through our own webhooks, signed as the real ones are."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import phonenumbers
import urllib3
from sqlalchemy import update

from chassis.columns import new_id
from chassis.database import Database
from contracts.errors import Conflict, NotFound, Unavailable, invalid_field
from services.messaging.adapters.sandbox_callbacks import Answer, Webhooks, status_of
from services.messaging.adapters.sandbox_email import email_event, received_email
from services.messaging.models import SandboxMessage
from services.messaging.spoken import KEYS

Record = dict[str, Any]

_AT_ONCE = 4
"""What is done waits for the gateway, which calls this service again: it must not hold all of its workers."""
_DEFAULT_REGION = "US"
_OUTCOMES = {"deliver": "delivered", "bounce": "bounced"}


class SandboxPeople:
    """The people behind the sandbox's phones and inboxes. Each thing that they do is answered with the status that our
    webhook gave: {"status", "provider_id"}. Raises Unavailable if the gateway cannot be reached or too much is under
    way."""

    def __init__(self, db: Database, webhooks: Webhooks) -> None:
        self._db = db.across_firms("the sandbox stands in for a provider of all firms")
        self._webhooks = webhooks
        self._doing = threading.BoundedSemaphore(_AT_ONCE)

    def reply(self, *, sandbox_message_id: str, body: str) -> Record:
        """Answers a message as the one who got it. Raises NotFound."""
        message = self._message(sandbox_message_id)
        office = message.sender if message.direction == "outbound" else message.recipient
        subject = f"Re: {message.subject or ''}".strip() if message.channel == "email" else None
        # A call is answered by a text: one cannot write into it.
        channel = "email" if message.channel == "email" else "sms"
        return self._write(channel, message.address, office, subject, body)

    def write(self, *, channel: str, from_: str, to: str, body: str, subject: str | None = None) -> Record:
        """Writes first, as anybody: to any number or address. Raises Invalid for what is no address."""
        sender, recipient = address_of(channel, from_, "from"), address_of(channel, to, "to")
        return self._write(channel, sender, recipient, subject, body)

    def act(self, *, sandbox_message_id: str, action: str, value: str | None = None) -> Record:
        """What becomes of a message by hand. Raises NotFound, Invalid for what is no key, Conflict where a message of
        its kind cannot be dealt with so."""
        message = self._message(sandbox_message_id)
        if message.direction != "outbound" or message.delivery_token is None:
            raise Conflict("not_a_message_of_ours")
        if action in _OUTCOMES:
            return self._announce(message, _OUTCOMES[action])
        if action == "press":
            return self._press(message, value or "")
        if message.channel != "email":
            raise Conflict("not_an_email")
        if action == "unsubscribe":
            return self._unsubscribe(message)
        with self._through_gateway():
            answer = self._webhooks.post_email_notification(email_event(message, "complained"))
        return _done(answer, message.id)

    def _message(self, sandbox_message_id: str) -> SandboxMessage:
        with self._db.read() as session:
            message = session.get(SandboxMessage, sandbox_message_id)
        if message is None:
            raise NotFound("sandbox_message_not_found")
        return message

    def _write(self, channel: str, sender: str, recipient: str, subject: str | None, body: str) -> Record:
        provider_id = self._keep("SM", channel, sender, recipient, body, subject=subject)
        said: Record = {"provider_id": provider_id, "sender": sender, "recipient": recipient, "body": body}
        with self._through_gateway():
            if channel == "email":
                answer = self._webhooks.post_email_notification(received_email(subject=subject, **said))
            else:
                answer = self._webhooks.post_text(**said)
        return _done(answer, provider_id)

    def _announce(self, message: SandboxMessage, outcome: str) -> Record:
        with self._through_gateway():
            answer = self._webhooks.post_outcome(message, outcome)
        if answer.taken:
            said = {"status": status_of(message.channel, outcome), "outcome": outcome, "announce_at": None}
            with self._db.unit_of_work() as uow:
                uow.session.execute(
                    update(SandboxMessage)
                    .where(SandboxMessage.id == message.id)
                    .values(**said)
                    .execution_options(synchronize_session=False)
                )
        return _done(answer, message.id)

    def _press(self, message: SandboxMessage, key: str) -> Record:
        if message.channel != "phone":
            raise Conflict("not_a_call")
        if key not in KEYS:
            raise invalid_field("value", "One key: 0 to 9, * or #.")
        self._keep("KP", "phone", message.address, message.sender, key)
        with self._through_gateway():
            answer = self._webhooks.post_key(message, key)
        spoken = _spoken(answer.text) if answer.taken else ""
        if spoken:
            self._keep("SP", "phone", message.sender, message.address, spoken, outbound=True)
        return _done(answer, message.id)

    def _unsubscribe(self, message: SandboxMessage) -> Record:
        address = str((message.headers or {}).get("List-Unsubscribe") or "").strip("<>")
        with self._through_gateway():
            answer = self._webhooks.unsubscribe(address)
        if answer is None:
            raise Conflict("no_unsubscribe_address")
        return _done(answer, message.id)

    def _keep(
        self,
        prefix: str,
        channel: str,
        sender: str,
        recipient: str,
        body: str,
        *,
        subject: str | None = None,
        outbound: bool = False,
    ) -> str:
        row = {
            "id": f"{prefix}{new_id().replace('-', '')}",
            "direction": "outbound" if outbound else "inbound",
            "channel": channel,
            "sender": sender,
            "recipient": recipient,
            "address": recipient if outbound else sender,
            "subject": subject,
            "body": body,
            "status": "spoken" if outbound else "received",
        }
        with self._db.unit_of_work() as uow:
            uow.insert(SandboxMessage, [row])
        return row["id"] or ""

    @contextmanager
    def _through_gateway(self) -> Iterator[None]:
        if not self._webhooks.can_sign:
            raise Unavailable("sandbox_secret_missing")
        if not self._doing.acquire(blocking=False):
            raise Unavailable("sandbox_busy")
        try:
            yield
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable("gateway_unreachable") from error
        finally:
            self._doing.release()


def address_of(channel: str, text: str, field: str) -> str:
    """What a person types as a number or email address, as the sandbox keeps it. Raises Invalid that names `field`."""
    typed = text.strip()
    if channel == "email":
        if "@" not in typed.strip("@"):
            raise invalid_field(field, "Not an email address.", code="invalid_address")
        return typed.lower()
    try:
        number = phonenumbers.parse(typed, _DEFAULT_REGION)
    except phonenumbers.NumberParseException as error:
        raise invalid_field(field, "Not a telephone number.", code="invalid_address") from error
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _spoken(twiml: str) -> str:
    """What our own TwiML says."""
    return " ".join(say.text or "" for say in ET.fromstring(twiml).iter("Say"))  # noqa: S314 # nosec B314 - our own gateway wrote it


def _done(answer: Answer, provider_id: str) -> Record:
    return {"status": answer.status, "provider_id": provider_id}
