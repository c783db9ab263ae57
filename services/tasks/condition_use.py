"""What conditions of forms need of the templates that they look at: a change that would leave one without its kind of
answer, or without an option that it names, is refused. Cases keep the questions that they were assigned: only what
forms in use say now counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from contracts.errors import Conflict
from services.tasks import conditions, form_contents
from services.tasks.models import Form, FormVersion, TaskTemplate

_MOST_NAMED = 20


@dataclass(frozen=True)
class _Question:
    kind: str
    options: list[str]


def demand_fitting(session: Session, template: TaskTemplate, facts: Mapping[str, Any]) -> None:
    """Before the template, which is locked, gets another kind or other options, those of `facts`.

    Raises Conflict `template_in_condition`, if a condition of a form in use fits the template as it is and would not
    any more. `fields` name the forms with the places of at most 20 of their conditions, `form_ids` the forms.
    """
    after = _Question(facts["kind"], facts["options"])
    if after.kind == template.kind and set(template.options) <= set(after.options):
        return
    field = "options" if after.kind == template.kind else "kind"
    places = [
        (form_id, path)
        for form_id, sections in _forms_with(session, template.id)
        for path in _broken(session, template.id, after, sections)
    ]
    if places:
        fields = [
            {"field": field, "message": f"{path} of the form {form_id} needs it as it was: change the form first."}
            for form_id, path in places[:_MOST_NAMED]
        ]
        form_ids = list(dict.fromkeys(form_id for form_id, _ in places))
        raise Conflict(
            "template_in_condition", fields=fields, task_template_id=template.id,
            form_ids=", ".join(form_ids[:_MOST_NAMED]),
        )  # fmt: skip


def _broken(session: Session, template_id: str, after: _Question, sections: form_contents.Sections) -> list[str]:
    """The places of the conditions that only the change makes unfit."""
    questions: dict[str, conditions.Asked] = dict(
        form_contents.load_questions(session, form_contents.templates_in(sections))
    )
    unfit = {path for path, _ in conditions.unfit(sections, questions)}
    changed = conditions.unfit(sections, {**questions, template_id: after})
    return [path for path, _ in changed if path not in unfit]


def _forms_with(session: Session, template_id: str) -> list[tuple[str, form_contents.Sections]]:
    """The forms in use with a task of the template: (id, sections)."""
    newest = (
        select(Form.id, FormVersion.content)
        .join(FormVersion, (FormVersion.form_id == Form.id) & (FormVersion.version == Form.version))
        .where(Form.archived.is_(False), cast(FormVersion.content, Text).contains(template_id))
        .order_by(Form.id)
    )
    return [
        (form_id, content["sections"])
        for form_id, content in session.execute(newest)
        if template_id in form_contents.templates_in(content["sections"])
    ]
