"""Firms and their settings."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import zoneinfo
from collections.abc import Sequence
from typing import Any

import holidays
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.database import Database
from contracts.accounts import FIRM_CHANGED, STAFF_CHANGED, WEEKDAYS
from contracts.errors import NotFound, invalid_field
from services.accounts.credentials import NewKey, key_row
from services.accounts.models import Firm, Staff

Record = dict[str, Any]
Span = dict[str, dt.time]

_OFFICE_HOURS = [{"opens": "09:00", "closes": "17:00"}]
DEFAULTS: Record = {
    "time_zone": "America/New_York",
    "locale": "en",
    "business_hours": dict.fromkeys(WEEKDAYS[:5], _OFFICE_HOURS),
    "holidays": [],
    "quiet_hours": {"opens": "08:00", "closes": "21:00"},
    "postal_address": None,
    "branding": {},
    "require_opt_in": False,
    "allow_manual_reply": False,
    "link_days": 14,
    "holiday_calendar": None,
    "opt_out_scope": "channel",
}
"""What a firm that says nothing has, as it is stored."""


def create_firm(db: Database, now: dt.datetime, key: NewKey, **command: Any) -> Record:
    """A firm with its owner and the owner's API key, all or nothing: {"firm", "staff_id", "api_key"}.

    Raises Invalid. The key is in this answer and nowhere else.
    """
    owner_name = command.pop("owner_name", "Owner")
    owner_email = command.pop("owner_email", None)
    settings = DEFAULTS | stored(command)
    firm = Firm(firm_id=new_id(), created_at=now, updated_at=now, **settings)
    owner = Staff(
        id=new_id(),
        firm_id=firm.firm_id,
        name=owner_name,
        email=owner_email.lower() if owner_email else None,
        role="owner",
        created_at=now,
        updated_at=now,
    )
    with db.for_firm(firm.firm_id).unit_of_work() as uow:
        uow.session.add(firm)
        uow.session.flush()
        uow.session.add(owner)
        uow.session.flush()
        uow.session.add(key_row(key, now, staff_id=owner.id, name="first key"))
        _announce(uow, firm, sorted(settings))
        uow.emit(STAFF_CHANGED, owner.id, {"staff_id": owner.id, "active": True, "role": owner.role})
    return {"firm": as_record(firm), "staff_id": owner.id, "api_key": key.key}


def get_firm(db: Database) -> Record:
    """The firm of the work in hand. Raises NotFound `firm_not_found`."""
    with db.read() as session:
        return as_record(_find(session))


def update_firm(db: Database, now: dt.datetime, changes: Record, expected_version: int | None = None) -> Record:
    """Sets the named settings and leaves the others. Raises NotFound, Invalid, or Conflict `stale_version`."""
    values = stored(changes)
    with db.unit_of_work() as uow:
        firm = _find(uow.session, lock=True)
        firm.expect_version(expected_version)
        changed = sorted(name for name, value in values.items() if getattr(firm, name) != value)
        for name in changed:
            setattr(firm, name, values[name])
        if changed:
            firm.touch(now)
            _announce(uow, firm, changed)
        return uow.answer(as_record(firm))


def stored(settings: Record) -> Record:
    """Checked settings as they are stored: times as `HH:MM`, days as ISO dates, in order. Raises Invalid."""
    values = dict(settings)
    if "time_zone" in values and values["time_zone"] not in _time_zones():
        raise invalid_field("time_zone", "Not a time zone of the IANA database, such as America/New_York.")
    if "business_hours" in values:
        values["business_hours"] = {
            day: _stored_spans(spans, f"business_hours.{day}") for day, spans in values["business_hours"].items()
        }
    if values.get("quiet_hours") is not None:
        values["quiet_hours"] = _stored_spans([values["quiet_hours"]], "quiet_hours")[0]
    if values.get("holiday_calendar") is not None and not _knows(values["holiday_calendar"]):
        raise invalid_field("holiday_calendar", "Not a country, or a region of one, whose holidays are known.")
    if "holidays" in values:
        values["holidays"] = sorted({day.isoformat() for day in values["holidays"]})
    return values


def as_record(firm: Firm) -> Record:
    """The firm as the contract describes it."""
    return {
        "id": firm.firm_id,
        "version": firm.version,
        "created_at": firm.created_at,
        "updated_at": firm.updated_at,
        "name": firm.name,
        "time_zone": firm.time_zone,
        "locale": firm.locale,
        "business_hours": {day: [_span(span) for span in spans] for day, spans in firm.business_hours.items()},
        "holidays": [dt.date.fromisoformat(day) for day in firm.holidays],
        "quiet_hours": _span(firm.quiet_hours) if firm.quiet_hours else None,
        "postal_address": firm.postal_address,
        "branding": firm.branding,
        "require_opt_in": firm.require_opt_in,
        "allow_manual_reply": firm.allow_manual_reply,
        "closed_days": closed_days(firm.holidays, firm.holiday_calendar, utc_now().year),
        "link_days": firm.link_days,
        "holiday_calendar": firm.holiday_calendar,
        "opt_out_scope": firm.opt_out_scope,
    }


def lock_firm(session: Session) -> None:
    """Makes the changes of one firm's staff wait for each other, so that rules about all of them hold."""
    _find(session, lock=True)


def _find(session: Session, *, lock: bool = False) -> Firm:
    statement = select(Firm)
    firm = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if firm is None:
        raise NotFound("firm_not_found")
    return firm


def _announce(uow: Any, firm: Firm, changed: list[str]) -> None:
    data = {"firm_id": firm.firm_id, "changed": changed, "version": firm.version}
    uow.emit(FIRM_CHANGED, firm.firm_id, data, aggregate_version=firm.version)


def _stored_spans(spans: list[Span], field: str) -> list[dict[str, str]]:
    ordered = sorted(spans, key=lambda span: span["opens"])
    for span in ordered:
        if span["opens"] >= span["closes"]:
            raise invalid_field(field, "Opens before it closes.")
    for earlier, later in itertools.pairwise(ordered):
        if later["opens"] < earlier["closes"]:
            raise invalid_field(field, "Hours overlap.")
    return [{name: f"{moment:%H:%M}" for name, moment in span.items()} for span in ordered]


def closed_days(own: Sequence[str], calendar: str | None, year: int) -> list[dt.date]:
    """A firm's own holidays and those of its calendar, from the year before `year` to the second after it, in order."""
    days = {dt.date.fromisoformat(day) for day in own}
    if calendar is not None:
        days |= _public_holidays(calendar, year)
    return sorted(days)


@functools.lru_cache(maxsize=200)
def _public_holidays(calendar: str, year: int) -> frozenset[dt.date]:
    country, _, region = calendar.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=region or None, years=range(year - 1, year + 3)))


def _knows(calendar: str) -> bool:
    country, _, region = calendar.partition("-")
    regions = holidays.list_supported_countries().get(country)
    return regions is not None and (not region or region in regions)


def _span(stored_span: dict[str, str]) -> Span:
    return {name: dt.time.fromisoformat(text) for name, text in stored_span.items()}


@functools.cache
def _time_zones() -> frozenset[str]:
    # "Factory" and "localtime" are in the list and mean no place.
    return frozenset(zoneinfo.available_timezones()) - {"Factory", "localtime", "posixrules"}
