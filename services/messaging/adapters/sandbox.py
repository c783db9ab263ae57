"""The sandbox: a provider that keeps what was "sent" in a table, and behaves on the wire as Twilio does.

Each accepted request is stored before it is answered, in a transaction of its own, and never merged with another: what
it holds is what really went out. `sandbox_callbacks.py` tells us what became of it, `sandbox_people.py` is the people
who got it.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.database import Database
from contracts.errors import Unavailable
from services.messaging.adapters.base import (
    Absent,
    Accepted,
    Figures,
    Finding,
    Outgoing,
    Question,
    Refused,
    Result,
    Unknown,
)
from services.messaging.adapters.email_headers import extra_headers, from_header
from services.messaging.adapters.in_time import demand_in_time
from services.messaging.models import SandboxAddress, SandboxMessage
from services.messaging.spoken import script_of

REFUSED_NUMBERS = {"+15005550001": "21211", "+15005550009": "21614", "+15005550004": "21610"}
"""Numbers that Twilio's test credentials refuse, and their codes."""
REFUSALS = {"sms": "21211", "phone": "21217", "email": "MessageRejected"}
"""What the real provider of a channel says of an address that it does not take."""
BOUNCING = frozenset({"+15005550005", "bounce@sandbox.invalid"})
"""Accepted, and reported as undelivered."""


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
        try:
            with self._db.unit_of_work() as uow:
                behaviour = uow.session.get(SandboxAddress, message.to.lower())
                if behaviour is not None and behaviour.behaviour == "refuse":
                    return Refused(REFUSALS[message.channel])
                demand_in_time()
                row = _row(message, behaviour, utc_now())
                uow.insert(SandboxMessage, [row])
        except Unavailable:
            return Unknown("unavailable")
        return Accepted(row["id"], "queued")

    def find(self, question: Question) -> Finding:
        """By the delivery's token."""
        statement = select(SandboxMessage).where(SandboxMessage.delivery_token == question.token)
        try:
            with self._db.read() as session:
                found = session.scalars(statement.limit(1)).one_or_none()
        except Unavailable:
            return None
        return Absent() if found is None else Accepted(found.id, found.status or "queued")

    def figures(self, provider_id: str, channel: str) -> Figures:
        """It charges for nothing."""
        return Figures()


def _row(message: Outgoing, behaviour: SandboxAddress | None, now: dt.datetime) -> dict[str, Any]:
    """A message as it is kept, with when and what will be announced of it."""
    kind = behaviour.behaviour if behaviour is not None else "normal"
    after = behaviour.seconds if behaviour is not None and kind == "delay" else random.uniform(0.5, 2.0)  # noqa: S311
    bounces = kind == "bounce" or message.to in BOUNCING
    return {
        "id": f"{'CA' if message.channel == 'phone' else 'SM'}{new_id().replace('-', '')}",
        "at": now,
        "direction": "outbound",
        "channel": message.channel,
        "sender": message.sender,
        "recipient": message.to,
        "address": message.to.lower(),
        "subject": message.subject,
        "body": _body(message),
        "html": message.html,
        "headers": _headers(message),
        "status": "queued",
        "outcome": "bounced" if bounces else "delivered",
        "delivery_token": message.token,
        "announce_at": now + dt.timedelta(seconds=after),
    }


def _body(message: Outgoing) -> str:
    """What is read, or what a call says aloud."""
    if message.channel != "phone":
        return message.body
    script = script_of(message.body, message.language)
    return f"{script.message} {script.menu}"


def _headers(message: Outgoing) -> dict[str, str] | None:
    if message.channel != "email":
        return None
    return {"From": from_header(message), **extra_headers(message)}
