"""What a form says: sections of tasks, checked together, kept as wire values.

A template that is archived is not taken into a form; where it is in already it stays and is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.value_sets import among
from contracts.errors import Invalid, invalid_field
from contracts.tasks import MOST_FORM_TASKS, FormSection
from services.tasks import conditions, dependents
from services.tasks.models import TaskTemplate

Wire = dict[str, Any]
Sections = Sequence[Mapping[str, Any]]

_sections = FormSection(many=True)


def content_of(title: str, description: str | None, sections: Sections) -> Wire:
    """The content of a version: {"title", "description", "sections"} in wire values."""
    return {"title": title, "description": description, "sections": sections_of(sections)}


def sections_of(sections: Sections) -> list[Wire]:
    """Sections in wire values, as they are kept. A `prefill` that is not wanted is left out, as in forms that were kept
    before there was one: what says the same must be the same."""
    dumped: list[Wire] = _sections.dump(sections)
    return [{**section, "tasks": [_without_false(task) for task in section["tasks"]]} for section in dumped]


def _without_false(task: Wire) -> Wire:
    return {name: value for name, value in task.items() if name != "prefill" or value}


def sections_in(content: Wire) -> list[Wire]:
    """The sections of a kept content in Python values."""
    loaded: list[Wire] = _sections.load(content["sections"])
    return loaded


def placed_tasks(sections: Sections) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """The tasks of a form in order: (path, section, task), the path like `sections.0.tasks.2`."""
    for number, section in enumerate(sections):
        for position, task in enumerate(section["tasks"]):
            yield f"sections.{number}.tasks.{position}", section, task


def count_tasks(sections: Sections) -> int:
    """How many tasks a form has."""
    return sum(len(section["tasks"]) for section in sections)


def staff_of(sections: Sections) -> list[tuple[str, str]]:
    """The staff members whom a form names: (path, id)."""
    named = ((f"{path}.assignee_id", task.get("assignee_id")) for path, _, task in placed_tasks(sections))
    return [(path, staff_id) for path, staff_id in named if staff_id is not None]


def templates_in(sections: Sections) -> set[str]:
    """The ids of the templates that a form's tasks are made of."""
    return {task["template_id"] for _, _, task in placed_tasks(sections)}


def check_shape(title: str | None, sections: Sections) -> None:
    """Raises Invalid on what can be seen without asking anybody: blank titles, `duplicate_key`, `too_many_tasks`, due
    rules that lack something, name no task of the form (`unknown_due_task`) or go round (`due_cycle`)."""
    if title is not None and not title.strip():
        raise invalid_field("title", "Cannot be blank.")
    for number, section in enumerate(sections):
        if not section["title"].strip():
            raise invalid_field(f"sections.{number}.title", "Cannot be blank.")
    if count_tasks(sections) > MOST_FORM_TASKS:
        raise invalid_field("sections", f"At most {MOST_FORM_TASKS} tasks in a form.", "too_many_tasks")
    counted = Counter(task["key"] for _, _, task in placed_tasks(sections))
    twice = [
        {"field": f"{path}.key", "message": "Another task of the form has this key."}
        for path, _, task in placed_tasks(sections)
        if counted[task["key"]] > 1
    ]
    if twice:
        raise Invalid("duplicate_key", fields=twice)
    dependents.check({"sections": sections})


def check_templates(session: Session, sections: Sections, known: Collection[str] = ()) -> None:
    """Raises Invalid: `template_not_found`, `template_archived` (but for `known`, which the form has already), and what
    is wrong with conditions. Until the end of the transaction nobody changes the templates."""
    held = select(TaskTemplate.id).where(among(session, TaskTemplate.id, sorted(templates_in(sections))))
    session.execute(held.order_by(TaskTemplate.id).with_for_update(read=True))
    found = load_questions(session, templates_in(sections))
    for path, _, task in placed_tasks(sections):
        template = found.get(task["template_id"])
        field = f"{path}.template_id"
        if template is None:
            raise invalid_field(field, "There is no such task template.", "template_not_found")
        if template.archived and template.id not in known:
            raise invalid_field(field, "This task template is archived.", "template_archived")
    conditions.check(sections, found)


def load_questions(session: Session, template_ids: Iterable[str]) -> dict[str, TaskTemplate]:
    """Templates by id; unknown ids are left out."""
    statement = select(TaskTemplate).where(among(session, TaskTemplate.id, sorted(template_ids)))
    return {template.id: template for template in session.scalars(statement)}
