"""How the values of clients are written into the cells of a table, and lists read back out of one: what an export
writes, an import understands."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

_QUOTED = re.compile(r'\s*"((?:[^"]|"")*)"\s*')
_APART = re.compile(r"[;,|]|(?<=\s):::(?=\s)|$")
_APART_NOT_BY_COMMA = re.compile(r"[;|]|$")
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


def split_texts(cell: str, *, commas: bool = True) -> list[str]:
    """The texts of one cell, apart by `;`, `|`, Google's ` ::: ` and, unless told otherwise, `,`; those in quotation
    marks may hold any of them."""
    apart = _APART if commas else _APART_NOT_BY_COMMA
    found: list[str] = []
    place = 0
    while place <= len(cell):
        quoted = _QUOTED.match(cell, place)
        end = apart.search(cell, quoted.end() if quoted else place)
        assert end is not None
        if quoted and end.start() == quoted.end():
            found.append(quoted[1].replace('""', '"'))
        else:
            # A quotation mark in the middle of a text is a part of it.
            end = apart.search(cell, place)
            assert end is not None
            found.append(cell[place : end.start()])
        place = max(end.end(), end.start() + 1)
    return [part for text in found if (part := text.strip())]
