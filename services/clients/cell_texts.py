"""How the values of clients are written into the cells of a table, and lists read back out of one: what an export
writes, an import understands."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^;,|]*?))\s*(?:$|[;,|]|(?<=\s):::(?=\s))')
_END = re.compile(r"[;,|]|$")
_APART = re.compile(r"[;,|]|(?<=\s):::(?=\s)")
_NEEDS_QUOTES = re.compile(r'[;,|"]|:::')


def text_of(value: Any) -> str:
    """A field's value as the text of a cell; None is an empty one."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return joined_texts(item for item in value if item is not None)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


def joined_texts(texts: Iterable[str]) -> str:
    """Several texts in one cell: `vip; "Smith, Jones"`."""
    return "; ".join(
        f'"{text.replace(chr(34), chr(34) * 2)}"' if _NEEDS_QUOTES.search(text) else text for text in texts
    )


def split_texts(cell: str) -> list[str]:
    """The texts of one cell, apart by `;`, `,`, `|` or Google's ` ::: `; those in quotation marks may hold any of
    them."""
    if '"' not in cell:
        return [part for text in _APART.split(cell) if (part := text.strip())]
    found: list[str] = []
    place = 0
    while place < len(cell):
        match = _PART.match(cell, place)
        if match is None or match.end() == place:
            # A quotation mark in the middle of a text is a part of it.
            end = _END.search(cell, place)
            stop = end.start() if end else len(cell)
            found.append(cell[place:stop])
            place = stop + 1
        else:
            quoted, plain = match.groups()
            found.append(quoted.replace('""', '"') if quoted is not None else plain)
            place = match.end()
    return [part for text in found if (part := text.strip())]
