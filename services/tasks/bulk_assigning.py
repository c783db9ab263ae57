"""Assigning templates to all cases of a selector, page by page, repeatable without doubling."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.value_sets import among
from contracts.errors import Invalid, NotFound
from contracts.tasks import BULK_ASSIGNMENT_REQUESTED, TASKS_ASSIGNED
from services.tasks import due_dates, known_cases
from services.tasks.assigning import firm_calendar
from services.tasks.due_dates import due_to_wire
from services.tasks.models import BulkAssignment, CaseTask
from services.tasks.templates import load_templates

PAGE_OF_CASES = 1_000
PAGE_OF_TASKS = 5_000
"""A page is one transaction: at most so many cases, and about so many tasks where there are several templates."""
EVENT_SIZE = 500
TURN_SECONDS = 20.0
"""How long one handler works before it hands on to the next: well under a minute."""


def bulk_assign(
    db: Database,
    calls: Any,
    now: dt.datetime,
    *,
    selector: dict[str, Any],
    template_ids: list[str],
    due: dict[str, Any] | None,
) -> dict[str, Any]:
    """Begins a bulk assignment and returns its record; the work goes on by an event.

    Selector, templates and due rule are frozen as they are now. A selector that `cases` refuses is refused here: its
    first case is asked for. Raises Invalid, NotFound, Conflict `template_archived`.
    """
    due_dates.check_rule(due)
    calendar = firm_calendar(calls) if due_dates.needs_calendar(due) else None
    first = calls.cases.select_cases(selector=selector, limit=1)
    with db.unit_of_work() as uow:
        record = BulkAssignment(
            selector=selector,
            copies=[
                {"template_id": template.id, **template.copy()}
                for template in load_templates(uow.session, template_ids)
            ],
            due_rule=due_to_wire(due),
            due_at=due_dates.due_at(due, now, calendar),
            cases_total=first["meta"]["total"],
            created_at=now,
            updated_at=now,
        )
        uow.session.add(record)
        uow.session.flush()
        uow.emit(BULK_ASSIGNMENT_REQUESTED, record.id, {"bulk_assignment_id": record.id})
        return uow.answer(bulk_assignment_view(record))


def get_bulk_assignment(db: Database, bulk_assignment_id: str) -> dict[str, Any]:
    """Raises NotFound `bulk_assignment_not_found`."""
    with db.read() as session:
        return bulk_assignment_view(_load(session, bulk_assignment_id))


def bulk_assignment_view(record: BulkAssignment) -> dict[str, Any]:
    """Python values of the contract's BulkAssignment."""
    names = ("id", "version", "created_at", "updated_at", "state", "added", "left_out", "examples", "failure")
    return {
        **{name: getattr(record, name) for name in names},
        "progress": {"done": record.cases_done, "total": record.cases_total},
    }


