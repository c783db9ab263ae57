"""Which values a client's fields may have, and the form in which they are kept."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from chassis.custom_fields import Definition, merge
from chassis.texts import is_storable
from chassis.words import UnfitText, clean_text, strip_accents
from contracts.errors import Invalid, invalid_field
from services.clients.addresses import (
    DEFAULT_COUNTRY,
    Problem,
    country_of,
    normalise_emails,
    normalise_phones,
    normalise_postal,
)

Record = dict[str, Any]
"""A client as it goes over the wire, in Python values: the fields of `contracts.clients.Client`."""

_TEXTS = (
    "first_name", "middle_name", "last_name", "company_name", "occupation", "industry", "referral_source",
    "special_requirements", "flag_reason", "external_source", "external_source_id",
)  # fmt: skip
_OF_LINES = ("special_requirements", "flag_reason")
_AS_GIVEN = ("kind", "status", "spam", "language", "assigned_staff_id")
NAMES = ("first_name", "last_name", "company_name")
"""What a client is called by: one of these at least."""
_OLDEST_BIRTH = dt.date(1870, 1, 1)


def checked_fields(
    given: Mapping[str, Any], now: dt.datetime, current: Record | None = None, fields: Sequence[Definition] = ()
) -> Record:
    """The given fields in the form they are kept; `current` is the record they will change, `fields` the firm's own.

    Raises `Invalid` that names every field at fault.
    """
    normal, problems = normalise_fields(given, now, current=current, fields=fields)
    if current is None:
        problems += missing_fields(normal, fields, problems)
    check_whole({**(current or {}), **normal}, problems)
    if problems:
        raise Invalid("invalid_input", fields=[{"field": path, "message": message} for path, _, message in problems])
    return normal


def normalise_fields(
    given: Mapping[str, Any],
    now: dt.datetime,
    *,
    current: Record | None = None,
    country: str | None = None,
    fields: Sequence[Definition] = (),
) -> tuple[Record, list[Problem]]:
    """The given fields in the form they are kept, and what is wrong with them.

    A number without a country is read as one of the client's postal country, else of `country`, else of the United
    States.
    """
    current = current or {}
    normal: Record = {name: given[name] for name in _AS_GIVEN if name in given}
    problems: list[Problem] = []
    for name in _TEXTS:
        if name in given:
            normal[name] = _text(given[name], name, problems, lines=name in _OF_LINES)
    for name, check in _CHECKS.items():
        if name in given:
            normal[name] = check(given[name], now, problems)
    if "custom_fields" in given:
        stored = current.get("custom_fields") or {}
        normal["custom_fields"] = _custom_fields(given["custom_fields"], stored, fields, problems)
    if "government_ids" in given:
        normal["government_ids"] = _government_ids(given["government_ids"], problems)
    if "addresses" in given:
        normal["addresses"], unfit = normalise_postal(given["addresses"])
        problems += unfit
    if "phones" in given:
        postal = normal.get("addresses") or current.get("addresses") or []
        normal["phones"], unfit = normalise_phones(given["phones"], country_of(postal) or country or DEFAULT_COUNTRY)
        problems += unfit
    if "emails" in given:
        normal["emails"], unfit = normalise_emails(given["emails"])
        problems += unfit
    return normal, problems


def check_whole(record: Record, problems: list[Problem]) -> None:
    """Adds to `problems` what is wrong with a record as a whole, where each of its fields is right."""
    unfit = {path for path, _, _ in problems}
    if not any(record.get(name) for name in NAMES) and not unfit.intersection(NAMES):
        problems.append(("first_name", "name_required", "Needs a first name, a last name or a company name."))
    for name, other in (("external_source", "external_source_id"), ("external_source_id", "external_source")):
        if record.get(other) and not record.get(name) and not unfit.intersection((name, other)):
            problems.append((name, "required", f"Needed with {other}."))


def default_kind(record: Record) -> str:
    """The kind that nobody stated: a business if only a company's name is known."""
    return "business" if not (record.get("first_name") or record.get("last_name")) else "individual"


