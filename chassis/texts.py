"""Texts that compare alike on every database: folded for case, and ordered by code point."""

from __future__ import annotations

import unicodedata

START_LENGTH = 100
"""How much of a folded text is indexed. A whole text can be longer than an index entry may be."""

_LAST_BEFORE_SURROGATES = 0xD7FF
_FIRST_AFTER_SURROGATES = 0xE000
_LAST = 0x10FFFF


def fold(text: str) -> str:
    """The text as `contains` and `starts_with` compare it: without regard to case, in every language."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def beyond(prefix: str) -> str | None:
    """The least text, by code point, above all that start with `prefix`; None if there is no such text."""
    for length in range(len(prefix), 0, -1):
        point = ord(prefix[length - 1])
        if point < _LAST:
            following = _FIRST_AFTER_SURROGATES if point == _LAST_BEFORE_SURROGATES else point + 1
            return prefix[: length - 1] + chr(following)
    return None


def is_storable(text: str) -> bool:
    """Whether both databases can keep the text: PostgreSQL refuses NUL, and half a surrogate pair is no character."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
