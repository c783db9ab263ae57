"""Words and names of countries as people write them into tables."""

from __future__ import annotations

import functools
import re

from babel import Locale

from chassis.imports.cells import read_id
from chassis.words import bare_words
from contracts.clients import CLIENT_STATUSES

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_NAMED_IN = ("en", "es")
"""The languages in which names of languages and countries are understood."""
_COUNTRIES = {
    "usa": "US", "u s a": "US", "united states of america": "US", "uk": "GB", "great britain": "GB", "england": "GB",
    "scotland": "GB", "wales": "GB", "holland": "NL", "czech republic": "CZ", "turkey": "TR",
}  # fmt: skip
"""What countries are called besides."""
_STATUSES = {
    "current": "active", "activo": "active", "former": "inactive", "past": "inactive", "inactivo": "inactive",
    "prospect": "prospective", "lead": "prospective", "potential": "prospective", "potencial": "prospective",
}  # fmt: skip
_KINDS = {"individual": "individual", "person": "individual", "business": "business", "company": "business"}
_FLAGS = {"yes": True, "true": True, "y": True, "1": True, "si": True, "no": False, "false": False, "n": False,
          "0": False}  # fmt: skip
_PHONE_KINDS = {
    "mobile": "mobile", "cell": "mobile", "iphone": "mobile", "movil": "mobile", "home": "home", "casa": "home",
    "work": "work", "business": "work", "office": "work", "trabajo": "work",
}  # fmt: skip
_ADDRESS_KINDS = {
    "primary": "primary", "mailing": "mailing", "billing": "billing", "service area": "service_area",
}  # fmt: skip


@functools.lru_cache(maxsize=1024)
def read_word(field: str, text: str) -> str | bool | None:
    """The value of a field of fixed words; None if the text is none of them."""
    if field == "kind":
        return _KINDS.get(bare_words(text))
    if field == "status":
        status = bare_words(text)
        return status if status in CLIENT_STATUSES else _STATUSES.get(status)
    if field == "spam":
        return _FLAGS.get(bare_words(text))
    if field == "language":
        return _language(text)
    return read_id(text)


def _language(text: str) -> str | None:
    code = "-".join(part.upper() if place else part.lower() for place, part in enumerate(re.split("[-_]", text)))
    return _named("languages").get(bare_words(text)) or (code if _LANGUAGE.fullmatch(code) else None)


@functools.cache
def _named(kind: str) -> dict[str, str]:
    """{folded name: code} of `languages` or `territories`."""
    return {
        bare_words(name): code
        for language in _NAMED_IN
        for code, name in getattr(Locale(language), kind).items()
        if len(code) == 2 and code.isalpha()
    }


def read_country(text: str) -> str | None:
    """The two letters of a country."""
    name = bare_words(text)
    if code := _COUNTRIES.get(name):
        return code
    if len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    return _named("territories").get(name)


def read_phone_kind(text: str) -> str | None:
    """The kind of number that a word means; None for any other word."""
    return next((kind for word in bare_words(text).split() if (kind := _PHONE_KINDS.get(word))), None)


def read_address_kind(text: str) -> str | None:
    """The kind of postal address that a word means; None for any other word."""
    return _ADDRESS_KINDS.get(bare_words(text))
