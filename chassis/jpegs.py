"""What it takes to decode a JPEG."""

from __future__ import annotations

MOST_IN_SCANS = 10_000_000
"""Pixels that a JPEG in several scans may have: all of them, in up to four colours of two bytes, lie in memory before
the first line comes out, 80 MB. (One in a single scan is decoded line by line, and at a fraction of its size.)"""

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SCAN = 0xDA


def is_in_one_scan(content: bytes) -> bool:
    """Whether all colours come in the first scan and nothing is added later, by the rules of libjpeg (`initial_setup`
    in jdinput.c). False for what is no JPEG that one can tell it of."""
    at, colours = 2, 0
    while at + 9 < len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker in _PROGRESSIVE:
            return False
        if marker in _FRAMES:
            colours = content[at + 9]
        if marker == _SCAN:
            return content[at + 4] == colours
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    return False
