"""What the filter language refuses, and how it names the place."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cases import FIELD_TYPES
from contracts.errors import Invalid
from services.cases.filter_fields import ALL_OPERATORS, CUSTOM_KINDS, OPERATORS
from services.cases.filters import Vocabulary, mentions, parse
from services.cases.models import CustomField
from services.cases.texts import beyond, fold, is_storable

OPEN = {"field": "state", "op": "eq", "value": "open"}


def custom(key: str, kind: str, case_type_id: str = "t1", removed_at: Any = None) -> CustomField:
    return CustomField(key=key, type=kind, case_type_id=case_type_id, removed_at=removed_at)


VOCABULARY = Vocabulary(
    {
        "court": [custom("court", "choice")],
        "fee": [custom("fee", "money"), custom("fee", "text", "t2")],
        "old": [custom("old", "text", removed_at="then")],
    },
    {"s1": OPEN, "s2": {"and": [{"saved_filter_id": "s3"}]}, "s3": {"not": {"saved_filter_id": "s2"}},
     "broken": {"and": [{"field": "gone", "op": "eq", "value": 1}]}},
)  # fmt: skip


def problem(wire: Any) -> tuple[str, str]:
    with pytest.raises(Invalid) as refused:
        parse(wire, VOCABULARY)
    (entry,) = refused.value.fields
    return entry["field"], entry["message"]


@pytest.mark.parametrize(
    ("wire", "place"),
    [
        (None, "filter"),
        ([], "filter"),
        ({}, "filter"),
        ({"and": []}, "filter.and"),
        ({"and": OPEN}, "filter.and"),
        ({"and": [OPEN], "or": [OPEN]}, "filter.or"),
        ({"and": [OPEN, {"field": "colour", "op": "eq", "value": 1}]}, "filter.and.1.field"),
        ({"not": {"or": [{**OPEN, "field": 5}]}}, "filter.not.or.0.field"),
        ({**OPEN, "extra": 1}, "filter.extra"),
        ({**OPEN, "op": "like"}, "filter.op"),
        ({**OPEN, "op": None}, "filter.op"),
        ({**OPEN, "op": "gt"}, "filter.op"),
        ({"field": "state", "op": "eq"}, "filter.value"),
        ({**OPEN, "value": None}, "filter.value"),
        ({**OPEN, "value": "ajar"}, "filter.value"),
        ({**OPEN, "op": "is_empty"}, "filter.value"),
        ({**OPEN, "op": "in"}, "filter.value"),
        ({**OPEN, "op": "in", "value": []}, "filter.value"),
        ({**OPEN, "op": "in", "value": ["open", 5]}, "filter.value.1"),
        ({"field": "name", "op": "in", "value": ["x"] * 1001}, "filter.value"),
        ({"field": "name", "op": "eq", "value": "x" * 1001}, "filter.value"),
        ({"field": "name", "op": "eq", "value": "\ud800"}, "filter.value"),
        ({"field": "value", "op": "gt", "value": "lots"}, "filter.value"),
        ({"field": "value", "op": "gt", "value": True}, "filter.value"),
        ({"field": "value", "op": "between", "value": [1]}, "filter.value"),
        ({"field": "value", "op": "between", "value": [1, "b"]}, "filter.value.1"),
        ({"field": "created_at", "op": "lt", "value": "2026-01-01T10:00:00"}, "filter.value"),
        ({"field": "created_at", "op": "older_than_days", "value": 1.5}, "filter.value"),
        ({"field": "created_at", "op": "older_than_days", "value": -1}, "filter.value"),
        ({"field": "case_type_id", "op": "eq", "value": "x"}, "filter.value"),
        ({"field": "clients.consent.fax", "op": "eq", "value": "opted_in"}, "filter.field"),
        ({"field": "custom_fields.nothing", "op": "is_empty"}, "filter.field"),
        ({"field": "custom_fields.old", "op": "is_empty"}, "filter.field"),
        ({"field": "custom_fields.court", "op": "older_than_days", "value": 3}, "filter.op"),
        ({"field": "custom_fields.fee", "op": "eq", "value": False}, "filter.value"),
        ({"field": "custom_fields.fee", "op": "in", "value": [1, False]}, "filter.value.1"),
        ({"saved_filter_id": 7}, "filter.saved_filter_id"),
        ({"saved_filter_id": "s1", "field": "x"}, "filter.field"),
        ({"or": [{"saved_filter_id": "s2"}]}, "filter.or.0.saved_filter_id"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(wire: Any, place: str) -> None:
    assert problem(wire)[0] == place


def test_what_is_wrong_in_a_saved_filter_is_named_at_its_reference() -> None:
    place, message = problem({"and": [OPEN, {"saved_filter_id": "broken"}]})
    assert place == "filter.and.1.saved_filter_id"
    assert "filter.and.0.field" in message


def test_a_filter_may_not_be_saved_as_what_leads_back_to_it() -> None:
    parse({"saved_filter_id": "s1"}, VOCABULARY, saved_as="other")
    with pytest.raises(Invalid):
        parse({"saved_filter_id": "s1"}, VOCABULARY, saved_as="s1")


def test_depth_and_size_have_limits() -> None:
    deep: Any = OPEN
    for _ in range(9):
        deep = {"not": deep}
    parse(deep, VOCABULARY)
    assert "deeper" in problem({"not": deep})[1]
    parse({"or": [OPEN] * 200}, VOCABULARY)
    assert "More than" in problem({"and": [{"or": [OPEN] * 150}, {"or": [OPEN] * 51}]})[1]
    bottomless: Any = OPEN
    for _ in range(100_000):
        bottomless = {"not": bottomless}
    assert mentions(bottomless).custom_fields == set()
    assert "deeper" in problem(bottomless)[1]


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["name", "eq", "s1"])),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["and", "or", "not", "field", "op", "value", "saved_filter_id", "x"]), inner, max_size=3
            ),
        ),
        max_leaves=8,
    )
)
def test_anything_else_is_refused_and_nothing_else_happens(wire: Any) -> None:
    mentions(wire)
    with suppress(Invalid):
        parse(json.loads(json.dumps(wire)), VOCABULARY)


def test_every_type_of_field_has_its_operators() -> None:
    assert set(CUSTOM_KINDS) == set(FIELD_TYPES)
    assert set(CUSTOM_KINDS.values()) <= set(OPERATORS)
    assert len(ALL_OPERATORS) == 15


@given(prefix=st.text(min_size=1, max_size=4), text=st.text(max_size=6))
def test_a_prefix_is_a_range(prefix: str, text: str) -> None:
    folded, wanted = fold(text), fold(prefix)
    if not (is_storable(text) and is_storable(prefix)):
        return
    upper = beyond(wanted)
    in_range = folded >= wanted and (upper is None or folded < upper)
    assert in_range == folded.startswith(wanted)
