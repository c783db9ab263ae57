"""Answers as the filter language sees them: sets of values. Pure.

An answer that is blank, or not there, is the empty set; an answer of several choices has each of them, every other one
value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from chassis.filters.fields import Kind

KINDS: dict[str, Kind] = {
    "short_text": "text",
    "long_text": "text",
    "phone": "text",
    "email": "text",
    "address": "text",
    "number": "number",
    "date": "day",
    "yes_no": "flag",
    "acknowledgement": "flag",
    "one_choice": "word",
    "several_choices": "words",
    "file_upload": "presence",
    "signature": "presence",
}
"""What kind of field the answer to each kind of question is."""


def values_of(kind: str, answer: Any) -> tuple[Any, ...]:
    """The values of an answer as it is kept (see `answer_checks`), None for a blank one.

    Text, decimal, day, true or false; an address in parts is their text, a line each.
    """
    if answer is None:
        return ()
    return _READERS[KINDS[kind]](answer)


def _text(answer: Any) -> tuple[str, ...]:
    return ("\n".join(answer.values()) if isinstance(answer, dict) else answer,)


_READERS: dict[Kind, Callable[[Any], tuple[Any, ...]]] = {
    "text": _text,
    "number": lambda answer: (Decimal(answer),),
    "day": lambda answer: (dt.date.fromisoformat(answer),),
    "flag": lambda answer: (answer,),
    "word": lambda answer: (answer,),
    "words": tuple,
    "presence": lambda answer: (True,) if answer else (),
}
