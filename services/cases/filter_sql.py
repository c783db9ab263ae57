"""A filter's tree as one SQL condition on `Case`, the same on SQLite and PostgreSQL.

Every condition is true or false, never NULL, so that NOT is the true complement. Fields that are rows of other tables
become EXISTS on an index that begins with the case; no join multiplies cases.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import Select

from services.cases.filter_fields import Reading
from services.cases.filters import All, Complement, Condition, Node, Some
from services.cases.models import (
    Case,
    CaseClient,
    CaseFieldValue,
    CaseStaff,
    ClientConsent,
    ClientFacts,
    ClientTag,
)
from services.cases.texts import START_LENGTH, beyond, fold

Test = ColumnElement[bool]

COLUMNS: dict[str, InstrumentedAttribute[Any]] = {
    "number": Case.number,
    "name": Case.name,
    "description": Case.description,
    "source": Case.source,
    "external_source": Case.external_source,
    "external_source_id": Case.external_source_id,
    "status": Case.status,
    "state": Case.state,
    "case_type_id": Case.case_type_id,
    "responsible_staff_id": Case.responsible_staff_id,
    "value": Case.value,
    "created_at": Case.created_at,
    "updated_at": Case.updated_at,
}
FOLDED: dict[str, InstrumentedAttribute[Any]] = {
    "number": Case.number_folded,
    "name": Case.name_folded,
    "description": Case.description_folded,
    "source": Case.source_folded,
}


def condition(node: Node, *, now: dt.datetime) -> Test:
    """The SQL condition of a filter, on `Case`. `now` is what days are counted from."""
    match node:
        case All(parts):
            return and_(*(condition(part, now=now) for part in parts))
        case Some(parts):
            return or_(*(condition(part, now=now) for part in parts))
        case Complement(part):
            return not_(condition(part, now=now))
        case Condition(readings):
            return or_(*(_reading(reading, now) for reading in readings))


def _reading(reading: Reading, now: dt.datetime) -> Test:
    name = reading.field.name
    if reading.custom_key is not None:
        return _custom(reading, reading.custom_key, now)
    if name in COLUMNS:
        column = COLUMNS[name]
        if reading.test in ("contains", "starts_with"):
            return _known(FOLDED[name], _folded_test(FOLDED[name], reading))
        return _known(column, _test(column, reading, now))
    return _related(name, reading, now)


def _known(column: InstrumentedAttribute[Any], test: Test) -> Test:
    """The test, and false where there is no value."""
    return and_(column.is_not(None), test) if column.expression.nullable else test


def _related(name: str, reading: Reading, now: dt.datetime) -> Test:
    if name == "client_id":
        return _one(select(1).where(CaseClient.case_id == Case.id, _test(CaseClient.client_id, reading, now)))
    if name == "staff_ids":
        return _one(select(1).where(CaseStaff.case_id == Case.id, _test(CaseStaff.staff_id, reading, now)))
    of_case = select(1).select_from(CaseClient).where(CaseClient.case_id == Case.id)
    if name in ("clients.status", "clients.language"):
        column = ClientFacts.status if name == "clients.status" else ClientFacts.language
        joined = of_case.join(ClientFacts, ClientFacts.client_id == CaseClient.client_id)
        return _one(joined.where(_known(column, _test(column, reading, now))))
    if name == "clients.tags":
        joined = of_case.join(ClientTag, ClientTag.client_id == CaseClient.client_id)
        return _one(joined.where(_test(ClientTag.tag, reading, now)))
    channel = name.removeprefix("clients.consent.")
    joined = of_case.join(ClientConsent, ClientConsent.client_id == CaseClient.client_id)
    test = _known(ClientConsent.state, _test(ClientConsent.state, reading, now))
    return _one(joined.where(ClientConsent.channel == channel, test))


def _custom(reading: Reading, key: str, now: dt.datetime) -> Test:
    values = CaseFieldValue
    kind = reading.field.kind
    test: Test = true()
    if reading.test == "any":
        pass
    elif kind == "number":
        test = _test(values.number, reading, now)
    elif kind == "flag":
        test = values.number.in_([Decimal(int(value)) for value in reading.values])
    elif kind == "day":
        test = _test(values.day, reading, now)
    elif reading.test == "in":
        # By the start, which is indexed, and then by the whole.
        starts = {fold(value)[:START_LENGTH] for value in reading.values}
        test = and_(values.start.in_(sorted(starts)), values.text.in_(reading.values))
    else:
        test = _folded_test(values.folded, reading, indexed=values.start)
    held = _one(select(1).where(values.case_id == Case.id, values.key == key, test))
    return held if reading.case_type_ids is None else and_(Case.case_type_id.in_(reading.case_type_ids), held)


def _one(rows: Select[Any]) -> Test:
    return exists(rows.correlate(Case))


def _folded_test(
    column: InstrumentedAttribute[Any], reading: Reading, indexed: InstrumentedAttribute[Any] | None = None
) -> Test:
    wanted = fold(reading.values[0])
    if reading.test == "contains":
        return column.contains(wanted, autoescape=True)
    # A range, which an index serves on both databases. (The index of custom fields holds the start only.)
    start = wanted if indexed is None else wanted[:START_LENGTH]
    by = column if indexed is None else indexed
    upper = beyond(start)
    test = by >= start if upper is None else and_(by >= start, by < upper)
    return test if len(start) == len(wanted) else and_(test, column.startswith(wanted, autoescape=True))


def _days(column: InstrumentedAttribute[Any], reading: Reading, now: dt.datetime) -> Test:
    at: dt.date = now.astimezone(dt.UTC).date() if reading.field.kind == "day" else now
    days = dt.timedelta(days=reading.values[0])
    return column < at - days if reading.test == "older_than_days" else column.between(at, at + days)


_TESTS: dict[str, Callable[[InstrumentedAttribute[Any], tuple[Any, ...]], Test]] = {
    "any": lambda column, values: column.is_not(None),
    "in": lambda column, values: column == values[0] if len(values) == 1 else column.in_(values),
    "gt": lambda column, values: column > values[0],
    "gte": lambda column, values: column >= values[0],
    "lt": lambda column, values: column < values[0],
    "lte": lambda column, values: column <= values[0],
    "between": lambda column, values: column.between(values[0], values[1]),
}


def _test(column: InstrumentedAttribute[Any], reading: Reading, now: dt.datetime) -> Test:
    if reading.test in ("older_than_days", "within_next_days"):
        return _days(column, reading, now)
    return _TESTS[reading.test](column, reading.values)
