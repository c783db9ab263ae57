"""What custom fields take, and what they keep of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.custom_fields import Refused, canonical, visible
from contracts.custom_fields import FIELD_TYPES
from contracts.tasks import QUESTION_KINDS
from services.cases.custom_fields import FITTING_QUESTIONS, index_rows, merged
from services.cases.models import CustomField


def field(kind: str, key: str = "x", **values: Any) -> CustomField:
    values = {"options": ["a", "b", "c"], "required": False, "position": 0, "removed_at": None, **values}
    return CustomField(key=key, type=kind, **values)


@pytest.mark.parametrize(
    ("kind", "given_value", "kept"),
    [
        ("text", " hi ", " hi "),
        ("number", 5, 5),
        ("number", 1.5, 1.5),
        ("number", "42", 42),
        ("number", "-0.125", -0.125),
        ("date", "2028-02-29", "2028-02-29"),
        ("yes_no", False, False),
        ("choice", "b", "b"),
        ("choices", ["c", "a"], ["a", "c"]),
        ("money", "1250", "1250.00"),
        ("money", "-0.5", "-0.50"),
        ("money", 3, "3.00"),
    ],
)
def test_a_value_is_kept_as_it_is_shown(kind: str, given_value: Any, kept: Any) -> None:
    value = canonical(field(kind), given_value)
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("kind", "given_value", "code"),
    [
        ("text", 5, "wrong_type"),
        ("text", "nul\x00", "wrong_type"),
        ("text", "half \ud800", "wrong_type"),
        ("text", "x" * 10_001, "too_long"),
        ("number", "five", "wrong_type"),
        ("number", True, "wrong_type"),
        ("number", "1e5", "wrong_type"),
        ("number", "٣", "wrong_type"),
        ("number", float("nan"), "wrong_type"),
        ("number", 10**12, "out_of_range"),
        pytest.param("number", 10**5000, "wrong_type", id="endless"),
        ("number", "0.1234567", "out_of_range"),
        ("number", "123456789012.1234", "out_of_range"),
        ("date", "2027-02-29", "wrong_type"),
        ("date", "20270201", "wrong_type"),
        ("yes_no", "yes", "wrong_type"),
        ("choice", "d", "not_an_option"),
        ("choice", ["a"], "wrong_type"),
        ("choices", "a", "wrong_type"),
        ("choices", ["a", "d"], "not_an_option"),
        ("choices", ["a", "a"], "wrong_type"),
        ("money", 1.5, "wrong_type"),
        ("money", "1.234", "out_of_range"),
        ("money", "1,000", "wrong_type"),
    ],
)
def test_a_wrong_value_is_refused(kind: str, given_value: Any, code: str) -> None:
    with pytest.raises(Refused) as refused:
        canonical(field(kind), given_value)
    assert refused.value.code == code


@pytest.mark.parametrize("blank", [None, "", "   ", []])
@pytest.mark.parametrize("kind", FIELD_TYPES)
def test_a_blank_value_is_none(kind: str, blank: Any) -> None:
    assert canonical(field(kind), blank) is None


@given(value=st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(max_size=3))))
def test_whatever_comes_is_kept_or_refused_and_kept_values_are_kept_again(value: Any) -> None:
    for kind in FIELD_TYPES:
        try:
            kept = canonical(field(kind), value)
        except Refused:
            continue
        assert canonical(field(kind), kept) == kept
        if kept is not None:
            assert index_rows(field(kind), kept)


def test_merging_keeps_clears_and_names_what_is_wrong() -> None:
    fields = [
        field("text", "note", required=True),
        field("number", "count"),
        field("text", "gone", removed_at="2026-01-01"),
    ]
    stored = {"note": "a", "count": 2, "gone": "hidden"}
    assert merged(fields, stored, {"count": None}, creating=False) == ({"note": "a", "gone": "hidden"}, [])
    _, errors = merged(fields, stored, {"note": "", "count": "x", "gone": "y", "other": 1}, creating=False)
    assert sorted(error["field"] for error in errors) == [
        "custom_fields.count",
        "custom_fields.gone",
        "custom_fields.note",
        "custom_fields.other",
    ]
    assert [error["field"] for error in merged(fields, {}, {}, creating=True)[1]] == ["custom_fields.note"]
    assert visible(fields, stored) == {"note": "a", "count": 2}


def test_a_required_field_added_later_binds_only_the_change_that_names_it() -> None:
    fields = [field("text", "note", required=True), field("text", "other")]
    assert merged(fields, {}, {"other": "b"}, creating=False) == ({"other": "b"}, [])


def test_an_option_that_was_taken_away_may_stay_but_not_come_back() -> None:
    choice = field("choice", options=["a"])
    assert merged([choice], {"x": "b"}, {"x": "b"}, creating=False) == ({"x": "b"}, [])
    assert merged([choice], {"x": "a"}, {"x": "b"}, creating=False)[1]


def test_the_question_kinds_are_those_of_tasks() -> None:
    assert set(FITTING_QUESTIONS) == set(FIELD_TYPES)
    assert {kind for kinds in FITTING_QUESTIONS.values() for kind in kinds} <= set(QUESTION_KINDS)
