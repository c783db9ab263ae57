"""Words, dates and names of countries as people write them into tables."""

from __future__ import annotations

import datetime as dt
import functools
import re
import uuid

from babel import Locale

from contracts.clients import CLIENT_STATUSES
from services.clients.names import fold

_NUMBERS = re.compile(r"([0-9]{1,4})([./-])([0-9]{1,2})\2([0-9]{1,4})")
_SPELT = ("%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y")
DATE_FORMATS = ("month_first", "day_first", "year_first")
"""What an import can be told of its dates, other than `auto`."""
_NO_DATES = frozenset(("0/0/00", "00/00/0000", "0000-00-00"))
"""What Outlook and others write for none."""
_TIME = re.compile(r"[T ][\d:.]+Z?")
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


def is_no_date(text: str) -> bool:
    """Whether a cell says that there is no date."""
    return text in _NO_DATES


def read_date(text: str, country: str, form: str = "auto") -> dt.date | None:
    """A date as ISO 8601, or as `form` says: `auto` is what the country writes, the month first in the United States,
    elsewhere the day. Two digits of a year are not guessed at."""
    if _TIME.fullmatch(text[10:]):
        text = text[:10]
    if numbers := _NUMBERS.fullmatch(text):
        first, second, third = numbers[1], numbers[3], numbers[4]
        if len(first) == 4:
            return _date(first, second, third)
        if form == "month_first" or (form == "auto" and country == "US"):
            return _date(third, first, second)
        return _date(third, second, first) if form in ("auto", "day_first") else None
    for pattern in _SPELT:
        try:
            return dt.datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a day, not an instant
        except ValueError:
            continue
    return None


def _date(year: str, month: str, day: str) -> dt.date | None:
    try:
        return dt.date(int(year), int(month), int(day)) if len(year) == 4 and len(day) <= 2 else None
    except ValueError:
        return None


@functools.lru_cache(maxsize=1024)
def read_word(field: str, text: str) -> str | bool | None:
    """The value of a field of fixed words; None if the text is none of them."""
    if field == "kind":
        return _KINDS.get(fold(text))
    if field == "status":
        status = fold(text)
        return status if status in CLIENT_STATUSES else _STATUSES.get(status)
    if field == "spam":
        return _FLAGS.get(fold(text))
    if field == "language":
        return _language(text)
    return read_id(text)


def read_id(text: str) -> str | None:
    """An id in its usual form."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def _language(text: str) -> str | None:
    code = "-".join(part.upper() if place else part.lower() for place, part in enumerate(re.split("[-_]", text)))
    return _named("languages").get(fold(text)) or (code if _LANGUAGE.fullmatch(code) else None)


@functools.cache
def _named(kind: str) -> dict[str, str]:
    """{folded name: code} of `languages` or `territories`."""
    return {
        fold(name): code
        for language in _NAMED_IN
        for code, name in getattr(Locale(language), kind).items()
        if len(code) == 2 and code.isalpha()
    }


def read_country(text: str) -> str | None:
    """The two letters of a country."""
    name = fold(text)
    if code := _COUNTRIES.get(name):
        return code
    if len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    return _named("territories").get(name)


def read_phone_kind(text: str) -> str | None:
    """The kind of number that a word means; None for any other word."""
    return next((kind for word in fold(text).split() if (kind := _PHONE_KINDS.get(word))), None)


def read_address_kind(text: str) -> str | None:
    """The kind of postal address that a word means; None for any other word."""
    return _ADDRESS_KINDS.get(fold(text))
