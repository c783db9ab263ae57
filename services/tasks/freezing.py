"""What is assigned, taken as it is now: whatever happens to forms and templates later, cases get this."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from contracts.errors import Conflict, Invalid, NotFound, invalid_field
from contracts.tasks import Due
from services.tasks import conditions, dependents, due_dates, form_contents, forms
from services.tasks.answer_checks import Question, check_answer
from services.tasks.due_dates import Calendar
from services.tasks.models import Form, TaskTemplate
from services.tasks.templates import load_templates

Row = dict[str, Any]

_INSTANTS = ("due_at", "due_counted_from")
"""What of a row is no JSON."""
_ON_THE_TASK = ("file_upload", "signature")


@dataclass(frozen=True)
class FrozenForm:
    """A version of a form, and the rows of its tasks, in order, but for what differs from case to case. `known`: the
    answers that are there already, checked, by the key of their task."""

    form_id: str
    version: int
    title: str
    tasks: Sequence[Row]
    known: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Frozen:
    """Forms, and rows of the tasks of single templates."""

    forms: Sequence[FrozenForm] = ()
    templates: Sequence[Row] = ()

    @property
    def ids(self) -> list[str]:
        """Of the forms and the templates."""
        return [*(form.form_id for form in self.forms), *(row["template_id"] for row in self.templates)]

    @property
    def tasks_per_case(self) -> int:
        """How many case tasks a case gets."""
        return len(self.templates) + sum(len(form.tasks) for form in self.forms)

    def to_json(self) -> Row:
        """As it can be kept in a column."""
        return {
            "forms": [{**vars(form), "tasks": _changed(form.tasks, dt.datetime.isoformat)} for form in self.forms],
            "templates": _changed(self.templates, dt.datetime.isoformat),
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Frozen:
        """What `to_json` was made of."""
        read = dt.datetime.fromisoformat
        return cls(
            [FrozenForm(**{**form, "tasks": _changed(form["tasks"], read)}) for form in kept["forms"]],
            _changed(kept["templates"], read),
        )


def freeze(
    session: Session,
    form_ids: Sequence[str],
    template_ids: Sequence[str],
    *,
    due: Mapping[str, Any] | None = None,
    assignee_id: str | None = None,
    answers: Mapping[str, Any] | None = None,
    calendar: Calendar,
    now: dt.datetime,
) -> Frozen:
    """Forms and templates as they are now, each once. `due` and `assignee_id` are for the tasks of which a form says
    nothing; relative dates count from `now`. `answers` are what is known already, by the keys of a form's tasks.

    Raises NotFound `form_not_found`, `task_template_not_found`; Conflict `form_archived`, `template_archived`; Invalid
    `form_empty`, and on `answers.<key>`: `unknown_task`, `task_skipped` where the other answers hide the task,
    `answered_on_the_task` for a file or a signature, and what `check_answer` says; `answers_refused` where several are
    wrong.
    """
    given = _Given(due, assignee_id, answers or {}, calendar, now)
    templates = load_templates(session, list(template_ids))
    return Frozen(_freeze_forms(session, form_ids, given), [given.row(template) for template in templates])


@dataclass(frozen=True)
class _Given:
    """What holds where a form says nothing, and from when dates count."""

    due: Mapping[str, Any] | None
    assignee_id: str | None
    answers: Mapping[str, Any]
    calendar: Calendar
    now: dt.datetime

    def row(self, template: TaskTemplate, task: Mapping[str, Any] | None = None) -> Row:
        """Of a template, or of a form's task with it."""
        task = task or {}
        rule = self.rule(task)
        return {
            **template.copy(),
            "template_id": template.id,
            "template_version": template.version,
            "required": template.required if task.get("required") is None else task["required"],
            "assignee_id": task.get("assignee_id") or self.assignee_id,
            "status": "to_do",
            "due_rule": None if rule is None else Due().dump(rule),
            "due_at": due_dates.due_at(rule, self.now, self.calendar),
        }

    def rule(self, task: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The due rule of a form's task."""
        return task.get("due") or self.due


def _freeze_forms(session: Session, form_ids: Sequence[str], given: _Given) -> list[FrozenForm]:
    wanted = list(dict.fromkeys(form_ids))
    if not wanted:
        return []
    found = {form.id: form for form in session.scalars(select(Form).where(Form.id.in_(wanted)))}
    for form_id in wanted:
        if form_id not in found:
            raise NotFound("form_not_found", form_id=form_id)
        if found[form_id].archived:
            raise Conflict("form_archived", form_id=form_id)
    kept = forms.newest(session, wanted)
    contents = {form_id: form_contents.sections_in(kept[form_id].content) for form_id in wanted}
    named = {id_ for sections in contents.values() for id_ in form_contents.templates_in(sections)}
    questions = form_contents.load_questions(session, named)
    return [_freeze_form(found[form_id], contents[form_id], questions, given) for form_id in wanted]


def _freeze_form(
    form: Form, sections: Sequence[Row], questions: Mapping[str, TaskTemplate], given: _Given
) -> FrozenForm:
    if not form_contents.count_tasks(sections):
        raise invalid_field("form_id", "The form has no tasks yet.", "form_empty", form_id=form.id)
    rows = [
        {
            **given.row(questions[task["template_id"]], task),
            "item_key": task["key"],
            "section": section["title"],
            "section_position": number,
            "position": position,
            "condition": conditions.conditions_of(section, task) or None,
            "prefill": task["prefill"],
        }
        for number, section in enumerate(sections)
        for position, task in enumerate(section["tasks"])
    ]
    known = _known(rows, given.answers)
    items = [conditions.Item(row["item_key"], row["kind"], row["condition"] or ()) for row in rows]
    shown = conditions.visible(items, known, given.now.astimezone(given.calendar.zone).date())
    rules = {task["key"]: given.rule(task) for _, _, task in form_contents.placed_tasks(sections)}
    hidden = {key for key, is_shown in shown.items() if not is_shown}
    # What is hidden gets its date when it is shown.
    dates = dependents.first_dates(rules, given.now, given.calendar, hidden)
    for row in rows:
        key = row["item_key"]
        row["due_at"], row["due_counted_from"] = dates[key]
        row["status"] = "skipped" if key in hidden else "to_do"
    if skipped := [key for key in known if key in hidden]:
        message = "The other answers hide this task, so that it has no answer."
        raise Invalid("task_skipped", fields=[{"field": f"answers.{key}", "message": message} for key in skipped])
    return FrozenForm(form.id, form.version, form.title, rows, known)


def _known(rows: Iterable[Row], answers: Mapping[str, Any]) -> Row:
    """The answers that are not blank, as they are kept."""
    tasks = {row["item_key"]: row for row in rows}
    known: Row = {}
    refused: dict[str, Invalid] = {}
    for key, answer in answers.items():
        try:
            known[key] = _checked(tasks.get(key), answer)
        except Invalid as error:
            refused[key] = error
    if refused:
        named = [{**entry, "field": f"answers.{key}"} for key, error in refused.items() for entry in error.fields]
        first, *others = refused.values()
        if others:
            raise Invalid("answers_refused", fields=named)
        raise Invalid(first.code, fields=named, **first.meta)
    return {key: answer for key, answer in known.items() if answer is not None}


def _checked(task: Row | None, answer: Any) -> Any:
    """An answer as it is kept. Raises Invalid on the field `answer`."""
    if task is None:
        raise invalid_field("answer", "The form has no task with this key.", "unknown_task")
    if task["kind"] in _ON_THE_TASK:
        raise invalid_field("answer", "Files and signatures are given on the task itself.", "answered_on_the_task")
    # What is blank is not known, also where an answer is required.
    return check_answer(Question(task["kind"], False, task["options"], task["checks"]), answer)


def _changed(rows: Iterable[Mapping[str, Any]], change: Callable[[Any], Any]) -> list[Row]:
    return [{**row, **{name: row[name] and change(row[name]) for name in _INSTANTS if name in row}} for row in rows]
