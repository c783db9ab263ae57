"""The sandbox's requests to our own gateway: status callbacks, and what people do, signed as Twilio signs them; of
email as Amazon SES tells it, signed with the sandbox's own secret."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import Any
from urllib.parse import quote, urlencode

import eventlet
import orjson
import urllib3
from sqlalchemy import select
from twilio.request_validator import RequestValidator

from chassis.columns import utc_now
from chassis.database import Database
from chassis.telemetry import log_of
from services.messaging.adapters.sandbox_email import EMAIL_PATH, email_event
from services.messaging.models import SandboxMessage
from services.messaging.setwise import update_rows

Record = dict[str, Any]
log = log_of(__name__)

BOUNCING_NUMBER, BOUNCING_MAILBOX = "+15005550005", "bounce@sandbox.invalid"
"""Accepted, and reported as undelivered."""
STATUS_PATH, SMS_PATH = "/webhooks/twilio/status", "/webhooks/twilio/sms"
SIGNATURE = "X-Casewire-Sandbox-Signature"
"""HMAC-SHA256 of the body as hex, in place of the certificate that SNS signs with."""
ANNOUNCED_AT_ONCE = 40
"""Callbacks of one round: few enough that a process that is to end has not long to wait."""
PUT_ASIDE = dt.timedelta(seconds=60)
"""Longer than a round takes; after it, what a replica that died had put aside is the others'."""
ANNOUNCERS = 4
"""Callbacks under way at one time."""
_ANNOUNCEMENTS = 8
"""Times that a status callback is tried."""
_SECONDS = 10.0


class Webhooks:
    """Our gateway's webhooks as a provider calls them. `public_url` is what is signed, `webhook_url` where they are
    reached."""

    def __init__(self, *, public_url: str, webhook_url: str, auth_token: str | None) -> None:
        self._public_url, self._webhook_url = public_url, webhook_url
        self._auth_token = auth_token or ""
        self._validator = RequestValidator(auth_token) if auth_token else None
        self._http = urllib3.PoolManager(maxsize=8, retries=False, timeout=urllib3.Timeout(total=_SECONDS))

    @property
    def can_sign(self) -> bool:
        """Whether there is a secret to sign with."""
        return self._validator is not None

    def post(self, path: str, form: dict[str, str]) -> int:
        """Posts a signed form; returns the status of the answer. Raises urllib3's errors and OSError."""
        assert self._validator is not None
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": self._validator.compute_signature(self._public_url + path, form),
        }
        answer = self._http.request("POST", self._webhook_url + path, body=urlencode(form), headers=headers)
        return int(answer.status)

    def post_email_notification(self, notification: Record) -> int:
        """Posts what `sandbox_email` says; returns and raises as `post` does."""
        body = orjson.dumps(notification)
        signature = hmac.new(self._auth_token.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "text/plain; charset=UTF-8", SIGNATURE: signature}
        answer = self._http.request("POST", self._webhook_url + EMAIL_PATH, body=body, headers=headers)
        return int(answer.status)


class Announcer:
    """Posts the status callbacks of what the sandbox accepted."""

    def __init__(self, db: Database, webhooks: Webhooks) -> None:
        self._db = db.across_firms("the sandbox stands in for a provider of all firms")
        self._webhooks = webhooks

    def announce(self) -> bool:
        """Posts the status callbacks that are due; what cannot be posted is tried again later, also after a restart.
        Returns whether there may be more at once."""
        if not self._webhooks.can_sign or not self._any_due():
            return False
        due = self._take_due()
        rows = list(eventlet.GreenPool(ANNOUNCERS).imap(self._announce, due))
        with self._db.unit_of_work() as uow:
            update_rows(uow.session, SandboxMessage, rows)
        return len(due) == ANNOUNCED_AT_ONCE

    def _any_due(self) -> bool:
        with self._db.read() as session:
            return session.scalar(select(SandboxMessage.id).where(*_due(utc_now())).limit(1)) is not None

    def _take_due(self) -> list[SandboxMessage]:
        """Puts callbacks aside for a while, so that two replicas do not post the same ones."""
        now = utc_now()
        with self._db.unit_of_work() as uow:
            statement = (
                select(SandboxMessage)
                .where(*_due(now))
                .order_by(SandboxMessage.announce_at)
                .limit(ANNOUNCED_AT_ONCE)
                .with_for_update(skip_locked=True)
            )
            due = list(uow.session.scalars(statement))
            for message in due:
                message.announce_at = now + PUT_ASIDE
        return due

    def _announce(self, message: SandboxMessage) -> Record:
        bounces = message.recipient in (BOUNCING_NUMBER, BOUNCING_MAILBOX)
        status = "undelivered" if bounces else "delivered"
        tried = message.announcements + 1
        try:
            posted = 200 <= self._post_outcome(message, status) < 300
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # The gateway may be restarting; it is tried again, also by the next process.
            log.info("callback_postponed", error=type(error).__name__)
            posted = False
        again = None if posted or tried >= _ANNOUNCEMENTS else utc_now() + dt.timedelta(seconds=2.0**tried)
        return {
            "id": message.id,
            "status": status if posted else message.status,
            "announce_at": again,
            "announcements": tried,
        }

    def _post_outcome(self, message: SandboxMessage, status: str) -> int:
        if message.channel == "email":
            kind = "bounced" if status == "undelivered" else status
            return self._webhooks.post_email_notification(email_event(message, kind))
        form = {
            "MessageSid": message.id,
            "SmsSid": message.id,
            "AccountSid": "ACsandbox",
            "From": message.sender,
            "To": message.recipient,
            "MessageStatus": status,
            "SmsStatus": status,
        }
        if status == "undelivered":
            form["ErrorCode"] = "30003"
        return self._webhooks.post(f"{STATUS_PATH}?token={quote(message.delivery_token or '')}", form)


def _due(now: dt.datetime) -> tuple[Any, ...]:
    return SandboxMessage.announce_at.is_not(None), SandboxMessage.announce_at <= now
