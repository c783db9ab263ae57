"""The sandbox: a provider that keeps what was "sent" in a table, and behaves on the wire as Twilio does.

Each accepted request is stored before it is answered, in a transaction of its own, and never merged with another: what
it holds is what really went out. `sandbox_callbacks.py` tells us what became of it, `sandbox_people.py` is the people
who got it.
"""

from __future__ import annotations

import datetime as dt
import random

from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.database import Database
from contracts.errors import Unavailable
from services.messaging.adapters.base import Absent, Accepted, Finding, Outgoing, Question, Refused, Result, Unknown
from services.messaging.adapters.email_headers import extra_headers, from_header
from services.messaging.models import SandboxMessage

REFUSED_NUMBERS = {"+15005550001": "21211", "+15005550009": "21614", "+15005550004": "21610"}
"""Numbers that Twilio's test credentials refuse, and their codes."""


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
            "html": message.html,
            "headers": _headers(message),
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


def _headers(message: Outgoing) -> dict[str, str] | None:
    if message.channel != "email":
        return None
    return {"From": from_header(message), **extra_headers(message)}
