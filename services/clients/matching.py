"""What is typed into the search box, and whether a client answers to it."""

from __future__ import annotations

import re

from sqlalchemy import ColumnElement, and_, false

from services.clients.addresses import UnfitAddress, parse_phone
from services.clients.models import Client
from services.clients.names import fold, strip_accents

_LIKE_A_NUMBER = re.compile(r"[\d\s()+./\-\u2010-\u2015\u00a0]+")
_FEWEST_DIGITS = 3


def matches(q: str) -> ColumnElement[bool]:
    """Whether a client answers to what was typed: every word is in the name or an email address, or it is a number in
    any form. One look into one column."""
    terms = search_terms(q)
    return and_(*(Client.search_text.contains(term, autoescape=True) for term in terms)) if terms else false()


def search_terms(q: str) -> list[str]:
    """What `search_text` must hold."""
    if _LIKE_A_NUMBER.fullmatch(q.strip()) and (digits := _digits(q)):
        return [digits]
    terms: list[str] = []
    for word in q.split():
        # The address is kept as it is written, a name without its punctuation.
        terms += [strip_accents(word)] if "@" in word else fold(word).split()
    return terms


def _digits(q: str) -> str | None:
    try:
        return parse_phone(q)[0].lstrip("+")
    except UnfitAddress:
        # Part of a number, perhaps with the zeros that are dialled before it at home or from abroad.
        digits = re.sub(r"\D", "", q).lstrip("0")
        return digits if len(digits) >= _FEWEST_DIGITS else None