def demand_text(value: str, field: str, *, lines: bool = False) -> str:
    """The text as it is kept. Raises Invalid naming the field if it is blank, or holds what no text may."""
    try:
        text = clean_text(value, lines=lines)
    except UnfitText as error:
        raise invalid_field(field, str(error), "invalid_text") from error
    if text is None:
        raise invalid_field(field, "Holds no text.", "required")
    return text


def _text(value: str | None, path: str, problems: list[Problem], *, lines: bool = False) -> str | None:
    try:
        return clean_text(value, lines=lines) if value is not None else None
    except UnfitText as error:
        problems.append((path, "invalid_text", str(error)))
        return None


def _date_of_birth(value: dt.date | None, now: dt.datetime, problems: list[Problem]) -> dt.date | None:
    # The day has begun somewhere up to 14 hours before it does in UTC.
    if value is not None and value > (now + dt.timedelta(hours=14)).date():
        problems.append(("date_of_birth", "date_in_future", "Lies in the future."))
    elif value is not None and value < _OLDEST_BIRTH:
        problems.append(("date_of_birth", "invalid_date", "Lies too far back."))
    return value


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - {"localtime", "Factory", "posixrules"}


def _time_zone(value: str | None, now: dt.datetime, problems: list[Problem]) -> str | None:
    if value is not None and value not in _time_zones():
        problems.append(("time_zone", "unknown_time_zone", "Not an IANA time zone, like America/New_York."))
    return value


def _tags(value: list[str], now: dt.datetime, problems: list[Problem]) -> list[str]:
    tags: dict[str, str] = {}
    for position, given in enumerate(value):
        tag = _text(given, f"tags.{position}", problems)
        if tag is not None:
            tags.setdefault(tag_key(tag), tag)
    return list(tags.values())


def tag_key(tag: str) -> str:
    """The form in which two tags are the same."""
    return strip_accents(" ".join(tag.split()))[:60]


_CHECKS: dict[str, Callable[[Any, dt.datetime, list[Problem]], Any]] = {
    "date_of_birth": _date_of_birth,
    "time_zone": _time_zone,
    "tags": _tags,
}


def _custom_fields(
    given: Mapping[str, Any], stored: Record, fields: Sequence[Definition], problems: list[Problem]
) -> Record:
    """The custom fields with the given ones set, and those given as blank taken away."""
    cleaned: Record = {}
    for key, value in given.items():
        path, unfit = f"custom_fields.{key}", len(problems)
        if isinstance(value, str):
            # A blank text is left to be judged as blank.
            value = (_text(value, path, problems, lines=True) if is_storable(value) else value) or ""
        if len(problems) == unfit:
            cleaned[key] = value
    merged, unfit_values = merge(fields, stored, cleaned, creating=False, of="the firm's clients")
    problems += unfit_values
    return merged


def missing_fields(record: Record, fields: Sequence[Definition], problems: Sequence[Problem]) -> list[Problem]:
    """What a new client lacks of the fields that the firm requires, but for those that `problems` name already."""
    values, named = record.get("custom_fields") or {}, {path for path, _, _ in problems}
    lacking = [field.key for field in fields if field.required and field.removed_at is None and field.key not in values]
    paths = (f"custom_fields.{key}" for key in lacking)
    return [(path, "required", "This field is required.") for path in paths if path not in named]


def _government_ids(given: Sequence[Mapping[str, Any]], problems: list[Problem]) -> list[Record]:
    entries: list[Record] = []
    for position, entry in enumerate(given):
        path = f"government_ids.{position}.number"
        number = _text(entry["number"], path, problems)
        kept = {"kind": entry["kind"], "number": number, "country": entry.get("country")}
        if number is None and path not in {at for at, _, _ in problems}:
            problems.append((path, "required", "The number is blank."))
        elif kept in entries:
            problems.append((path, "given_twice", "Given twice."))
        entries.append(kept)
    return entries
