"""The filter language and the selectors in SQL against sets in memory, on both databases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select as sql_select

from chassis.columns import new_id
from chassis.filters.sql import condition
from chassis.value_sets import among
from services.cases.filter_lookup import read_filter
from services.cases.looking_ahead import KeptSelections
from services.cases.models import Base, Case
from services.cases.selecting import select_cases
from tests.examples import examples
from tests.service.cases_model import holds, select
from tests.service.cases_office import NOW, Estate, Office, make_estate

EMPTINESS = ("is_empty", "is_not_empty")
EQUALITY = ("eq", "ne", "in", "not_in")
ORDER = ("gt", "gte", "lt", "lte", "between")
DAYS = ("older_than_days", "within_next_days")
TEXT = (*EQUALITY, "contains", "starts_with", *EMPTINESS)
WORD = (*EQUALITY, *EMPTINESS)

OPERATORS = {
    **dict.fromkeys(("number", "name", "description", "source", "custom_fields.notes", "custom_fields.court"), TEXT),
    **dict.fromkeys(("external_source", "external_source_id", "status", "state", "clients.status", "clients.language",
                     "clients.consent.sms", "clients.consent.email", "clients.consent.phone", "case_type_id",
                     "responsible_staff_id", "staff_ids", "client_id"), WORD),
    **dict.fromkeys(("value", "custom_fields.estate"), (*EQUALITY, *ORDER, *EMPTINESS)),
    "custom_fields.heirs": (*EQUALITY, *ORDER, *EMPTINESS, "contains", "starts_with"),
    **dict.fromkeys(("custom_fields.hearing", "key_dates", "key_dates.D0", "key_dates. d1"),
                    (*EQUALITY, *ORDER, *DAYS, *EMPTINESS)),
    "custom_fields.contested": ("eq", "ne", *EMPTINESS),
    **dict.fromkeys(("clients.tags", "custom_fields.topics"), (*EQUALITY, "contains", *EMPTINESS)),
    **dict.fromkeys(("created_at", "updated_at"), ("eq", "ne", *ORDER, *DAYS, *EMPTINESS)),
}  # fmt: skip
EXTRA: dict[str, list[Any]] = {
    "clients.consent.phone": ["opted_in"],
    "state": ["open", "closed"],
    **{name: [dt.date(2026, 11, 21)] for name in ("custom_fields.hearing", "key_dates.D0", "key_dates. d1")},
}


HERE = NOW.astimezone(ZoneInfo("America/New_York"))


def wire_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value) if value % 1 else int(value)
    return value.isoformat() if isinstance(value, dt.date) else value


@st.composite
def conditions(draw: st.DrawFn, estate: Estate) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(OPERATORS)))
    op = draw(st.sampled_from(OPERATORS[name]))
    pool = estate.pool.get(name, []) + EXTRA.get(name, [])
    if op in EMPTINESS:
        return {"field": name, "op": op}
    if op in DAYS:
        return {"field": name, "op": op, "value": draw(st.integers(0, 500))}
    if op in ("contains", "starts_with"):
        texts = st.sampled_from([value for value in pool if isinstance(value, str)])
        if name not in ("clients.tags", "custom_fields.topics"):
            texts = st.one_of(st.text(max_size=3, alphabet="aAsSß%_\\Áá10"), texts.flatmap(_pieces))
        return {"field": name, "op": op, "value": draw(texts)}
    if op in ORDER:
        pool = [value for value in pool if not isinstance(value, str)]
    value = st.sampled_from(pool).map(wire_value)
    if op in ("in", "not_in"):
        return {"field": name, "op": op, "value": draw(st.lists(value, min_size=1, max_size=3))}
    if op == "between":
        ends = draw(st.lists(st.sampled_from(pool), min_size=2, max_size=2).map(sorted))
        return {"field": name, "op": op, "value": [wire_value(end) for end in ends]}
    return {"field": name, "op": op, "value": draw(value)}


def _pieces(text: str) -> st.SearchStrategy[str]:
    return st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(lambda ends: text[min(ends) : max(ends)])


def filters(estate: Estate) -> st.SearchStrategy[dict[str, Any]]:
    def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.lists(inner, min_size=1, max_size=3)
        return st.one_of(
            several.map(lambda parts: {"and": parts}),
            several.map(lambda parts: {"or": parts}),
            inner.map(lambda part: {"not": part}),
        )

    return st.recursive(conditions(estate), nested, max_leaves=6)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def estate(request: pytest.FixtureRequest) -> Estate:
    db = request.getfixturevalue(f"emptied_{request.param}")(Base)
    # Another firm's cases, made alike, are in the same tables and never in an answer.
    make_estate(Office(db), 10, seed=8)
    return make_estate(Office(db), 100)


def found(estate: Estate, wire: dict[str, Any]) -> set[str]:
    with estate.office.db.read() as session:
        test = condition(read_filter(session, wire, path="filter"), now=HERE)
        return set(session.scalars(sql_select(Case.id).where(test)))


def slow_enough(quick: int) -> settings:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=examples(quick), deadline=None, suppress_health_check=checks, database=None, derandomize=True
    )


@slow_enough(30)
@given(data=st.data())
def test_a_filter_finds_what_the_sets_say(estate: Estate, data: st.DataObject) -> None:
    wire = data.draw(filters(estate))
    assert found(estate, wire) == {case.id for case in estate.cases if holds(wire, case, HERE)}


@slow_enough(8)
@given(data=st.data())
def test_not_is_the_true_complement(estate: Estate, data: st.DataObject) -> None:
    wire = data.draw(filters(estate))
    everything = {case.id for case in estate.cases}
    assert found(estate, {"not": wire}) == everything - found(estate, wire)


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_every_field_with_every_operator(estate: Estate, name: str) -> None:
    for op in OPERATORS[name]:
        for wire in plain_conditions(estate, name, op):
            assert found(estate, wire) == {case.id for case in estate.cases if holds(wire, case, HERE)}, wire


def plain_conditions(estate: Estate, name: str, op: str) -> Iterator[dict[str, Any]]:
    pool = estate.pool.get(name, []) + EXTRA.get(name, [])
    if op in ORDER:
        pool = [value for value in pool if not isinstance(value, str)]
    if op in ("contains", "starts_with"):
        pool = [value for value in pool if isinstance(value, str)]
    tried = [wire_value(value) for value in pool][:5] if op not in DAYS else [0, 3, 30]
    for value in [None] if op in EMPTINESS else tried:
        wire = {"field": name, "op": op, "value": value}
        if op in ("in", "not_in"):
            wire["value"] = [value, tried[-1]]
        if op == "between":
            wire["value"] = sorted([value, tried[-1]])
        yield wire


@slow_enough(20)
@given(data=st.data())
def test_a_selector_selects_what_the_sets_say(estate: Estate, data: st.DataObject, lists: dict[str, Any]) -> None:
    ids = st.lists(st.sampled_from([case.id for case in estate.cases]), min_size=1, max_size=40)
    parts: dict[str, Any] = {
        "case_ids": ids,
        "case_filter": filters(estate),
        "case_list_ids": st.lists(st.sampled_from(sorted(lists)), min_size=1, max_size=3),
        "include_case_ids": ids,
        "exclude_case_ids": ids,
    }
    selector = data.draw(
        st.fixed_dictionaries({}, optional=parts).filter(lambda drawn: set(drawn) - {"exclude_case_ids"})
    )
    limit = data.draw(st.sampled_from([3, 50, 5000]))
    expected = select(selector, estate.cases, lists, NOW)
    pages, cursor = [], None
    kept = data.draw(st.sampled_from([None, KeptSelections()]))
    while True:
        page = select_cases(estate.office.db, selector, limit=limit, cursor=cursor, now=NOW, kept=kept)
        pages.append(page)
        assert page["meta"]["total"] == len(expected)
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            break
    rows = [row for page in pages for row in page["data"]]
    assert [row["case_id"] for row in rows] == sorted(expected)
    clients = {case.id: case.values["client_id"] for case in estate.cases}
    assert all(set(row["client_ids"]) == clients[row["case_id"]] for row in rows)


@pytest.fixture(scope="module")
def lists(estate: Estate) -> dict[str, dict[str, Any]]:
    """Case lists of each kind: static, dynamic, mixed, and one whose filter is a saved one inside another."""
    service, ids = estate.office.service, [case.id for case in estate.cases]
    open_ones = {"field": "state", "op": "eq", "value": "open"}
    saved = service.create_saved_filter("Open", open_ones)
    outer = service.create_saved_filter("Not open", {"not": {"saved_filter_id": saved["id"]}})
    wanted = [
        {"include_ids": ids[5:20]},
        {"filter": open_ones},
        {"filter": open_ones, "include_ids": ids[:30], "exclude_ids": ids[20:60]},
        {"filter": {"or": [{"saved_filter_id": outer["id"]}, {"field": "name", "op": "starts_with", "value": "s"}]}},
    ]
    found_lists = {}
    for number, entry in enumerate(wanted):
        made = service.create_case_list(name=f"List {number}", **entry)
        plain = {"include_ids": [], "exclude_ids": [], "filter": None, **entry}
        if number == 3:
            plain["filter"] = {"or": [{"not": open_ones}, {"field": "name", "op": "starts_with", "value": "s"}]}
        found_lists[made["id"]] = plain
    return found_lists


def test_a_case_list_counts_its_cases(estate: Estate, lists: dict[str, Any]) -> None:
    for list_id in lists:
        expected = select({"case_list_ids": [list_id]}, estate.cases, lists, NOW)
        assert estate.office.service.get_case_list(list_id)["case_count"] == len(expected)


def test_ten_thousand_ids_are_one_parameter(estate: Estate) -> None:
    some = [case.id for case in estate.cases][:50]
    with estate.office.db.read() as session:
        many = [*some, *(new_id() for _ in range(9_950))]
        assert set(session.scalars(sql_select(Case.id).where(among(session, Case.id, many)))) == set(some)
