"""Which tasks of a form are shown, by the answers to earlier ones. Pure: no database, no clock.

A condition is a filter (see `chassis.filters`) over `answers.<key>` of earlier tasks of the same form. A task that is
not shown has no answer, so that whatever looks at it sees it empty. Each task is decided by those before it alone:
there is no cycle, and in which order the answers came makes no difference.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement

from chassis.filters.fields import Catalogue, Field, Reading
from chassis.filters.parsing import DEEPEST, MOST_CONDITIONS, Vocabulary, Wire, parse
from chassis.filters.tree import All, Complement, Condition, Node, Some
from chassis.texts import fold
from contracts.errors import Invalid, invalid_field
from services.tasks.answer_values import KINDS, values_of

ANSWERS = "answers."
"""What the name of a field begins with; the key of a task in the form follows."""
MOST_IN_A_FORM = 1000
"""How many conditions all tasks and sections of a form may have together: all are decided at every answer."""

_RECORDS = "the form's earlier answers"


class Asked(Protocol):
    """A question, as far as conditions on its answer go. (A template is one.)"""

    @property
    def kind(self) -> str: ...
    @property
    def options(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Item:
    """A task of a form in its order: its key, its kind of question, and what all must hold for it to be shown."""

    key: str
    kind: str
    conditions: Sequence[Wire] = ()


def conditions_of(section: Mapping[str, Any], task: Mapping[str, Any]) -> list[Wire]:
    """What must hold for a task of a form's section, as its case tasks keep it: the section's condition and its own.

    (Not one filter of both, which could be deeper than a filter may be.)
    """
    return [wire for wire in (section.get("condition"), task.get("condition")) if wire is not None]


def check(sections: Sequence[Mapping[str, Any]], questions: Mapping[str, Asked], at: str = "sections") -> None:
    """Refuses conditions that nobody could decide. `questions` by template id: all that the form's tasks name.

    Raises Invalid that names the place, like `sections.1.tasks.0.condition.and.1.field`: `condition_on_later_task`
    where a task looks at itself or at what comes after it (a section: at its own tasks too), `too_many_conditions`,
    else `invalid_filter`.
    """
    for _, error in unfit(sections, questions, at):
        raise error


def unfit(
    sections: Sequence[Mapping[str, Any]], questions: Mapping[str, Asked], at: str = "sections"
) -> Iterator[tuple[str, Invalid]]:
    """Each condition that `check` refuses, in the form's order: its place, like `sections.1.tasks.0.condition`, and
    what `check` raises of it."""
    names = {f"{ANSWERS}{task['key']}" for section in sections for task in section["tasks"]}
    earlier: list[Field] = []
    count = 0

    def one(wire: Any, path: str) -> None:
        nonlocal count
        known = Catalogue(_RECORDS, *earlier)
        for place, name in _named(wire, path):
            count += 1
            if name in names and name not in known.fields:
                message = "Comes later in the form: a condition can only look at earlier tasks."
                raise invalid_field(place, message, "condition_on_later_task")
        parse(wire, Vocabulary(known), path=path)
        if count > MOST_IN_A_FORM:
            message = f"More than {MOST_IN_A_FORM} conditions in the form."
            raise invalid_field(path, message, "too_many_conditions")

    def errors(condition: Any, path: str) -> Iterator[tuple[str, Invalid]]:
        if condition is not None:
            try:
                one(condition, path)
            except Invalid as error:
                yield path, error

    for number, section in enumerate(sections):
        yield from errors(section.get("condition"), f"{at}.{number}.condition")
        for position, task in enumerate(section["tasks"]):
            yield from errors(task.get("condition"), f"{at}.{number}.tasks.{position}.condition")
            question = questions[task["template_id"]]
            earlier.append(_field(task["key"], question.kind, question.options))


def visible(items: Sequence[Item], answers: Mapping[str, Any], today: dt.date) -> dict[str, bool]:
    """Whether each task is shown, by its key. `answers` as they are kept, by key; one of a task that is not shown
    counts for nothing. `today`: the firm's day, from which days are counted.

    A condition that does not fit the question (`check` lets none through, but what is kept may be older than that)
    hides nothing: the client is rather asked too much.
    """
    vocabulary = Vocabulary(Catalogue(_RECORDS, *(_field(item.key, item.kind) for item in items)))
    values: dict[str, tuple[Any, ...]] = {}
    # A section's condition is on each of its tasks, and what it looks at comes before all of them.
    decided: dict[str, bool] = {}
    shown: dict[str, bool] = {}

    def decide(wire: Wire) -> bool:
        text = json.dumps(wire, sort_keys=True)
        if text not in decided:
            decided[text] = True
            with suppress(Invalid):
                decided[text] = _holds(parse(wire, vocabulary), values, today)
        return decided[text]

    for item in items:
        shown[item.key] = all(decide(wire) for wire in item.conditions)
        if shown[item.key]:
            values[f"{ANSWERS}{item.key}"] = values_of(item.kind, answers.get(item.key))
    return shown


class _AtHand:
    """Answers are at hand when they are looked at: no SQL reaches them."""

    def test(self, reading: Reading, now: dt.datetime) -> ColumnElement[bool]:
        raise NotImplementedError(reading.field.name)


def _field(key: str, kind: str, options: Collection[str] = ()) -> Field:
    return Field(f"{ANSWERS}{key}", KINDS[kind], _AtHand(), tuple(options))


def _named(wire: Any, path: str, depth: int = 1) -> Iterator[tuple[str, str]]:
    """The fields that a filter names, right or wrong, with their places; nothing beyond the limits of a filter."""
    if depth > DEEPEST or not isinstance(wire, dict):
        return
    if isinstance(name := wire.get("field"), str):
        yield f"{path}.field", name
    for word in ("and", "or"):
        if isinstance(parts := wire.get(word), list):
            for index, part in enumerate(parts[:MOST_CONDITIONS]):
                yield from _named(part, f"{path}.{word}.{index}", depth + 1)
    yield from _named(wire.get("not"), f"{path}.not", depth + 1)


def _holds(node: Node, values: Mapping[str, tuple[Any, ...]], today: dt.date) -> bool:
    """What `chassis.filters.sql.condition` says in SQL, over values at hand. A field that is not there is empty."""
    match node:
        case All(parts):
            return all(_holds(part, values, today) for part in parts)
        case Some(parts):
            return any(_holds(part, values, today) for part in parts)
        case Complement(part):
            return not _holds(part, values, today)
        case Condition(readings):
            return any(
                _TESTS[reading.test](value, reading.values, today)
                for reading in readings
                for value in values.get(reading.field.name, ())
            )


def _days(days: int) -> dt.timedelta:
    return dt.timedelta(days=days)


_TESTS: dict[str, Callable[[Any, tuple[Any, ...], dt.date], bool]] = {
    "any": lambda value, wanted, today: True,
    "in": lambda value, wanted, today: value in wanted,
    "contains": lambda value, wanted, today: fold(wanted[0]) in fold(value),
    "starts_with": lambda value, wanted, today: fold(value).startswith(fold(wanted[0])),
    "gt": lambda value, wanted, today: value > wanted[0],
    "gte": lambda value, wanted, today: value >= wanted[0],
    "lt": lambda value, wanted, today: value < wanted[0],
    "lte": lambda value, wanted, today: value <= wanted[0],
    "between": lambda value, wanted, today: wanted[0] <= value <= wanted[1],
    "older_than_days": lambda value, wanted, today: value < today - _days(wanted[0]),
    "within_next_days": lambda value, wanted, today: today <= value <= today + _days(wanted[0]),
}
