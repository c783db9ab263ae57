"""What is typed into the search box of a small list, as what its texts must hold."""

from __future__ import annotations

import re

from chassis.words import bare_words, strip_accents
from services.clients.addresses import UnfitAddress, parse_phone

_LIKE_A_NUMBER = re.compile(r"[\d\s()+./\-\u2010-\u2015\u00a0]+")
_FEWEST_DIGITS = 3


def search_terms(q: str) -> list[str]:
    """What a text of folded words, addresses and digits must hold, each of them anywhere in it."""
    if _LIKE_A_NUMBER.fullmatch(q.strip()) and (digits := _digits(q)):
        return [digits]
    terms: list[str] = []
    for word in q.split():
        # The address is kept as it is written, a name without its punctuation.
        terms += [strip_accents(word)] if "@" in word else bare_words(word).split()
    return terms


def _digits(q: str) -> str | None:
    try:
        return parse_phone(q)[0].lstrip("+")
    except UnfitAddress:
        # Part of a number, perhaps with the zeros that are dialled before it at home or from abroad.
        digits = re.sub(r"\D", "", q).lstrip("0")
        return digits if len(digits) >= _FEWEST_DIGITS else None
