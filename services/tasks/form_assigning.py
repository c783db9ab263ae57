"""Frozen forms and templates (see `freezing`) on cases, by sets.

`rows_of` makes the rows of cases, `add` writes those that are not there yet.
"""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import UnitOfWork
from chassis.value_sets import among
from contracts.tasks import TASKS_ASSIGNED
from services.tasks import known_cases
from services.tasks.freezing import Frozen, freeze
from services.tasks.models import CaseForm, CaseTask, KnownCase

__all__ = ["Added", "Frozen", "LeftOut", "add", "already_there", "emit_assigned", "freeze", "rows_of"]

Row = dict[str, Any]
Once = bool | str
"""Whether a case gets it once: True for once, whoever repeats it; an id for once in the work of that id (a rule's run);
False for a person, who may assign a second time."""

EVENT_SIZE = 500
MANY = 100
"""Forms that are added together from which on their table counts as grown."""


class LeftOut(NamedTuple):
    """A case that did not get a form or template (`what_id`), and why."""

    case_id: str
    what_id: str
    reason: str


@dataclass(frozen=True)
class Added:
    """What `add` came to: how many case tasks, the new rows of `case_form`, and what was left out."""

    added: int
    case_forms: Sequence[Row]
    left_out: Sequence[LeftOut]


def already_there(session: Session, frozen: Frozen, case_ids: Sequence[str]) -> set[tuple[str, str]]:
    """The pairs of case and form or template that are there, in whatever way they came. A skipped task counts, for it
    may come back; what a form asks counts as the form's."""
    found: set[tuple[str, str]] = set()
    if form_ids := [form.form_id for form in frozen.forms]:
        of_case = among(session, CaseForm.case_id, case_ids)
        forms = select(CaseForm.case_id, CaseForm.form_id).where(of_case, CaseForm.form_id.in_(form_ids))
        found.update((case_id, what_id) for case_id, what_id in session.execute(forms.distinct()))
    if template_ids := [row["template_id"] for row in frozen.templates]:
        of_case = among(session, CaseTask.case_id, case_ids)
        tasks = select(CaseTask.case_id, CaseTask.template_id).where(
            of_case, CaseTask.template_id.in_(template_ids), CaseTask.case_form_id.is_(None)
        )
        found.update((case_id, what_id) for case_id, what_id in session.execute(tasks.distinct()))
    return found


def rows_of(frozen: Frozen, case_ids: Sequence[str], *, once: Once, now: dt.datetime) -> tuple[list[Row], list[Row]]:
    """The rows of `case_form` and of `case_task` for these cases, with their ids."""
    case_forms = _form_rows(frozen, case_ids, once, now)
    return case_forms, [*_tasks_of_forms(frozen, case_forms, now), *_tasks_of_templates(frozen, case_ids, once, now)]


def add(
    uow: UnitOfWork,
    frozen: Frozen,
    case_ids: Sequence[str],
    *,
    once: Once,
    now: dt.datetime,
    correlation_id: str | None = None,
) -> Added:
    """Writes what these cases lack, and says so with `tasks.assigned.v1`. What is there already is left out as
    `already_assigned`. Case ids are distinct."""
    archived = {case.case_id: case.archived for case in known_cases.hold(uow, case_ids)}
    taken = already_there(uow.session, frozen, case_ids) if once is True else set()
    case_forms = [
        row for row in _form_rows(frozen, case_ids, once, now) if (row["case_id"], row["form_id"]) not in taken
    ]
    # Another may have been faster since the look: the constraints decide.
    kept = {row.id for row in uow.insert_returning(CaseForm, case_forms, "id", ignore_conflicts=bool(once))}
    case_forms = [row for row in case_forms if row["id"] in kept]
    _link(uow, [row["case_id"] for row in case_forms])
    if len(case_forms) >= MANY:
        # What was planned for a table of few forms reads all of them for each task's reference to its own.
        uow.plan_anew()
    of_forms = [{**row, "archived": archived[row["case_id"]]} for row in _tasks_of_forms(frozen, case_forms, now)]
    uow.insert(CaseTask, of_forms)
    of_templates = [
        {**row, "archived": archived[row["case_id"]]}
        for row in _tasks_of_templates(frozen, case_ids, once, now)
        if (row["case_id"], row["template_id"]) not in taken
    ]
    kept = {row.id for row in uow.insert_returning(CaseTask, of_templates, "id", ignore_conflicts=bool(once))}
    of_templates = [row for row in of_templates if row["id"] in kept]
    there = {(row["case_id"], row["form_id"]) for row in case_forms}
    there.update((row["case_id"], row["template_id"]) for row in of_templates)
    left_out = [
        LeftOut(*pair, "already_assigned") for pair in itertools.product(case_ids, frozen.ids) if pair not in there
    ]
    tasks = [*of_forms, *of_templates]
    emit_assigned(uow, case_forms, tasks, correlation_id)
    return Added(len(tasks), case_forms, left_out)