def continue_bulk_assignment(
    db: Database, raw_calls: Any, event: ReceivedEvent, *, turn_seconds: float = TURN_SECONDS
) -> None:
    """Assigns page after page until all are done, or the turn is over and the next event takes over.

    Every page commits with its cursor, so that a repeat of the event after a crash resumes there. The event counts as
    received with the last page of its turn.
    """
    turn_ends = time.monotonic() + turn_seconds
    record = _read(db, event.data["bulk_assignment_id"])
    while record.state == "running":
        limit = max(1, min(PAGE_OF_CASES, PAGE_OF_TASKS // len(record.copies)))
        try:
            page = raw_calls.cases.select_cases(selector=record.selector, limit=limit, cursor=record.cursor)
        except (Invalid, NotFound) as error:
            # What the selector names is gone: no repeat will find it.
            _fail(db, event, record.id, error.code)
            return
        case_ids = [case["case_id"] for case in page["data"]]
        next_cursor = page["meta"]["next_cursor"]
        is_last = next_cursor is None or time.monotonic() > turn_ends
        try:
            with db.unit_of_work(once=event if is_last else None) as uow:
                record = _locked(uow.session, record)
                _assign_page(uow, record, case_ids, utc_now())
                record.cursor = next_cursor
                if next_cursor is None:
                    record.finish(utc_now())
                elif is_last:
                    uow.emit(BULK_ASSIGNMENT_REQUESTED, record.id, {"bulk_assignment_id": record.id})
        except _Overtaken:
            record = _read(db, record.id)
            continue
        if is_last:
            return


class _Overtaken(Exception):
    """The event is being handled twice, and the other has done this page: the transaction must leave no trace."""


def _locked(session: Session, seen: BulkAssignment) -> BulkAssignment:
    record = _load(session, seen.id, lock=True)
    if record.cursor != seen.cursor or record.state != "running":
        raise _Overtaken
    return record


def _assign_page(uow: UnitOfWork, record: BulkAssignment, case_ids: list[str], now: dt.datetime) -> None:
    """Adds the tasks that these cases lack, and counts."""
    copies = {copy["template_id"]: copy for copy in record.copies}
    archived = {case.case_id: case.archived for case in known_cases.hold(uow, case_ids)}
    taken = _already_assigned(uow.session, case_ids, list(copies))
    wanted = [pair for pair in itertools.product(case_ids, copies) if pair not in taken]
    rows = [
        {
            **copies[template_id],
            "case_id": case_id,
            "archived": archived[case_id],
            "assigned_once_key": template_id,
            "due_rule": record.due_rule,
            "due_at": record.due_at,
            "created_at": now,
            "updated_at": now,
        }
        for case_id, template_id in wanted
    ]
    # Another bulk assignment may have been faster since the look: the constraint decides.
    added = uow.insert_returning(CaseTask, rows, "id", "case_id", "template_id", ignore_conflicts=True)
    new = {(row.case_id, row.template_id) for row in added}
    left_out = [
        {"case_id": case_id, "template_id": template_id, "reason": "already_assigned"}
        for case_id, template_id in itertools.product(case_ids, copies)
        if (case_id, template_id) not in new
    ]
    record.record_page(cases=len(case_ids), added=len(added), left_out=left_out, now=now)
    for template_id in copies:
        pairs = sorted((row.id, row.case_id) for row in added if row.template_id == template_id)
        uow.emit_many(TASKS_ASSIGNED, [(record.id, _assigned(template_id, some)) for some in _chunks(pairs)])


def _already_assigned(session: Session, case_ids: list[str], template_ids: list[str]) -> set[tuple[str, str]]:
    """The pairs of case and template that have a task, whatever its status: a skipped one may come back."""
    statement = select(CaseTask.case_id, CaseTask.template_id).where(
        among(session, CaseTask.case_id, case_ids), CaseTask.template_id.in_(template_ids)
    )
    return set(session.execute(statement.distinct()))


def _assigned(template_id: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    case_ids = dict.fromkeys(case_id for _, case_id in pairs)
    return {"case_task_ids": [id_ for id_, _ in pairs], "case_ids": list(case_ids), "template_id": template_id}


def _chunks(pairs: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    return [pairs[start : start + EVENT_SIZE] for start in range(0, len(pairs), EVENT_SIZE)]


def _fail(db: Database, event: ReceivedEvent, bulk_assignment_id: str, code: str) -> None:
    with db.unit_of_work(once=event) as uow:
        record = _load(uow.session, bulk_assignment_id, lock=True)
        if record.state == "running":
            record.fail(code, utc_now())


def _read(db: Database, bulk_assignment_id: str) -> BulkAssignment:
    with db.read() as session:
        return _load(session, bulk_assignment_id)


def _load(session: Session, bulk_assignment_id: str, *, lock: bool = False) -> BulkAssignment:
    statement = select(BulkAssignment).where(BulkAssignment.id == bulk_assignment_id)
    record = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if record is None:
        raise NotFound("bulk_assignment_not_found", bulk_assignment_id=bulk_assignment_id)
    return record
