"""Links in a message: whole only in memory while it is sent, shortened to their ending wherever it is kept."""

from __future__ import annotations

import re
import unicodedata

SHOWN = 6
"""Characters of a token that are kept: enough to tell two messages apart, not to open a link."""
_MARK = "\u2026"
PLACEHOLDER_TOKEN = "x" * 43
"""As long as a real token, for counting segments before there is one."""


def link_of(public_url: str, token: str) -> str:
    """The address that a client taps."""
    return f"{public_url}/p/{token}"


def shorten(text: str, public_url: str, token: str) -> str:
    """`text` with the link's token cut down to its ending."""
    return text.replace(link_of(public_url, token), f"{public_url}/p/{_MARK}{token[-SHOWN:]}")


def matches_stored(whole: str, stored: str) -> bool:
    """Whether `whole`, as the provider has it, is the message that was stored as `stored`. By letters and digits, where
    it has any: Twilio's Smart Encoding puts plain signs in the place of typographic ones."""
    parts = [_plain(part) for part in stored.split(_MARK)]
    if not any(parts):
        return whole.strip() == stored.strip()
    return re.fullmatch("[A-Za-z0-9]*".join(parts), _plain(whole)) is not None


def _plain(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if sign.isalnum())