def emit_assigned(
    uow: UnitOfWork, case_forms: Iterable[Row], tasks: Iterable[Row], correlation_id: str | None = None
) -> None:
    """`tasks.assigned.v1` for rows as `rows_of` makes them: tasks of one form or one template, at most 500 in each."""
    form_of = {row["id"]: row["form_id"] for row in case_forms}
    together: dict[tuple[str | None, str | None], list[Row]] = {}
    for row in tasks:
        form_id = form_of.get(row.get("case_form_id"))
        together.setdefault((form_id, None if form_id else row["template_id"]), []).append(row)
    for (form_id, template_id), rows in together.items():
        for start in range(0, len(rows), EVENT_SIZE):
            some = rows[start : start + EVENT_SIZE]
            of_forms = {row.get("case_form_id") for row in some}
            data = {
                "case_task_ids": [row["id"] for row in some],
                "case_ids": list(dict.fromkeys(row["case_id"] for row in some)),
                "template_id": template_id,
                "form_id": form_id,
                "case_form_id": of_forms.pop() if len(of_forms) == 1 else None,
            }
            uow.emit(TASKS_ASSIGNED, some[0]["id"], data, correlation_id=correlation_id)


def _link(uow: UnitOfWork, case_ids: Iterable[str]) -> None:
    """Tasks of these cases depend on one another from now on: see `flow.settle`."""
    of_cases = among(uow.session, KnownCase.case_id, sorted(set(case_ids)))
    linked = update(KnownCase).where(of_cases, KnownCase.linked.is_(False)).values(linked=True)
    uow.session.execute(linked, execution_options={"synchronize_session": False})


def _once_key(what_id: str, once: Once) -> str | None:
    if isinstance(once, str):
        return str(uuid.uuid5(uuid.UUID(once), what_id))
    return what_id if once else None


# All write in one order, so that two at once wait for each other and do not deadlock.


def _form_rows(frozen: Frozen, case_ids: Sequence[str], once: Once, now: dt.datetime) -> list[Row]:
    return [
        {
            "id": new_id(),
            "case_id": case_id,
            "form_id": form.form_id,
            "form_version": form.version,
            "title": form.title,
            "assigned_once_key": _once_key(form.form_id, once),
            "created_at": now,
        }
        for case_id in sorted(case_ids)
        for form in sorted(frozen.forms, key=lambda form: form.form_id)
    ]


def _tasks_of_forms(frozen: Frozen, case_forms: Sequence[Row], now: dt.datetime) -> list[Row]:
    tasks = {form.form_id: form.tasks for form in frozen.forms}
    rows = []
    for case_form in case_forms:
        of_form = tasks[case_form["form_id"]]
        ids = {task["item_key"]: new_id() for task in of_form}
        rows += [
            {
                **task,
                "id": ids[task["item_key"]],
                "case_id": case_form["case_id"],
                "case_form_id": case_form["id"],
                "due_anchor_id": ids.get((task["due_rule"] or {}).get("task")),
                "created_at": now,
                "updated_at": now,
            }
            for task in of_form
        ]
    return rows


def _tasks_of_templates(frozen: Frozen, case_ids: Sequence[str], once: Once, now: dt.datetime) -> list[Row]:
    return [
        {
            **task,
            "id": new_id(),
            "case_id": case_id,
            "assigned_once_key": _once_key(task["template_id"], once),
            "created_at": now,
            "updated_at": now,
        }
        for case_id in sorted(case_ids)
        for task in sorted(frozen.templates, key=lambda task: str(task["template_id"]))
    ]
