"""Frozen forms and templates (see `freezing`) on cases, by sets: what a case has is not written again."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import UnitOfWork
from chassis.scoping import EVERY_KIND
from chassis.value_sets import among
from contracts.tasks import TASKS_ASSIGNED
from services.tasks import known_cases
from services.tasks.freezing import Frozen, FrozenForm, freeze
from services.tasks.models import CaseForm, CaseTask, KnownCase

__all__ = ["Added", "Frozen", "LeftOut", "add", "already_there", "freeze"]

Row = dict[str, Any]
Once = bool | str
"""Whether a case gets it once: True for once, whoever repeats it; an id for once in the work of that id (a rule's run);
False for a person, who may assign a second time."""

EVENT_SIZE = 500
MANY = 100
"""Forms that are added together from which on their table counts as grown, and each of their tasks is written for all
cases at once, what is the same only once."""


class LeftOut(NamedTuple):
    """A case that did not get a form or template (`what_id`; None: any), and why."""

    case_id: str
    what_id: str | None
    reason: str


@dataclass(frozen=True)
class Added:
    """What `add` came to: how many case tasks, the new rows of `case_form`, and what was left out."""

    added: int
    case_forms: Sequence[Row]
    left_out: Sequence[LeftOut]


def already_there(session: Session, frozen: Frozen, case_ids: Sequence[str]) -> set[tuple[str, str]]:
    """The pairs of case and form or template that are there, in whatever way they came. A skipped task counts, for it
    may come back; what a form asks counts as the form's. `case_ids` are of cases that the work may be about, also where
    nothing was heard of them yet."""
    found: set[tuple[str, str]] = set()
    if form_ids := [form.form_id for form in frozen.forms]:
        of_case = among(session, CaseForm.case_id, case_ids)
        forms = select(CaseForm.case_id, CaseForm.form_id).where(of_case, CaseForm.form_id.in_(form_ids))
        rows = session.execute(forms.distinct(), execution_options=EVERY_KIND)
        found.update((case_id, what_id) for case_id, what_id in rows)
    if template_ids := [row["template_id"] for row in frozen.templates]:
        of_case = among(session, CaseTask.case_id, case_ids)
        tasks = select(CaseTask.case_id, CaseTask.template_id).where(
            of_case, CaseTask.template_id.in_(template_ids), CaseTask.case_form_id.is_(None)
        )
        rows = session.execute(tasks.distinct(), execution_options=EVERY_KIND)
        found.update((case_id, what_id) for case_id, what_id in rows)
    return found


def add(
    uow: UnitOfWork,
    frozen: Frozen,
    case_ids: Sequence[str],
    *,
    once: Once,
    now: dt.datetime,
    correlation_id: str | None = None,
    depths: Mapping[str, int] | None = None,
) -> Added:
    """Writes what these cases lack, and says so with `tasks.assigned.v1`. What is there already is left out as
    `already_assigned`. Case ids are distinct. `depths`: for each case, how many rules led to it, if any did."""
    of_case: dict[str, Row] = {case.case_id: {"archived": case.archived} for case in known_cases.hold(uow, case_ids)}
    for case_id, depth in (depths or {}).items():
        of_case[case_id]["automation_depth"] = depth
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
    told: list[_Told] = []
    for form in frozen.forms:
        told.append(_add_form(uow, form, case_forms, of_case, now))
    for task in sorted(frozen.templates, key=lambda task: str(task["template_id"])):
        missing = [case_id for case_id in sorted(case_ids) if (case_id, task["template_id"]) not in taken]
        told.append(_add_template(uow, task, missing, of_case, once, now))
    for assigned in told:
        _emit_assigned(uow, assigned, correlation_id)
    there = {(row["case_id"], row["form_id"]) for row in case_forms}
    there.update((case_id, of.template_id) for of in told if of.template_id for _, case_id, _ in of.tasks)
    left_out = [
        LeftOut(*pair, "already_assigned") for pair in itertools.product(case_ids, frozen.ids) if pair not in there
    ]
    return Added(sum(len(of.tasks) for of in told), case_forms, left_out)


@dataclass(frozen=True)
class _Told:
    """What came of one form or one template. `tasks`: (id, case id, id of the case's form), case by case."""

    form_id: str | None
    template_id: str | None
    tasks: Sequence[tuple[str, str, str | None]]


def _add_form(
    uow: UnitOfWork, form: FrozenForm, case_forms: Sequence[Row], of_case: Mapping[str, Row], now: dt.datetime
) -> _Told:
    theirs = [row for row in case_forms if row["form_id"] == form.form_id]
    ids = {str(task["item_key"]): [new_id() for _ in theirs] for task in form.tasks}
    written = []
    for task in form.tasks:
        anchor = (task["due_rule"] or {}).get("task")
        anchors: Sequence[str | None] = [None] * len(theirs) if anchor is None else ids[anchor]
        differs = [
            {
                "id": id_,
                "case_id": case_form["case_id"],
                "case_form_id": case_form["id"],
                "due_anchor_id": anchor_id,
                **of_case[case_form["case_id"]],
            }
            for id_, case_form, anchor_id in zip(ids[task["item_key"]], theirs, anchors, strict=True)
        ]
        written.append(({**task, "created_at": now, "updated_at": now}, differs))
    if len(theirs) < MANY:
        # Few cases and perhaps many tasks: at once.
        uow.insert(CaseTask, [{**same, **row} for same, differs in written for row in differs])
    else:
        for same, differs in written:
            uow.insert(CaseTask, differs, same=same)
    by_case = zip(theirs, zip(*ids.values(), strict=True), strict=True)
    tasks = [(id_, case_form["case_id"], case_form["id"]) for case_form, new in by_case for id_ in new]
    return _Told(form.form_id, None, tasks)


def _add_template(
    uow: UnitOfWork,
    task: Row,
    case_ids: Sequence[str],
    of_case: Mapping[str, Row],
    once: Once,
    now: dt.datetime,
) -> _Told:
    rows: list[Row] = [{"id": new_id(), "case_id": case_id, **of_case[case_id]} for case_id in case_ids]
    once_key = _once_key(task["template_id"], once)
    same = {**task, "assigned_once_key": once_key, "created_at": now, "updated_at": now}
    kept = {row.id for row in uow.insert_returning(CaseTask, rows, "id", ignore_conflicts=bool(once), same=same)}
    return _Told(None, task["template_id"], [(row["id"], row["case_id"], None) for row in rows if row["id"] in kept])


def _emit_assigned(uow: UnitOfWork, assigned: _Told, correlation_id: str | None) -> None:
    """`tasks.assigned.v1`, of at most 500 tasks each."""
    for start in range(0, len(assigned.tasks), EVENT_SIZE):
        some = assigned.tasks[start : start + EVENT_SIZE]
        case_forms = {case_form_id for _, _, case_form_id in some}
        data = {
            "case_task_ids": [id_ for id_, _, _ in some],
            "case_ids": list(dict.fromkeys(case_id for _, case_id, _ in some)),
            "template_id": assigned.template_id,
            "form_id": assigned.form_id,
            "case_form_id": case_forms.pop() if len(case_forms) == 1 else None,
        }
        uow.emit(TASKS_ASSIGNED, some[0][0], data, correlation_id=correlation_id)


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
