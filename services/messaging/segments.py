"""How many SMS segments a text takes: GSM-7 160 alone or 153 each, UCS-2 70 alone or 67 each.

Source: 3GPP TS 23.038. A character of the extension table takes two septets, one beyond the basic plane two UTF-16
units, and neither is split over two segments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("^{}\\[~]|€\f")


@dataclass(frozen=True)
class Segments:
    """`units` are septets for gsm7 and UTF-16 code units for ucs2. An empty text is one segment."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    count: int


def count_segments(text: str) -> Segments:
    """Encoding, length and number of segments of `text`."""
    if _BASIC.issuperset(text):  # most texts: every character is one septet
        return Segments("gsm7", len(text), 1 if len(text) <= 160 else -(-len(text) // 153))
    if all(char in _BASIC or char in _EXTENSION for char in text):
        widths = [2 if char in _EXTENSION else 1 for char in text]
        return Segments("gsm7", sum(widths), _pack(widths, alone=160, joined=153))
    widths = [2 if ord(char) > 0xFFFF else 1 for char in text]
    return Segments("ucs2", sum(widths), _pack(widths, alone=70, joined=67))


def _pack(widths: Iterable[int], *, alone: int, joined: int) -> int:
    widths = list(widths)
    if sum(widths) <= alone:
        return 1
    count, used = 1, 0
    for width in widths:
        if used + width > joined:
            count, used = count + 1, 0
        used += width
    return count
