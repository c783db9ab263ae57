"""The headers that every email of ours has, whoever carries it."""

from __future__ import annotations

import re
from email.utils import formataddr

from services.messaging.adapters.base import Outgoing

DELIVERY_HEADER = "X-Casewire-Delivery"
"""Brings the delivery's token back where a provider has no tags of its own."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def header_text(text: str) -> str:
    """A text on one line: what was typed by a person cannot begin another header."""
    return " ".join(_CONTROLS.sub(" ", text).split())


def from_header(message: Outgoing) -> str:
    """`"Harbor & Lane" <office@harbor.example>`, its name encoded as RFC 2047 asks where it is not ASCII."""
    return formataddr((header_text(message.sender_name or ""), message.sender))


def extra_headers(message: Outgoing) -> dict[str, str]:
    """One-click unsubscription by RFC 8058, where the message can be unsubscribed from, and the delivery's token."""
    headers = {DELIVERY_HEADER: message.token}
    if message.unsubscribe_url:
        headers |= {
            "List-Unsubscribe": f"<{message.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    return headers
