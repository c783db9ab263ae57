"""Dates that follow another task: whatever happens in whatever order, they are what a fresh look would give."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Invalid
from contracts.tasks import Due
from services.tasks.dependents import check, first_dates, moves
from services.tasks.due_dates import LATEST, Calendar, check_rule, days_after, due_at
from tests.examples import examples

NEW_YORK = Calendar(ZoneInfo("America/New_York"), holidays={dt.date(2026, 11, 26)})
NOW = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)  # a Saturday
DAY = dt.timedelta(days=1)


@dataclass
class Task:
    id: str
    due_rule: dict[str, Any] | None = None
    due_anchor_id: str | None = None
    status: str = "to_do"
    due_at: dt.datetime | None = None
    due_counted_from: dt.datetime | None = None
    completed_at: dt.datetime | None = None


def after(anchor: str, days: int = 1, start: str = "finished", business: bool = False) -> dict[str, Any]:
    return {"mode": "after_task", "task": anchor, "days": days, "from": start, "business": business}


def follow(tasks: dict[str, Task], calendar: Calendar = NEW_YORK) -> list[str]:
    """Carries out the moves; returns whose."""
    found = moves(tasks.values(), calendar)
    for move in found:
        move.task.due_at, move.task.due_counted_from = move.due_at, move.counted_from
    return [move.task.id for move in found]


def chain() -> dict[str, Task]:
    tasks = [Task("a"), Task("b", after("a", 2), "a"), Task("c", after("b", 3, "due"), "b")]
    return {task.id: task for task in tasks}


def test_there_is_no_date_before_the_other_task_is_done_and_what_follows_moves_along() -> None:
    tasks = chain()
    assert follow(tasks) == []
    tasks["a"].status, tasks["a"].completed_at = "completed", NOW
    assert follow(tasks) == ["b", "c"]
    assert tasks["b"].due_at == NEW_YORK.end_of(dt.date(2026, 11, 23))
    assert tasks["c"].due_at == NEW_YORK.end_of(dt.date(2026, 11, 26))
    tasks["a"].status, tasks["a"].completed_at = "to_do", None
    assert follow(tasks) == ["b", "c"]
    assert (tasks["b"].due_at, tasks["c"].due_at) == (None, None)


def test_a_task_that_is_hidden_has_no_date_and_gives_none() -> None:
    tasks = chain()
    tasks["a"].status, tasks["a"].completed_at = "completed", NOW
    follow(tasks)
    shown = tasks["b"].due_at
    tasks["b"].status, tasks["b"].due_at = "skipped", None
    assert follow(tasks) == ["b", "c"]
    assert tasks["c"].due_at is None
    tasks["b"].status = "to_do"
    assert follow(tasks) == ["b", "c"]
    assert tasks["b"].due_at == shown


def test_a_date_that_was_given_stays_where_only_the_firms_calendar_changes() -> None:
    tasks = chain()
    tasks["a"].status, tasks["a"].completed_at = "completed", NOW
    follow(tasks)
    assert follow(tasks, Calendar(ZoneInfo("Asia/Tokyo"))) == []


def test_a_date_follows_one_that_is_gone_no_more() -> None:
    tasks = chain()
    tasks["a"].status, tasks["a"].completed_at = "completed", NOW
    follow(tasks)
    del tasks["a"]
    assert follow(tasks) == ["b", "c"]
    assert tasks["b"].due_at is None


@st.composite
def forests(draw: st.DrawFn) -> dict[str, Task]:
    """Tasks in no order, each of which may follow one that was drawn before it."""
    tasks: list[Task] = []
    for number in range(draw(st.integers(2, 9))):
        task = Task(f"t{number}")
        if tasks and draw(st.booleans()):
            anchor = draw(st.sampled_from(tasks)).id
            start = draw(st.sampled_from(["finished", "due"]))
            task.due_rule, task.due_anchor_id = (
                after(anchor, draw(st.integers(0, 9)), start, draw(st.booleans())),
                anchor,
            )
        elif draw(st.booleans()):
            task.due_rule, task.due_at = {"mode": "fixed"}, NOW + draw(st.integers(-5, 5)) * DAY
        tasks.append(task)
    return {task.id: task for task in draw(st.permutations(tasks))}


def from_scratch(tasks: dict[str, Task], key: str) -> dt.datetime | None:
    task = tasks[key]
    if task.due_rule is None or task.due_rule["mode"] == "fixed":
        return task.due_at
    anchor = tasks[task.due_rule["task"]]
    if "skipped" in (task.status, anchor.status):
        return None
    start = from_scratch(tasks, anchor.id) if task.due_rule["from"] == "due" else anchor.completed_at
    if start is None:
        return None
    day, left = start.astimezone(NEW_YORK.zone).date(), task.due_rule["days"]
    if not task.due_rule["business"]:
        return NEW_YORK.end_of(day + left * DAY)
    while left or not NEW_YORK.is_business_day(day):
        day += DAY
        left -= left > 0 and NEW_YORK.is_business_day(day)
    return NEW_YORK.end_of(day)


@settings(max_examples=examples(60), deadline=None)
@given(forests(), st.data())
def test_any_order_of_events_ends_where_a_fresh_look_does(tasks: dict[str, Task], data: st.DataObject) -> None:
    for step in range(data.draw(st.integers(1, 8))):
        task = tasks[data.draw(st.sampled_from(sorted(tasks)))]
        what = data.draw(st.sampled_from(["complete", "reopen", "hide", "move"]))
        task.status = {"complete": "completed", "hide": "skipped"}.get(what, "to_do")
        task.completed_at = NOW + step * DAY if what == "complete" else None
        if task.due_anchor_id is None and what in ("hide", "move"):
            task.due_at = None if what == "hide" else NOW + data.draw(st.integers(0, 30)) * DAY
        if data.draw(st.booleans()):
            follow(tasks)
    follow(tasks)
    assert {key: task.due_at for key, task in tasks.items()} == {key: from_scratch(tasks, key) for key in tasks}
    assert follow(tasks) == [], "what is right moves no more"


def test_a_form_gives_its_dates_at_the_assignment() -> None:
    rules = {
        "death": Due().load({"mode": "relative", "days": 2}),
        "certificate": Due().load({"mode": "after_task", "task": "death", "days": 1, "from": "due"}),
        "signed": Due().load({"mode": "after_task", "task": "death", "days": 1}),
        "late": Due().load({"mode": "after_task", "task": "hidden", "days": 1, "from": "due"}),
        "hidden": Due().load({"mode": "relative", "days": 0}),
        "free": None,
    }
    monday, tuesday = (NEW_YORK.end_of(dt.date(2026, 11, day)) for day in (23, 24))
    assert first_dates(rules, NOW, NEW_YORK, hidden={"hidden"}) == {
        "death": (monday, None), "certificate": (tuesday, monday), "signed": (None, None), "late": (None, None),
        "hidden": (None, None), "free": (None, None),
    }  # fmt: skip
    assert first_dates({"free": None}, NOW, None) == {"free": (None, None)}


def form(**rules: Any) -> dict[str, Any]:
    """Each task in a section of its own."""
    loaded = {key: rule if rule is None else Due().load(rule) for key, rule in rules.items()}
    return {"sections": [{"tasks": [{"key": key, "due": rule}]} for key, rule in loaded.items()]}


def test_a_form_may_name_a_later_task() -> None:
    check(form(a=after("c"), b=None, c={"mode": "fixed", "at": "2026-12-01T15:00:00Z"}, d=after("a")))


@pytest.mark.parametrize(
    ("rules", "field", "code"),
    [
        ({"a": after("a")}, "sections.0.tasks.0.due.task", "due_cycle"),
        ({"a": None, "b": after("d"), "c": after("b"), "d": after("c")}, "sections.1.tasks.0.due.task", "due_cycle"),
        ({"x": after("b"), "b": after("c"), "c": after("b")}, "sections.1.tasks.0.due.task", "due_cycle"),
        ({"a": after("nobody")}, "sections.0.tasks.0.due.task", "unknown_due_task"),
        ({"a": {"mode": "after_task", "days": 1}}, "sections.0.tasks.0.due.task", "incomplete_due_rule"),
        ({"a": {"mode": "after_task", "task": "a"}}, "sections.0.tasks.0.due.days", "incomplete_due_rule"),
        ({"a": {**after("b"), "at": "2026-12-01T15:00:00Z"}}, "sections.0.tasks.0.due.at", "contradictory_due_rule"),
        ({"a": {"mode": "relative", "days": 1, "task": "b"}}, "sections.0.tasks.0.due.task", "contradictory_due_rule"),
        (
            {"a": {"mode": "relative", "days": 1, "from": "due"}},
            "sections.0.tasks.0.due.from",
            "contradictory_due_rule",
        ),
    ],
)
def test_a_form_with_a_rule_that_cannot_be_is_refused(rules: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(Invalid, match=code) as refused:
        check(form(**rules))
    assert refused.value.fields[0]["field"] == field


def test_the_way_round_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        check(form(x=after("b"), b=after("c"), c=after("b")))
    assert refused.value.meta["path"] == "b → c → b"


def test_days_are_not_negative_and_nothing_follows_where_no_single_case_is_meant() -> None:
    assert Due().validate({"mode": "after_task", "days": -1, "task": "a"}).keys() == {"days"}
    rule = Due().load({"mode": "after_task", "days": 1, "case_task_id": "018f4e9a-0000-7000-8000-000000000030"})
    with pytest.raises(Invalid, match="due_needs_one_case"):
        check_rule(rule)
    check_rule(rule, anchor="case_task_id")


def test_no_date_is_later_than_a_calendar_can_be() -> None:
    rule = Due().load(after("a", 3650, "due", business=True))
    sundays = Calendar(ZoneInfo("UTC"), {6})
    date = LATEST - 36_700 * DAY
    for _ in range(9):
        date = days_after(rule, date, sundays)
    assert date == LATEST
    assert due_at(rule, NOW, None) is None
