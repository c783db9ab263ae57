"""The sandbox's requests to our own gateway: status callbacks, and what people do, signed as Twilio signs them; of
email as Amazon SES tells it, signed with the sandbox's own secret."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import eventlet
import orjson
import urllib3
from sqlalchemy import select
from twilio.request_validator import RequestValidator

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.telemetry import log_of
from services.messaging.adapters.sandbox_email import EMAIL_PATH, email_event
from services.messaging.adapters.twilio_voice import VOICE_PATH
from services.messaging.models import SandboxMessage
from services.messaging.setwise import update_rows

Record = dict[str, Any]
log = log_of(__name__)

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
ACCOUNT = "ACsandbox"
STATUS_WORDS: dict[tuple[str, str], tuple[str, str | None]] = {
    ("sms", "delivered"): ("delivered", None),
    ("sms", "bounced"): ("undelivered", "30003"),
    ("phone", "delivered"): ("completed", None),
    ("phone", "bounced"): ("no-answer", None),
}
"""Channel and outcome to Twilio's word for it, and its code."""
_SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """What our webhook answered with."""

    status: int
    text: str = ""

    @property
    def taken(self) -> bool:
        """Whether a provider would be content with it."""
        return 200 <= self.status < 300


def status_of(channel: str, outcome: str) -> str:
    """The word that a message is shown with once its outcome is announced."""
    return outcome if channel == "email" else STATUS_WORDS[channel, outcome][0]


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

    def post(self, path: str, form: dict[str, str]) -> Answer:
        """Posts a signed form, with a token that would be the same if it were repeated. Raises urllib3's errors and
        OSError."""
        assert self._validator is not None
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": self._validator.compute_signature(self._public_url + path, form),
            "I-Twilio-Idempotency-Token": new_id(),
        }
        answer = self._http.request("POST", self._webhook_url + path, body=urlencode(form), headers=headers)
        return Answer(int(answer.status), answer.data.decode("utf-8", "replace"))

    def unsubscribe(self, address: str) -> Answer | None:
        """The one-click POST of RFC 8058, as a mail program makes it; None if the address is none of ours."""
        if not address.startswith(f"{self._public_url}/"):
            return None
        target = self._webhook_url + address.removeprefix(self._public_url)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._http.request("POST", target, body="List-Unsubscribe=One-Click", headers=headers)
        return Answer(int(answer.status))

    def post_outcome(self, message: SandboxMessage, outcome: str) -> Answer:
        """Says of a message that it was delivered or bounced: a text, a call or an email, each in its own words."""
        if message.channel == "email":
            return self.post_email_notification(email_event(message, outcome))
        word, code = STATUS_WORDS[message.channel, outcome]
        form = {"AccountSid": ACCOUNT, "From": message.sender, "To": message.recipient}
        if message.channel == "phone":
            form |= {"CallSid": message.id, "CallStatus": word, "Direction": "outbound-api"}
        else:
            form |= {"MessageSid": message.id, "SmsSid": message.id, "MessageStatus": word, "SmsStatus": word}
        path = VOICE_PATH if message.channel == "phone" else STATUS_PATH
        return self.post(_with_token(path, message), form | ({"ErrorCode": code} if code else {}))

    def post_key(self, message: SandboxMessage, digits: str) -> Answer:
        """Says that a key was pressed in a call; the answer is what is said next."""
        form = {
            "CallSid": message.id,
            "AccountSid": ACCOUNT,
            "From": message.sender,
            "To": message.recipient,
            "Direction": "outbound-api",
            "CallStatus": "in-progress",
            "Digits": digits,
        }
        return self.post(_with_token(VOICE_PATH, message), form)

    def post_text(self, *, provider_id: str, sender: str, recipient: str, body: str) -> Answer:
        """Says that somebody wrote a text."""
        form = {
            "MessageSid": provider_id,
            "SmsMessageSid": provider_id,
            "AccountSid": ACCOUNT,
            "From": sender,
            "To": recipient,
            "Body": body,
            "NumMedia": "0",
            "NumSegments": "1",
        }
        return self.post(SMS_PATH, form)

    def post_email_notification(self, notification: Record) -> Answer:
        """Posts what `sandbox_email` says; raises as `post` does."""
        body = orjson.dumps(notification)
        signature = hmac.new(self._auth_token.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "text/plain; charset=UTF-8", SIGNATURE: signature}
        answer = self._http.request("POST", self._webhook_url + EMAIL_PATH, body=body, headers=headers)
        return Answer(int(answer.status))


def _with_token(path: str, message: SandboxMessage) -> str:
    return f"{path}?token={quote(message.delivery_token or '')}"


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
        tried = message.announcements + 1
        try:
            posted = self._webhooks.post_outcome(message, message.outcome).taken
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # The gateway may be restarting; it is tried again, also by the next process.
            log.info("callback_postponed", error=type(error).__name__)
            posted = False
        again = None if posted or tried >= _ANNOUNCEMENTS else utc_now() + dt.timedelta(seconds=2.0**tried)
        return {
            "id": message.id,
            "status": status_of(message.channel, message.outcome) if posted else message.status,
            "announce_at": again,
            "announcements": tried,
        }


def _due(now: dt.datetime) -> tuple[Any, ...]:
    return SandboxMessage.announce_at.is_not(None), SandboxMessage.announce_at <= now
