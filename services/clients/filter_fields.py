"""The fields of clients that a filter may name, and how they are reached from a client.

A field is a set of values (see `chassis.filters`): tags, emails, phones and what an address holds can have several.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, not_, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import Select

from chassis.filters.fields import CUSTOM, CUSTOM_KINDS, Catalogue, Field, Reach, Reading
from chassis.filters.sql import Column, Lowered, Rows
from contracts.clients import CLIENT_STATUSES
from services.clients.addresses import UnfitAddress, email_key, parse_phone
from services.clients.checking import tag_key
from services.clients.custom_values import CustomValue
from services.clients.models import (
    Client,
    ClientAddress,
    ClientEmail,
    ClientGroupMember,
    ClientPhone,
    ClientTag,
    LastActivity,
    LastCase,
)

Test = ColumnElement[bool]


@dataclass(frozen=True, eq=False)
class _Normal:
    """A field whose values are kept in a form of their own: what a filter gives is brought into it first."""

    reach: Reach
    normal: Callable[[str], str]

    def test(self, reading: Reading, now: dt.datetime) -> Test:
        values = tuple(self.normal(value) for value in reading.values)
        return self.reach.test(Reading(reading.field, reading.test, values), now)


@dataclass(frozen=True, eq=False)
class _Holds:
    """A flag that is true where a condition holds. It is never empty."""

    condition: Test

    def test(self, reading: Reading, now: dt.datetime) -> Test:
        if reading.test == "any":
            return true()
        return or_(*(self.condition if value else not_(self.condition) for value in reading.values))


def _rows(of_client: InstrumentedAttribute[str]) -> Select[Any]:
    """The rows of a table that belong to the client, by their index that begins with the client."""
    return select(1).where(of_client == Client.id).correlate(Client)


def _postal(column: Any) -> Rows:
    return Rows(_rows(ClientAddress.client_id), Lowered(column))  # type: ignore[arg-type]


def _number(text: str) -> str:
    """In E.164; a part of a number as its digits."""
    try:
        return parse_phone(text)[0]
    except UnfitAddress:
        return "".join(character for character in text if character in "+0123456789") or text


CLIENT_FIELDS = Catalogue(
    "clients",
    Field("kind", "word", Column(Client.kind), ("individual", "business")),
    Field("status", "word", Column(Client.status), CLIENT_STATUSES),
    Field("first_name", "text", Lowered(Client.first_name)),
    Field("middle_name", "text", Lowered(Client.middle_name)),
    Field("last_name", "text", Lowered(Client.last_name)),
    Field("company_name", "text", Lowered(Client.company_name)),
    Field("occupation", "text", Lowered(Client.occupation)),
    Field("industry", "text", Lowered(Client.industry)),
    Field("referral_source", "text", Lowered(Client.referral_source)),
    Field("language", "word", Column(Client.language)),
    Field("time_zone", "word", Column(Client.time_zone)),
    Field("assigned_staff_id", "id", Column(Client.assigned_staff_id)),
    Field("flagged", "flag", _Holds(Client.flag_reason.is_not(None))),
    Field("spam", "flag", _Holds(Client.spam)),  # type: ignore[arg-type]
    Field("external_source", "word", Column(Client.external_source)),
    Field("external_source_id", "word", Column(Client.external_source_id)),
    Field("created_at", "instant", Column(Client.created_at)),
    Field("updated_at", "instant", Column(Client.updated_at)),
    Field("last_activity_at", "instant", Rows(_rows(LastActivity.client_id), Column(LastActivity.at))),
    Field("last_case_at", "instant", Rows(_rows(LastCase.client_id), Column(LastCase.at))),
    Field("referral_source", "text", Lowered(Client.referral_source)),
    Field("industry", "text", Lowered(Client.industry)),
    Field("tags", "words", _Normal(Rows(_rows(ClientTag.client_id), Column(ClientTag.key)), tag_key)),
    # Of groups by a filter, the filter itself is what can be asked for.
    Field("groups", "id", Rows(_rows(ClientGroupMember.client_id), Column(ClientGroupMember.group_id))),
    Field("email", "text", _Normal(Rows(_rows(ClientEmail.client_id), Lowered(ClientEmail.key)), email_key)),  # type: ignore[arg-type]
    Field("phone", "text", _Normal(Rows(_rows(ClientPhone.client_id), Lowered(ClientPhone.number)), _number)),  # type: ignore[arg-type]
    Field("city", "text", _postal(ClientAddress.city)),
    Field("state", "text", _postal(ClientAddress.state)),
    Field("postal_code", "text", _postal(ClientAddress.postal_code)),
    Field("country", "word", Rows(_rows(ClientAddress.client_id), Column(ClientAddress.country))),
)


def custom_meaning(key: str, type_: str) -> Field:
    """A firm's own field in the kind of its type."""
    return Field(f"{CUSTOM}{key}", CUSTOM_KINDS[type_], CustomValue(key, type_ == "money"))
