"""Clients as a table, in columns that an import understands by the same names: importing an export changes nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from chassis.cells import neutral_text
from chassis.database import Database
from chassis.imports.cell_texts import text_of
from services.clients import cards, government_cells
from services.clients.checking import Record
from services.clients.custom_fields import definitions
from services.clients.imports.mapping import ADDRESS_FIELDS, CUSTOM, EMAIL_FIELDS, numbered
from services.clients.models import Client, ClientAddress, ClientEmail, ClientPhone
from services.clients.selecting import select_ids
from services.clients.showing import SENSITIVE, sees_sensitive, shown

PAGE = 1000
_LARGEST_PAGE = 4_000_000
"""Characters: a message on the bus has a largest size."""
_BEFORE = (
    "id", "kind", "first_name", "middle_name", "last_name", "company_name", "date_of_birth", "government_ids",
    "occupation", "industry", "referral_source", "special_requirements", "status", "spam", "flag_reason", "language",
    "time_zone", "assigned_staff_id", "tags",
)  # fmt: skip
_AFTER = ("external_source", "external_source_id", "created_at", "updated_at", "last_activity_at")
_PHONES = numbered("phone")
Cell = Callable[[Record], str]


def list_export_columns(db: Database, now: dt.datetime, **query: Any) -> dict[str, Any]:
    """{"columns"} for the clients of a query: of phones, email addresses and postal addresses as many as the client
    with the most has, and every field of the firm's. What is sensitive is left out for whoever may not see it.

    Raises as `selecting.select_ids` does.
    """
    with db.read() as session:
        ids = select_ids(session, query, now=now)
        phones, emails, addresses = (
            max(1, 1 + (session.scalar(select(func.max(model.position)).where(model.client_id.in_(ids))) or 0))
            for model in (ClientPhone, ClientEmail, ClientAddress)
        )
        hides = not sees_sensitive()
        keys = [field.key for field in definitions(session) if not (field.removed_at or (hides and field.sensitive))]
    return {
        "columns": [
            *(name for name in _BEFORE if not (hides and name in SENSITIVE)),
            *(name for phone in _PHONES[:phones] for name in (phone, f"{phone}_kind")),
            *EMAIL_FIELDS[:emails],
            *(name for name, (number, _) in ADDRESS_FIELDS.items() if number <= addresses),
            *_AFTER,
            *(CUSTOM + key for key in keys),
        ]
    }


def list_export_rows(
    db: Database, now: dt.datetime, *, columns: Sequence[str], after: str | None = None, **query: Any
) -> dict[str, Any]:
    """A page of the table, the oldest clients first: {"rows": lines of CSV, "after": what asks for the next page}.

    A column that is not known is empty. Raises as `selecting.select_ids` does.
    """
    with db.read() as session:
        ids = select_ids(session, query, now=now)
        if after is not None:
            ids = ids.where(Client.id > after)
        page = list(session.scalars(ids.order_by(Client.id).limit(PAGE)))
        records = {record["id"]: record for record in shown(session, cards.load(session, page).values())}
    cells = [_cell_of(column) for column in columns]
    text = io.StringIO()
    writer = csv.writer(text)
    last = None
    for last in page:
        # One that was deleted meanwhile is left out.
        if (record := records.get(last)) is not None:
            for name in ("phones", "emails"):
                # The primary one first: an import takes the first for it.
                record[name].sort(key=lambda entry: not entry["primary"])
            writer.writerow([neutral_text(cell(record)) for cell in cells])
        if text.tell() > _LARGEST_PAGE:
            break
    is_whole = len(page) < PAGE and last == (page[-1] if page else None)
    return {"rows": text.getvalue(), "after": None if is_whole else last}


def _cell_of(column: str) -> Cell:
    """What writes a column's cell."""
    if column.startswith(CUSTOM):
        key = column.removeprefix(CUSTOM)
        return lambda record: text_of(record["custom_fields"].get(key))
    if column in _IN_LISTS:
        name, place, part = _IN_LISTS[column]
        return lambda record: text_of(record[name][place][part]) if place < len(record[name]) else ""
    if column == government_cells.FIELD:
        return lambda record: government_cells.written(record[column])
    if column in _BEFORE or column in _AFTER:
        return lambda record: text_of(record[column])
    return lambda record: ""


_IN_LISTS: Mapping[str, tuple[str, int, str]] = {
    **{name: ("phones", place, "number") for place, name in enumerate(_PHONES)},
    **{f"{name}_kind": ("phones", place, "kind") for place, name in enumerate(_PHONES)},
    **{name: ("emails", place, "address") for place, name in enumerate(EMAIL_FIELDS)},
    **{name: ("addresses", number - 1, part) for name, (number, part) in ADDRESS_FIELDS.items()},
}
