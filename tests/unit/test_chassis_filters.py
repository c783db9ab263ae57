"""What the filter language refuses, and how it names the place."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.filters.conditions import MOST_VALUES
from chassis.filters.fields import ALL_OPERATORS, OPERATORS, Catalogue, Field, Kind
from chassis.filters.lookup import read_filter, saved_filters_in
from chassis.filters.parsing import MOST_VALUES_IN_ALL, Vocabulary, mentions, parse
from chassis.filters.values import LONGEST_VALUE, MESSAGES
from chassis.texts import beyond, fold, is_storable
from contracts.errors import Invalid, NotFound

OPEN = {"field": "state", "op": "eq", "value": "open"}
SAVED_ID = "0190b5a0-0000-7000-8000-00000000000a"
OTHER_ID = "0190b5a0-0000-7000-8000-00000000000b"
ONE_ID, TWO_ID, THREE_ID, BROKEN_ID = (f"0190b5a0-0000-7000-8000-0000000000{n}0" for n in (1, 2, 3, 4))


class Nowhere:
    """What is only read needs no way to its values."""

    def test(self, *_: Any) -> Any:
        raise AssertionError("reading a filter makes no SQL")


def field(name: str, kind: Kind, *options: str) -> Field:
    return Field(name, kind, Nowhere(), options)


CATALOGUE = Catalogue(
    "boats",
    field("state", "word", "open", "closed"),
    field("name", "text"),
    field("length", "number"),
    field("built_at", "instant"),
    field("owner_id", "id"),
    families={"docked.": lambda port: field(f"docked.{port}", "day") if port else None},
)
VOCABULARY = Vocabulary(
    CATALOGUE,
    {
        "port": [field("custom_fields.port", "text")],
        "fee": [field("custom_fields.fee", "number"), field("custom_fields.fee", "text")],
        "old": [],
    },
    {ONE_ID: OPEN, TWO_ID: {"and": [{"saved_filter_id": THREE_ID}]}, THREE_ID: {"not": {"saved_filter_id": TWO_ID}},
     BROKEN_ID: {"and": [{"field": "gone", "op": "eq", "value": 1}]}},
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
        ({"field": "name", "op": "in", "value": ["x"] * (MOST_VALUES + 1)}, "filter.value"),
        ({"field": "name", "op": "eq", "value": "x" * (LONGEST_VALUE + 1)}, "filter.value"),
        ({"field": "name", "op": "eq", "value": "\ud800"}, "filter.value"),
        ({"field": "length", "op": "gt", "value": "lots"}, "filter.value"),
        ({"field": "length", "op": "gt", "value": True}, "filter.value"),
        ({"field": "length", "op": "between", "value": [1]}, "filter.value"),
        ({"field": "length", "op": "between", "value": [1, "b"]}, "filter.value.1"),
        ({"field": "length", "op": "between", "value": [2, 1]}, "filter.value"),
        ({"field": "docked.", "op": "is_empty"}, "filter.field"),
        ({"field": "docked.Bay", "op": "contains", "value": "x"}, "filter.op"),
        ({"field": "built_at", "op": "lt", "value": "2026-01-01T10:00:00"}, "filter.value"),
        ({"field": "built_at", "op": "older_than_days", "value": 1.5}, "filter.value"),
        ({"field": "built_at", "op": "older_than_days", "value": -1}, "filter.value"),
        ({"field": "owner_id", "op": "eq", "value": "x"}, "filter.value"),
        ({"field": "name.last", "op": "eq", "value": "x"}, "filter.field"),
        ({"field": "custom_fields.nothing", "op": "is_empty"}, "filter.field"),
        ({"field": "custom_fields.old", "op": "is_empty"}, "filter.field"),
        ({"field": "custom_fields.\x00", "op": "is_empty"}, "filter.field"),
        ({"field": "custom_fields.port", "op": "older_than_days", "value": 3}, "filter.op"),
        ({"field": "custom_fields.fee", "op": "eq", "value": False}, "filter.value"),
        ({"field": "custom_fields.fee", "op": "in", "value": [1, False]}, "filter.value.1"),
        ({"saved_filter_id": 7}, "filter.saved_filter_id"),
        ({"saved_filter_id": "s1"}, "filter.saved_filter_id"),
        ({"saved_filter_id": ONE_ID, "field": "x"}, "filter.field"),
        ({"or": [{"saved_filter_id": TWO_ID}]}, "filter.or.0.saved_filter_id"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(wire: Any, place: str) -> None:
    assert problem(wire)[0] == place


def test_what_is_wrong_in_a_saved_filter_is_named_at_its_reference() -> None:
    place, message = problem({"and": [OPEN, {"saved_filter_id": BROKEN_ID}]})
    assert place == "filter.and.1.saved_filter_id"
    assert "filter.and.0.field" in message


def test_a_filter_may_not_be_saved_as_what_leads_back_to_it() -> None:
    parse({"saved_filter_id": ONE_ID}, VOCABULARY, saved_as=OTHER_ID)
    for written in (ONE_ID, ONE_ID.upper(), f"{{{ONE_ID}}}", ONE_ID.replace("-", "")):
        with pytest.raises(Invalid):
            parse({"saved_filter_id": written}, VOCABULARY, saved_as=ONE_ID)


def test_depth_and_size_have_limits() -> None:
    deep: Any = OPEN
    for _ in range(9):
        deep = {"not": deep}
    parse(deep, VOCABULARY)
    assert "deeper" in problem({"not": deep})[1]
    parse({"or": [OPEN] * 200}, VOCABULARY)
    assert "More than" in problem({"and": [{"or": [OPEN] * 150}, {"or": [OPEN] * 51}]})[1]
    many = {"field": "name", "op": "in", "value": [str(number) for number in range(MOST_VALUES)]}
    parse({"or": [many] * (MOST_VALUES_IN_ALL // MOST_VALUES)}, VOCABULARY)
    assert problem({"or": [many] * (MOST_VALUES_IN_ALL // MOST_VALUES) + [OPEN]})[0] == "filter.or.10.value"
    bottomless: Any = OPEN
    for _ in range(100_000):
        bottomless = {"not": bottomless}
    assert mentions(bottomless).custom_fields == set()
    assert mentions({"field": "custom_fields.\x00", "op": "is_empty"}).custom_fields == set()
    assert "deeper" in problem(bottomless)[1]


@given(
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["name", "eq", ONE_ID])
        ),
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


def test_every_kind_of_field_has_its_operators() -> None:
    assert len(ALL_OPERATORS) == 15
    assert set(OPERATORS) == set(MESSAGES)


def test_what_a_custom_field_takes_in_some_kind_is_taken_in_that_kind() -> None:
    tree = parse({"field": "custom_fields.fee", "op": "in", "value": [1, "x", "2"]}, VOCABULARY)
    assert [(reading.field.kind, reading.values) for reading in tree.readings] == [
        ("number", (1, 2)),
        ("text", ("x", "2")),
    ]


def test_an_unknown_field_is_said_to_be_none_of_the_records() -> None:
    assert problem({"field": "colour", "op": "eq", "value": 1}) == ("filter.field", "Not a field of boats.")


def look_up(wire: Any, saved: dict[str, Any], asked: list[Any]) -> Any:
    def load_saved(ids: Any) -> dict[str, Any]:
        asked.append(ids)
        return {id_: saved[id_] for id_ in ids if id_ in saved}

    def load_custom_fields(keys: Any) -> dict[str, Any]:
        asked.append(keys)
        return {key: VOCABULARY.custom_fields[key] for key in keys if key in VOCABULARY.custom_fields}

    return read_filter(wire, CATALOGUE, load_saved=load_saved, load_custom_fields=load_custom_fields, path="filter")


def test_what_a_filter_mentions_is_looked_up_at_once_for_each_depth() -> None:
    fee = {"field": "custom_fields.fee", "op": "is_empty"}
    port = {"field": "custom_fields.port", "op": "is_empty"}
    wire = {"and": [{"saved_filter_id": SAVED_ID.upper()}, {"saved_filter_id": SAVED_ID}, port]}
    asked: list[Any] = []
    look_up(wire, {SAVED_ID: {"or": [{"saved_filter_id": OTHER_ID}, OPEN]}, OTHER_ID: fee}, asked)
    assert asked == [[SAVED_ID], [OTHER_ID], ["fee", "port"]]
    assert saved_filters_in(wire) == {SAVED_ID}
    asked.clear()
    look_up(OPEN, {}, asked)
    assert asked == []


def test_a_saved_filter_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound) as missing:
        look_up({"saved_filter_id": SAVED_ID}, {}, [])
    assert missing.value.code == "saved_filter_not_found"


@given(prefix=st.text(min_size=1, max_size=4), text=st.text(max_size=6))
def test_a_prefix_is_a_range(prefix: str, text: str) -> None:
    folded, wanted = fold(text), fold(prefix)
    if not (is_storable(text) and is_storable(prefix)):
        return
    upper = beyond(wanted)
    in_range = folded >= wanted and (upper is None or folded < upper)
    assert in_range == folded.startswith(wanted)
