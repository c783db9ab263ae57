"""The sandbox's requests to our own gateway: status callbacks, and what people do, signed as Twilio signs them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote, urlencode

import eventlet
import urllib3
from sqlalchemy import select
from twilio.request_validator import RequestValidator

from chassis.columns import utc_now
from chassis.database import Database
from chassis.telemetry import log_of
from services.messaging.models import SandboxMessage
from services.messaging.setwise import update_rows

Record = dict[str, Any]
log = log_of(__name__)

BOUNCING_NUMBER = "+15005550005"
"""Accepted, and reported as undelivered."""
STATUS_PATH, SMS_PATH = "/webhooks/twilio/status", "/webhooks/twilio/sms"
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
        bounces = message.recipient == BOUNCING_NUMBER
        status = "undelivered" if bounces else "delivered"
        form = {
            "MessageSid": message.id,
            "SmsSid": message.id,
            "AccountSid": "ACsandbox",
            "From": message.sender,
            "To": message.recipient,
            "MessageStatus": status,
            "SmsStatus": status,
        }
        if bounces:
            form["ErrorCode"] = "30003"
        tried = message.announcements + 1
        try:
            answered = self._webhooks.post(f"{STATUS_PATH}?token={quote(message.delivery_token or '')}", form)
            posted = 200 <= answered < 300
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


def _due(now: dt.datetime) -> tuple[Any, ...]:
    return SandboxMessage.announce_at.is_not(None), SandboxMessage.announce_at <= now
