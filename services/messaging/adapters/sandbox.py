"""The sandbox: a provider that keeps what was "sent" in a table, and behaves on the wire as Twilio does.

Each accepted request is stored before it is answered, in a transaction of its own, and never merged with another: what
it holds is what really went out. Status callbacks and people's replies reach us as real signed requests to the gateway.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import eventlet
import urllib3
from sqlalchemy import select
from twilio.request_validator import RequestValidator

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.paging import page
from chassis.telemetry import log_of
from contracts.errors import NotFound, Unavailable
from services.messaging.adapters.base import Absent, Accepted, Finding, Outgoing, Question, Refused, Result, Unknown
from services.messaging.models import SandboxMessage
from services.messaging.setwise import update_rows

Record = dict[str, Any]
log = log_of(__name__)

REFUSED_NUMBERS = {"+15005550001": "21211", "+15005550009": "21614", "+15005550004": "21610"}
"""Numbers that Twilio's test credentials refuse, and their codes."""
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
_REPLIES_AT_ONCE = 4
"""A reply waits for the gateway, which calls this service again: it must not hold all of its workers."""
_SECONDS = 10.0


class SandboxProvider:
    """Sends by storing. `db` is messaging's own database."""

    name = "sandbox"
    seconds = 3.0
    ask_after: tuple[float, ...] = (0.0, 60.0, 300.0, 1800.0)

    def __init__(self, db: Database) -> None:
        self._db = db.across_firms("the sandbox stands in for a provider of all firms")

    def send(self, message: Outgoing) -> Result:
        """Stores the message, then answers."""
        code = REFUSED_NUMBERS.get(message.to)
        if code is not None:
            return Refused(code)
        now = utc_now()
        row = {
            "id": f"SM{new_id().replace('-', '')}",
            "at": now,
            "direction": "outbound",
            "channel": message.channel,
            "sender": message.sender,
            "recipient": message.to,
            "subject": message.subject,
            "body": message.body,
            "status": "queued",
            "delivery_token": message.token,
            "announce_at": now + dt.timedelta(seconds=random.uniform(0.5, 2.0)),  # noqa: S311 - spreads the callbacks
        }
        try:
            with self._db.unit_of_work() as uow:
                uow.insert(SandboxMessage, [row])
        except Unavailable:
            return Unknown("unavailable")
        return Accepted(str(row["id"]), "queued")

    def find(self, question: Question) -> Finding:
        """By the delivery's token."""
        statement = select(SandboxMessage).where(SandboxMessage.delivery_token == question.token)
        try:
            with self._db.read() as session:
                found = session.scalars(statement.limit(1)).one_or_none()
        except Unavailable:
            return None
        return Absent() if found is None else Accepted(found.id, found.status or "queued")


class SandboxPhones:
    """The people's side: what is on their phones, what they reply, and the callbacks about their messages."""

    def __init__(self, db: Database, *, public_url: str, webhook_url: str, auth_token: str | None) -> None:
        self._db = db.across_firms("the sandbox stands in for a provider of all firms")
        self._public_url, self._webhook_url = public_url, webhook_url
        self._validator = RequestValidator(auth_token) if auth_token else None
        self._http = urllib3.PoolManager(maxsize=8, retries=False, timeout=urllib3.Timeout(total=_SECONDS))
        self._replying = threading.BoundedSemaphore(_REPLIES_AT_ONCE)

    def list_messages(
        self,
        *,
        to: str | None = None,
        since: dt.datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
        sort: str | None = None,
    ) -> Record:
        """Newest first. `to`: what a phone or inbox got and what it sent."""
        statement = select(SandboxMessage)
        if to is not None:
            statement = statement.where((SandboxMessage.recipient == to) | (SandboxMessage.sender == to))
        if since is not None:
            statement = statement.where(SandboxMessage.at >= since)
        with self._db.read() as session:
            rows, meta = page(
                session,
                statement,
                model=SandboxMessage,
                sorts={"at": SandboxMessage.at},
                default_sort="-at",
                limit=limit,
                cursor=cursor,
                sort=sort,
            )
        return {"data": [_record(row) for row in rows], "meta": meta}

    def reply(self, *, sandbox_message_id: str, body: str) -> Record:
        """Answers a message as the phone that got it, through our own webhook: {"status", "provider_id"}.

        Raises NotFound, Unavailable if the gateway cannot be reached or too many replies are under way.
        """
        with self._db.read() as session:
            message = session.get(SandboxMessage, sandbox_message_id)
        if message is None:
            raise NotFound("sandbox_message_not_found")
        outbound = message.direction == "outbound"
        phone, office = (message.recipient, message.sender) if outbound else (message.sender, message.recipient)
        provider_id = f"SM{new_id().replace('-', '')}"
        with self._db.unit_of_work() as uow:
            row = {"id": provider_id, "direction": "inbound", "channel": message.channel, "sender": phone}
            uow.insert(SandboxMessage, [{**row, "recipient": office, "body": body, "status": "received"}])
        form = {
            "MessageSid": provider_id,
            "SmsMessageSid": provider_id,
            "AccountSid": "ACsandbox",
            "From": phone,
            "To": office,
            "Body": body,
            "NumMedia": "0",
            "NumSegments": "1",
        }
        if not self._replying.acquire(blocking=False):
            raise Unavailable("sandbox_busy")
        try:
            return {"status": self._post(SMS_PATH, form), "provider_id": provider_id}
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable("gateway_unreachable") from error
        finally:
            self._replying.release()

    def announce(self) -> bool:
        """Posts the status callbacks that are due; what cannot be posted is tried again later, also after a restart.
        Returns whether there may be more at once."""
        if self._validator is None or not self._any_due():
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
            posted = 200 <= self._post(f"{STATUS_PATH}?token={quote(message.delivery_token or '')}", form) < 300
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

    def _post(self, path: str, form: dict[str, str]) -> int:
        assert self._validator is not None
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": self._validator.compute_signature(self._public_url + path, form),
        }
        answer = self._http.request("POST", self._webhook_url + path, body=urlencode(form), headers=headers)
        return int(answer.status)


def _due(now: dt.datetime) -> tuple[Any, ...]:
    return SandboxMessage.announce_at.is_not(None), SandboxMessage.announce_at <= now


def _record(row: SandboxMessage) -> Record:
    names: Sequence[str] = ("id", "channel", "direction", "subject", "body", "at", "status")
    return {**{name: getattr(row, name) for name in names}, "to": row.recipient, "from_": row.sender}
