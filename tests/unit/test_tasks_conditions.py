"""Conditions of a form's tasks: what is refused, and what is shown."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.errors import Invalid
from contracts.tasks import QUESTION_KINDS
from services.tasks.answer_checks import Question, check_answer
from services.tasks.answer_values import KINDS, values_of
from services.tasks.conditions import MOST_IN_A_FORM, Item, check, conditions_of, visible

TODAY = dt.date(2026, 11, 21)
OPTIONS = ["north", "South", "Straße"]


# What is refused


def question(kind: str) -> Any:
    return SimpleNamespace(kind=kind, options=OPTIONS if KINDS[kind] in ("word", "words") else [])


QUESTIONS = {kind: question(kind) for kind in QUESTION_KINDS}


def task(key: str, kind: str = "yes_no", condition: Any = None) -> dict[str, Any]:
    return {"key": key, "template_id": kind, "condition": condition}


def on(key: str, op: str = "eq", value: Any = True) -> dict[str, Any]:
    given = {"field": f"answers.{key}", "op": op}
    return given if op.endswith("empty") else {**given, "value": value}


def refusal(condition: Any) -> tuple[str, str]:
    """Of a condition on the third of four tasks: its code, and the place under the condition."""
    tasks = [task("will"), task("court", "one_choice"), task("photo", "file_upload"), task("here", condition=condition)]
    with pytest.raises(Invalid) as refused:
        check([{"tasks": tasks}, {"tasks": [task("later")]}], QUESTIONS)
    (entry,) = refused.value.fields
    place = "sections.0.tasks.3.condition"
    assert entry["field"].startswith(place)
    return refused.value.code, entry["field"].removeprefix(place).lstrip(".")


@pytest.mark.parametrize(
    ("condition", "code", "place"),
    [
        (on("later"), "condition_on_later_task", "field"),
        (on("here"), "condition_on_later_task", "field"),
        ({"or": [on("will"), {"not": on("later")}]}, "condition_on_later_task", "or.1.not.field"),
        (on("nobody"), "invalid_filter", "field"),
        ({**on("will"), "field": "will"}, "invalid_filter", "field"),
        ({**on("will"), "field": "custom_fields.will"}, "invalid_filter", "field"),
        ({**on("will"), "field": ["answers.will"]}, "invalid_filter", "field"),
        (on("will", "eq", "yes"), "invalid_filter", "value"),
        (on("will", "contains", "y"), "invalid_filter", "op"),
        (on("court", "in", ["north", "west"]), "invalid_filter", "value.1"),
        (on("photo", "eq", "a.png"), "invalid_filter", "op"),
        ({"saved_filter_id": "0190b5a0-0000-7000-8000-00000000000a"}, "invalid_filter", "saved_filter_id"),
        ({}, "invalid_filter", ""),
        ([on("will")], "invalid_filter", ""),
        ({"and": []}, "invalid_filter", "and"),
    ],
)
def test_what_nobody_could_decide_is_refused_by_its_place(condition: Any, code: str, place: str) -> None:
    assert refusal(condition) == (code, place)


def test_depth_and_size_have_limits() -> None:
    deep: Any = on("will")
    for _ in range(9):
        deep = {"not": deep}
    check([{"tasks": [task("will"), task("here", condition=deep)]}], QUESTIONS)
    assert refusal({"not": deep})[0] == "invalid_filter"
    for _ in range(100_000):
        deep = {"not": deep}
    assert refusal(deep)[0] == "invalid_filter"
    many = {"or": [on("k0")] * 200}
    tasks = [task("k0"), *(task(f"k{number}", condition=many) for number in range(1, MOST_IN_A_FORM // 200 + 1))]
    check([{"tasks": tasks}], QUESTIONS)
    with pytest.raises(Invalid, match="too_many_conditions") as refused:
        check([{"tasks": [*tasks, task("one_more", condition=on("k0"))]}], QUESTIONS)
    assert refused.value.fields[0]["field"] == f"sections.0.tasks.{len(tasks)}.condition"


def test_a_section_looks_at_earlier_sections_only() -> None:
    first = {"tasks": [task("will")]}
    check([first, {"condition": on("will"), "tasks": [task("executor")]}], QUESTIONS)
    with pytest.raises(Invalid, match="condition_on_later_task") as refused:
        check([first, {"condition": on("executor"), "tasks": [task("executor")]}], QUESTIONS, at="changes.sections")
    assert refused.value.fields[0]["field"] == "changes.sections.1.condition.field"


@pytest.mark.parametrize("kind", ["file_upload", "signature"])
def test_of_a_file_only_whether_it_is_there_can_be_asked(kind: str) -> None:
    asked = task("here", condition=on("it", "is_not_empty"))
    check([{"tasks": [task("it", kind), asked]}], QUESTIONS)
    items = [Item("it", kind), Item("here", "yes_no", [asked["condition"]])]
    assert visible(items, {"it": ["018f4e9a-0000-7000-8000-000000000030"]}, TODAY)["here"]
    assert not visible(items, {}, TODAY)["here"]


# What is shown


def test_every_kind_of_question_has_a_kind_of_value() -> None:
    assert set(KINDS) == set(QUESTION_KINDS)


def test_an_address_in_parts_is_its_text() -> None:
    kept = check_answer(Question("address"), {"line1": "12 Main St", "city": "Albany", "state": "NY"})
    assert values_of("address", kept) == ("12 Main St\nAlbany\nNY",)
    items = [Item("home", "address"), Item("here", "yes_no", [on("home", "contains", "albany")])]
    assert visible(items, {"home": kept}, TODAY)["here"]


def test_a_hidden_task_hides_what_its_old_answer_showed() -> None:
    items = [
        Item("will", "yes_no"),
        Item("executor", "short_text", [on("will")]),
        Item("executor_phone", "phone", [on("executor", "is_not_empty")]),
        Item("reason", "long_text", [on("executor", "ne", "Jane")]),
    ]
    answers = {"will": True, "executor": "Jane"}
    shown = {"will": True, "executor": True, "executor_phone": True, "reason": False}
    assert visible(items, answers, TODAY) == shown
    assert visible(items, {**answers, "will": False}, TODAY) == {
        "will": True, "executor": False, "executor_phone": False, "reason": True,
    }  # fmt: skip


def test_a_sections_condition_and_a_tasks_own_must_both_hold() -> None:
    both = conditions_of({"condition": on("a")}, {"condition": on("b")})
    items = [Item("a", "yes_no"), Item("b", "yes_no"), Item("here", "yes_no", both)]
    shown = [visible(items, {"a": a, "b": b}, TODAY)["here"] for a in (True, False) for b in (True, False)]
    assert shown == [True, False, False, False]
    assert conditions_of({"condition": None}, {}) == []
    deep: Any = on("a")
    for _ in range(9):
        deep = {"not": deep}
    both = conditions_of({"condition": deep}, {"condition": on("b")})
    items = [Item("a", "yes_no"), Item("b", "yes_no"), Item("here", "yes_no", both)]
    assert not visible(items, {"a": True, "b": True}, TODAY)["here"]
    assert visible(items, {"a": False, "b": True}, TODAY)["here"]


def test_days_are_counted_from_the_firms_day() -> None:
    soon = Item("here", "yes_no", [on("hearing", "within_next_days", 7)])
    past = Item("gone", "yes_no", [on("hearing", "older_than_days", 7)])
    items = [Item("hearing", "date"), soon, past]
    for days, expected in ((-8, (False, True)), (-7, (False, False)), (0, (True, False)), (7, (True, False)),
                           (8, (False, False))):  # fmt: skip
        shown = visible(items, {"hearing": (TODAY + dt.timedelta(days=days)).isoformat()}, TODAY)
        assert (shown["here"], shown["gone"]) == expected


def test_a_condition_that_fits_no_more_hides_nothing() -> None:
    items = [Item("rooms", "short_text"), Item("here", "yes_no", [on("rooms", "gt", 3)])]
    assert visible(items, {"rooms": "two"}, TODAY) == {"rooms": True, "here": True}
