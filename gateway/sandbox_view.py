"""What the sandbox's pages show: a person's messages by day, what became of each, and words for what was done.

Every text here was written by somebody: it is escaped where it is shown, and addresses in it become links only if they
are http or https.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

Record = Mapping[str, Any]

_LINK = re.compile(r"https?://[^\s<>\"]+")
CHANNEL_NAMES = {"sms": "Texts", "phone": "Calls", "email": "Emails"}
BEHAVIOURS = {
    "normal": "Takes everything",
    "bounce": "Bounces: taken, then reported as not delivered",
    "refuse": "Refuses: the provider says no at once",
    "delay": "Delays: the report comes later",
}
KEYS = "123456789*0#"

_OUTCOMES = {
    "queued": ("on-its-way", "On its way"),
    "sent": ("on-its-way", "Sent"),
    "delivered": ("arrived", "Delivered"),
    "completed": ("arrived", "Answered"),
    "undelivered": ("failed", "Not delivered"),
    "bounced": ("failed", "Bounced"),
    "no-answer": ("failed", "No answer"),
}
_WEBHOOKS = {"sms": "/webhooks/twilio/sms", "email": "/webhooks/ses", "phone": "/webhooks/twilio/voice"}
_DEEDS = {
    "reply": "Reply sent",
    "write": "Message sent",
    "press": "Key pressed",
    "deliver": "Reported as delivered",
    "bounce": "Reported as not delivered",
    "complain": "Reported as spam",
    "unsubscribe": "Unsubscribed",
}
_PROBLEMS = {
    "gateway_unreachable": "The webhook could not be reached. Try again.",
    "sandbox_busy": "Too much at once. Try again in a moment.",
    "sandbox_secret_missing": "There is no TWILIO_AUTH_TOKEN to sign with.",  # pragma: allowlist secret
    "invalid_address": "That is no telephone number or email address.",
    "no_unsubscribe_address": "This email has no one-click address.",
    "invalid_input": "Something is missing, or too long.",
    "sandbox_message_not_found": "There is no such message.",
}


@dataclass(frozen=True)
class Shown:
    """One message as it is shown. `mine`: the person wrote it. `kind`: text, call, key, spoken or email. `state` is
    on-its-way, arrived or failed, and `outcome` says it in words; both are empty for what the person wrote."""

    id: str
    kind: str
    mine: bool
    text: Markup
    time: str
    at: str
    subject: str
    office: str
    state: str
    outcome: str
    has_page: bool
    can_unsubscribe: bool
    headers: Mapping[str, str]


def days_of(messages: Iterable[Record], now: dt.datetime) -> list[tuple[str, list[Shown]]]:
    """Messages, oldest first, under the name of their day."""
    ordered = sorted(messages, key=lambda message: (message["at"], message["id"]))
    by_day = groupby(ordered, key=lambda message: str(message["at"])[:10])
    return [(day_name(day, now), [shown(message) for message in some]) for day, some in by_day]


def shown(message: Record) -> Shown:
    """One message."""
    mine = message["direction"] == "inbound"
    state, outcome = ("", "") if mine else _OUTCOMES.get(message["status"] or "", ("", ""))
    headers = message.get("headers") or {}
    if message["channel"] == "phone" and outcome == "On its way":
        outcome = "Ringing"
    return Shown(
        id=message["id"],
        kind=_kind(message),
        mine=mine,
        text=linked(message["body"]),
        time=str(message["at"])[11:16],
        at=message["at"],
        subject=message.get("subject") or "(no subject)",
        office=message["to"] if mine else message["from"],
        state=state,
        outcome=outcome,
        has_page=bool(message.get("html")),
        can_unsubscribe="List-Unsubscribe" in headers,
        headers=headers,
    )


def _kind(message: Record) -> str:
    if message["channel"] == "phone":
        return "key" if message["direction"] == "inbound" else "spoken" if message["status"] == "spoken" else "call"
    return "email" if message["channel"] == "email" else "text"


def linked(text: str) -> Markup:
    """The text, escaped, with its addresses as links."""
    parts, end = [], 0
    for found in _LINK.finditer(text):
        address = found.group().rstrip(".,;:!?)")
        parts.append(escape(text[end : found.start()]))
        parts.append(Markup('<a href="{0}" rel="noreferrer noopener" target="_blank">{0}</a>').format(address))
        end = found.start() + len(address)
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def day_name(day: str, now: dt.datetime) -> str:
    """Today, Yesterday, or Friday 20 November 2026."""
    date = dt.date.fromisoformat(day)
    ago = (now.date() - date).days
    return {0: "Today", 1: "Yesterday"}.get(ago) or f"{date:%A} {date.day} {date:%B %Y}"


def moment(at: str, now: dt.datetime) -> str:
    """In a list: the time of today, else the day."""
    date = dt.date.fromisoformat(at[:10])
    return at[11:16] if date == now.date() else f"{date.day} {date:%b}"


def told(did: str | None, status: str | None, channel: str, problem: str | None) -> tuple[str, str] | None:
    """(kind, words) of what was just done: what our own webhook answered, or why nothing was done."""
    if problem is not None:
        return "failed", _PROBLEMS.get(problem, "That cannot be done with this message.")
    if did == "behaviour":
        return "arrived", "Kept. It holds for what is sent from now on."
    if did not in _DEEDS or status is None or not status.isdigit():
        return None
    path = _WEBHOOKS[channel]
    if did in ("deliver", "bounce") and channel == "sms":
        path = "/webhooks/twilio/status"
    if did == "unsubscribe":
        path = "/u/…"
    return ("arrived" if status.startswith("2") else "failed"), f"{_DEEDS[did]}: POST {path} answered {status[:3]}."


def proof_command(base_url: str, address: str) -> str:
    """The command that shows an address's ledger. The key is left out: it is no business of a page without log-in."""
    return f'curl -H "X-API-Key: $KEY" "{base_url}/v1/consents?address={quote(address, safe="@")}"'
