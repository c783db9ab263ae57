"""Phone numbers, email addresses and postal addresses: what is accepted, in which form, and which one is primary.

Numbers are kept in E.164 by Google's numbering plans (`phonenumbers`), email addresses as `email-validator` normalises
them, without asking the DNS.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumber, PhoneNumberType

from chassis.words import UnfitText, clean_text

DEFAULT_COUNTRY = "US"
_HOME = (PhoneNumberType.FIXED_LINE, PhoneNumberType.PERSONAL_NUMBER)
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)

Problem = tuple[str, str, str]
"""The dotted path of a field, a stable code, and a sentence about it."""
Entry = dict[str, Any]


class UnfitAddress(ValueError):
    """A number or address that is refused: `code` is stable, the message can be shown."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def parse_phone(number: str, country: str = DEFAULT_COUNTRY) -> tuple[str, str]:
    """(E.164, kind by the number's own range) of a number in any common form. Raises `UnfitAddress`.

    `country` (ISO 3166, two letters) is meant where the number names none. A range that is both mobile and fixed counts
    as mobile.
    """
    if (plain := _NORTH_AMERICAN.fullmatch(number)) and (plain[1] or country == DEFAULT_COUNTRY):
        _, area, exchange, line = plain.groups()
        if (kind := _kind_in_north_america(area + exchange)) is not None:
            return f"+1{area}{exchange}{line}", kind
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException as error:
        raise UnfitAddress("invalid_phone", "Not a phone number.") from error
    if parsed.extension:
        raise UnfitAddress("phone_extension", "Extensions are not kept: give the number without it.")
    kind = _kind_of(parsed)
    if kind is None:
        raise UnfitAddress("invalid_phone", "Not a valid phone number.")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), kind


# How nearly every number of North America is written. The library takes ten times as long over them.
_NORTH_AMERICAN = re.compile(r"(?:(\+1)[ .-]?|1[ .-]?)?\(?([2-9][0-9]{2})\)?[ .-]?([2-9][0-9]{2})[ .-]?([0-9]{4})")


@functools.lru_cache(maxsize=20_000)
def _kind_in_north_america(exchange: str) -> str | None:
    """The kind of the numbers that begin with these six digits: no range is smaller."""
    return _kind_of(PhoneNumber(country_code=1, national_number=int(f"{exchange}0000")))


def _kind_of(number: PhoneNumber) -> str | None:
    """The kind by the number's range; None if no range is assigned."""
    kind_of_range = phonenumbers.number_type(number)
    if kind_of_range == PhoneNumberType.UNKNOWN:
        return None
    return "mobile" if kind_of_range in _MOBILE else "home" if kind_of_range in _HOME else "work"


