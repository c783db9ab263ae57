"""Conditions held to a model over sets: any form, any answers, in any order."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.tasks.conditions import Item, check, conditions_of, visible
from tests.examples import examples
from tests.service.cases_model import holds
from tests.unit.test_tasks_conditions import OPTIONS, QUESTIONS, TODAY, on, task

NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
LONG = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])

ANSWERS: dict[str, list[Any]] = {
    "short_text": ["Ann", "straße", "STRASSE"],
    "number": ["0", "3", "3.50", "-1", "10"],
    "date": ["2026-11-14", "2026-11-21", "2026-11-28"],
    "yes_no": [True, False],
    "one_choice": OPTIONS,
    "several_choices": [["north"], ["north", "Straße"], OPTIONS],
}
WANTED: dict[str, list[Any]] = {**ANSWERS, "several_choices": OPTIONS, "number": [0, 3, "3.5", -1]}
OPS = {
    "short_text": ("eq", "ne", "in", "not_in", "contains", "starts_with"),
    "number": ("eq", "ne", "in", "gt", "gte", "lt", "lte", "between"),
    "date": ("eq", "not_in", "gt", "lte", "between", "older_than_days", "within_next_days"),
    "yes_no": ("eq", "ne"),
    "one_choice": ("eq", "ne", "in", "not_in"),
    "several_choices": ("eq", "ne", "contains", "in", "not_in"),
}
EMPTY = ("is_empty", "is_not_empty")


@st.composite
def conditions(draw: st.DrawFn, earlier: list[Item]) -> dict[str, Any]:
    item = draw(st.sampled_from(earlier))
    op = draw(st.sampled_from([*OPS[item.kind], *EMPTY]))
    value = st.sampled_from(WANTED[item.kind])
    if op.endswith("_days"):
        return on(item.key, op, draw(st.integers(0, 8)))
    if op in ("in", "not_in"):
        return on(item.key, op, draw(st.lists(value, min_size=1, max_size=3)))
    if op == "between":
        ends = [draw(value), draw(value)]
        return on(item.key, op, sorted(ends, key=float if item.kind == "number" else None))
    return on(item.key, op, None if op in EMPTY else draw(value))


def filters(earlier: list[Item]) -> st.SearchStrategy[Any]:
    def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.lists(inner, min_size=1, max_size=3)
        return st.one_of(
            several.map(lambda parts: {"and": parts}),
            several.map(lambda parts: {"or": parts}),
            inner.map(lambda part: {"not": part}),
        )

    return st.recursive(conditions(earlier), nested, max_leaves=4)


@st.composite
def forms(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Item]]:
    """A form's sections, and its items."""
    sections: list[dict[str, Any]] = []
    items: list[Item] = []
    for _ in range(draw(st.integers(1, 3))):
        section: dict[str, Any] = {"condition": draw(st.none() | filters(list(items))) if items else None, "tasks": []}
        for _ in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(sorted(ANSWERS)))
            # The model knows by its name what is a set of words.
            topics = kind == "several_choices" and all(item.key != "topics" for item in items)
            kind = "yes_no" if kind == "several_choices" and not topics else kind
            key = "topics" if topics else f"k{len(items)}"
            made = task(key, kind, draw(st.none() | filters(list(items))) if items else None)
            section["tasks"].append(made)
            items.append(Item(key, kind, conditions_of(section, made)))
        sections.append(section)
    return sections, items


@st.composite
def filled(draw: st.DrawFn, items: list[Item]) -> dict[str, Any]:
    return {item.key: draw(st.none() | st.sampled_from(ANSWERS[item.kind])) for item in items}


def values_in_model(kind: str, answer: Any) -> set[Any]:
    if answer is None:
        return set()
    if kind == "number":
        return {Decimal(answer)}
    if kind == "date":
        return {dt.date.fromisoformat(answer)}
    return set(answer) if isinstance(answer, list) else {answer}


def model(items: list[Item], answers: dict[str, Any]) -> dict[str, bool]:
    """Each task from its definition, whatever came before: shown if its conditions hold over the answers shown."""
    by_key = {item.key: item for item in items}

    class Values(dict[str, set[Any]]):
        def __missing__(self, name: str) -> set[Any]:
            item = by_key[name.removeprefix("answers.")]
            return values_in_model(item.kind, answers.get(item.key)) if shown(item.key) else set()

    @cache
    def shown(item_key: str) -> bool:
        conditions = by_key[item_key].conditions
        return all(holds(wire, SimpleNamespace(values=Values()), NOON) for wire in conditions)  # type: ignore[arg-type]

    return {item.key: shown(item.key) for item in items}


@LONG
@given(data=st.data())
def test_what_is_shown_is_what_the_sets_say(data: st.DataObject) -> None:
    sections, items = data.draw(forms())
    check(sections, QUESTIONS)
    answers = data.draw(filled(items))
    shown = visible(items, answers, TODAY)
    assert shown == model(items, answers)
    kept = {key: answer for key, answer in answers.items() if shown[key]}
    assert visible(items, kept, TODAY) == shown, "to forget what is hidden changes nothing"


class Case:
    """A form on a case, as answers come: what becomes hidden loses its answer."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.answers: dict[str, Any] = {}
        self.shown = visible(items, {}, TODAY)

    def answer(self, key: str, answer: Any) -> None:
        self.answers[key] = answer
        self.shown = visible(self.items, self.answers, TODAY)
        self.answers = {key: answer for key, answer in self.answers.items() if self.shown[key]}

    def finish(self, wanted: dict[str, Any], order: list[str]) -> None:
        """Answers what is open, in that order, until nothing is."""
        for _ in range(len(order) + 1):
            for key in order:
                if self.shown[key] and key not in self.answers:
                    self.answer(key, wanted[key])
        assert all(key in self.answers for key, shown in self.shown.items() if shown), "something stays open for ever"


@LONG
@given(data=st.data())
def test_answers_in_any_order_with_any_corrections_end_in_one_state(data: st.DataObject) -> None:
    _, items = data.draw(forms())
    wanted = data.draw(filled(items))
    keys = [item.key for item in items]
    first, second = Case(items), Case(items)
    first.finish(wanted, keys)
    # The second client changes its mind, then gives the same answers in an order of its own.
    for key in data.draw(st.lists(st.sampled_from(keys), max_size=6)):
        if second.shown[key]:
            second.answer(key, data.draw(st.sampled_from(ANSWERS[next(i.kind for i in items if i.key == key)])))
    order = data.draw(st.permutations(keys))
    for key in order:
        if key in second.answers:
            second.answer(key, wanted[key])
    second.finish(wanted, order)
    for key in keys:
        if second.shown[key]:
            second.answer(key, wanted[key])
    second.finish(wanted, order)
    assert (second.shown, second.answers) == (first.shown, first.answers)
    assert first.shown == visible(items, first.answers, TODAY)