def parse_email(address: str) -> str:
    """The normalised address. Raises `UnfitAddress`."""
    local, _, domain = address.rpartition("@")
    try:
        if _PLAIN_LOCAL_PART.fullmatch(local) and len(address) <= _LONGEST_EMAIL:
            return f"{local}@{_normalised_domain(domain)}"
        return validate_email(address.strip(), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise UnfitAddress("invalid_email", "Not a valid email address.") from error


# Those that are kept as they are. What is not among them is left to the library.
_PLAIN_LOCAL_PART = re.compile(r"(?=.{1,64}$)[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*")
_LONGEST_EMAIL = 200


@functools.lru_cache(maxsize=5_000)
def _normalised_domain(domain: str) -> str:
    """Raises EmailNotValidError. Few domains have many addresses, and the library is slow over each."""
    return validate_email(f"a@{domain}", check_deliverability=False).normalized.rpartition("@")[2]


def email_key(address: str) -> str:
    """What two addresses of the same mailbox have in common: no mail provider in use tells case apart."""
    return address.casefold()


def normalise_phones(given: Sequence[Mapping[str, Any]], country: str) -> tuple[list[Entry], list[Problem]]:
    """[{"number", "kind", "primary"}] in the order given, with exactly one primary, and what is wrong."""

    def read(entry: Mapping[str, Any]) -> Entry:
        number, kind = parse_phone(entry["number"], country)
        return {"number": number, "kind": entry.get("kind") or kind, "primary": bool(entry.get("primary"))}

    return _normalise(given, "phones", "number", read, lambda entry: str(entry["number"]))


def normalise_emails(given: Sequence[Mapping[str, Any]]) -> tuple[list[Entry], list[Problem]]:
    """[{"address", "primary"}] in the order given, with exactly one primary, and what is wrong."""

    def read(entry: Mapping[str, Any]) -> Entry:
        return {"address": parse_email(entry["address"]), "primary": bool(entry.get("primary"))}

    return _normalise(given, "emails", "address", read, lambda entry: email_key(entry["address"]))


def _normalise(
    given: Sequence[Mapping[str, Any]],
    path: str,
    field: str,
    read: Callable[[Mapping[str, Any]], Entry],
    key: Callable[[Entry], str],
) -> tuple[list[Entry], list[Problem]]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for position, entry in enumerate(given):
        try:
            normal = read(entry)
        except UnfitAddress as error:
            problems.append((f"{path}.{position}.{field}", error.code, str(error)))
            continue
        if key(normal) in seen:
            problems.append((f"{path}.{position}.{field}", "given_twice", "Given twice."))
            continue
        seen.add(key(normal))
        entries.append(normal)
    primaries = [position for position, entry in enumerate(given) if entry.get("primary")]
    problems.extend((f"{path}.{at}.primary", "two_primaries", "Only one can be primary.") for at in primaries[1:])
    return with_primary(entries), problems


def with_primary(entries: list[Entry]) -> list[Entry]:
    """The entries with exactly one primary, if there are any: the first that says so, else the first."""
    chosen = next((entry for entry in entries if entry["primary"]), entries[0] if entries else None)
    return [{**entry, "primary": entry is chosen} for entry in entries]


def without_primary(entries: list[Entry]) -> list[Entry]:
    """The entries without their primary; the next one becomes primary."""
    return with_primary([entry for entry in entries if not entry["primary"]])


def with_new_primary(entries: list[Entry], new: Entry, field: str) -> list[Entry]:
    """The entries with `new` as their first and primary; one of the same `field` keeps its kind."""
    known = next((entry for entry in entries if same_address(entry[field], new[field])), new)
    others = [{**entry, "primary": False} for entry in entries if entry is not known]
    return [{**known, "primary": True}, *others]


def same_address(one: str, other: str) -> bool:
    """Whether two normalised numbers or email addresses are the same."""
    return email_key(one) == email_key(other)


def sms_number(phones: Sequence[Mapping[str, Any]]) -> str | None:
    """Where a text goes: the primary phone if it is a mobile, else the first mobile, else nowhere. In order given."""
    mobiles = [phone for phone in phones if phone["kind"] == "mobile"]
    best = next((phone for phone in mobiles if phone["primary"]), mobiles[0] if mobiles else None)
    return str(best["number"]) if best else None


def reached(phones: Sequence[Mapping[str, Any]], emails: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """Where a client is written to on each channel: {sms, phone, email}."""
    return {
        "sms": sms_number(phones),
        "phone": next((str(phone["number"]) for phone in phones if phone["primary"]), None),
        "email": next((str(email["address"]) for email in emails if email["primary"]), None),
    }


_POSTAL_TEXTS = ("line1", "line2", "city", "state", "postal_code")


def normalise_postal(given: Sequence[Mapping[str, Any]]) -> tuple[list[Entry], list[Problem]]:
    """Postal addresses with cleaned texts, and what is wrong. At most one is of the kind `primary`."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    for position, entry in enumerate(given):
        path = f"addresses.{position}"
        texts, unfit = _clean_postal_texts(entry, path)
        problems.extend(unfit)
        if not unfit and not any(texts.values()):
            problems.append((f"{path}.line1", "required", "The address holds no text."))
        entries.append({"kind": entry["kind"], **texts, "country": entry.get("country")})
    primaries = [position for position, entry in enumerate(entries) if entry["kind"] == "primary"]
    problems.extend((f"addresses.{at}.kind", "two_primaries", "Only one can be primary.") for at in primaries[1:])
    return entries, problems


def _clean_postal_texts(entry: Mapping[str, Any], path: str) -> tuple[Entry, list[Problem]]:
    texts: Entry = {}
    problems: list[Problem] = []
    for name in _POSTAL_TEXTS:
        try:
            texts[name] = clean_text(entry.get(name) or "")
        except UnfitText as error:
            texts[name] = None
            problems.append((f"{path}.{name}", "invalid_text", str(error)))
    return texts, problems


def country_of(addresses: Sequence[Mapping[str, Any]]) -> str | None:
    """The country of the primary postal address, else the first one stated."""
    return next(_countries(addresses), None)


def _countries(addresses: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for address in sorted(addresses, key=lambda entry: entry["kind"] != "primary"):
        if address.get("country"):
            yield str(address["country"])
