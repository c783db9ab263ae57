"""Assigning forms and templates to all cases of a selector: asked for, tried out, watched, cancelled.

`bulk_pages` does the work, page by page.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer_group

from chassis import paging
from chassis.asking_again import first_time
from chassis.context import kinds_seen
from chassis.database import Database, UnitOfWork
from chassis.value_sets import among
from contracts.errors import Invalid, NotFound, invalid_field
from contracts.tasks import BULK_ASSIGNMENT_FINISHED, BULK_ASSIGNMENT_REQUESTED, MOST_BULK_TASKS
from services.tasks import bulk_left_out, due_dates, staff
from services.tasks.assigning import firm_calendar
from services.tasks.due_dates import due_to_wire
from services.tasks.form_assigning import LeftOut, already_there
from services.tasks.freezing import Frozen, freeze
from services.tasks.limits import demand_all_of
from services.tasks.models import BulkAssignment, KnownCase, of_cases
from services.tasks.selecting import pages_of_cases


def bulk_assign(
    db: Database,
    calls: Any,
    raw_calls: Any,
    now: dt.datetime,
    *,
    selector: dict[str, Any],
    template_ids: Sequence[str] = (),
    form_ids: Sequence[str] = (),
    due: dict[str, Any] | None = None,
    assignee_id: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Begins a bulk assignment and returns its record; the work goes on by an event. A dry run is counted at once.

    Selector, forms, templates and due rule are frozen as they are now. What `cases` refuses of a selector is refused
    here: its first case is asked for.

    Raises NotFound `form_not_found`, `task_template_not_found`, and what `cases.select_cases` does; Conflict
    `form_archived`, `template_archived`; Invalid `nothing_to_assign`, `form_empty`, `too_many_tasks`, on `due`, on
    `assignee_id` `unknown_staff`, `inactive_staff`, and as `cases.select_cases`; Unavailable.
    """
    if not template_ids and not form_ids:
        raise invalid_field("template_ids", "Name templates or forms to be assigned.", "nothing_to_assign")
    due_dates.check_rule(due)
    staff.demand_staff(calls, [] if assignee_id is None else [("assignee_id", assignee_id)])
    calendar = firm_calendar(calls)
    total = calls.cases.select_cases(selector=selector, limit=1, count_all=True, to_keep=not dry_run)["meta"]["total"]
    put_away = bulk_left_out.put_away(raw_calls, selector, total)
    given = {"due": due, "assignee_id": assignee_id, "calendar": calendar, "now": now}
    if dry_run:
        with db.read() as session:
            frozen = _freeze(session, form_ids, template_ids, given)
        return _tried(db, raw_calls, selector, frozen, put_away, now)
    with db.unit_of_work() as uow:
        frozen = _freeze(uow.session, form_ids, template_ids, given)
        kept = frozen.to_json()
        record = BulkAssignment(
            selector=selector,
            sees_only=kinds_seen(),
            frozen=kept,
            # The release before this one assigns templates by these, and fails, to try again, on forms.
            copies=[] if frozen.forms else kept["templates"],
            due_rule=due_to_wire(due),
            due_at=due_dates.due_at(due, now, calendar),
            cases_total=total,
            created_at=now,
            updated_at=now,
            ask_at=first_time(now),
        )
        uow.session.add(record)
        uow.session.flush()
        if put_away:
            bulk_left_out.note(uow, record, frozen, put_away)
        uow.emit(BULK_ASSIGNMENT_REQUESTED, record.id, {"bulk_assignment_id": record.id})
        return uow.answer(bulk_assignment_view(record))


def get_bulk_assignment(db: Database, bulk_assignment_id: str) -> dict[str, Any]:
    """Raises NotFound `bulk_assignment_not_found`."""
    with db.read() as session:
        return _views(session, [load(session, bulk_assignment_id)])[0]


def list_bulk_assignments(
    db: Database, *, state: str | None, limit: int, cursor: str | None, sort: str | None
) -> dict[str, Any]:
    """A page, newest first unless `sort` (created_at) says otherwise."""
    statement = select(BulkAssignment)
    if state is not None:
        statement = statement.where(BulkAssignment.state == state)
    with db.read() as session:
        rows, meta = paging.page(
            session,
            statement,
            model=BulkAssignment,
            sorts={"created_at": BulkAssignment.created_at},
            default_sort="-created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": _views(session, rows), "meta": meta}


def cancel_bulk_assignment(db: Database, now: dt.datetime, bulk_assignment_id: str) -> dict[str, Any]:
    """From its commit on no case gets anything more; what was added stays. Once more changes nothing.

    Raises NotFound `bulk_assignment_not_found`, Conflict `bulk_assignment_ended`, Forbidden `limited_to_case_types` to
    whom not all are shown that it may be about.
    """
    with db.unit_of_work() as uow:
        record = load(uow.session, bulk_assignment_id, lock=True)
        demand_all_of(record.sees_only)
        if record.state != "cancelled":
            record.cancel(now)
            tell_end(uow, record)
        return uow.answer(_views(uow.session, [record])[0])


def _views(session: Session, records: Sequence[BulkAssignment]) -> list[dict[str, Any]]:
    """The records, whoever asked for them, without examples of cases that the caller may not see."""
    views = [bulk_assignment_view(record) for record in records]
    if (kinds := kinds_seen()) is not None:
        named = sorted({entry["case_id"] for view in views for entry in view["examples"]})
        known = select(KnownCase.case_id).where(among(session, KnownCase.case_id, named))
        seen = set(session.scalars(known.where(of_cases(KnownCase.case_id, kinds))))
        for view in views:
            view["examples"] = [entry for entry in view["examples"] if entry["case_id"] in seen]
    return views


def bulk_assignment_view(record: BulkAssignment) -> dict[str, Any]:
    """Python values of the contract's BulkAssignment."""
    names = ("id", "version", "created_at", "updated_at", "state", "added", "left_out", "examples", "failure")
    return {
        **{name: getattr(record, name) for name in names},
        "dry_run": False,
        "progress": {"done": record.cases_done, "total": record.cases_total},
    }


def tell_end(uow: UnitOfWork, record: BulkAssignment) -> None:
    """`bulk_assignment.finished.v1`."""
    data = {
        "bulk_assignment_id": record.id, "state": record.state, "added": record.added, "left_out": record.left_out,
    }  # fmt: skip
    uow.emit(BULK_ASSIGNMENT_FINISHED, record.id, data)


def load(
    session: Session, bulk_assignment_id: str, *, lock: bool = False, with_assigned: bool = False
) -> BulkAssignment:
    """`with_assigned`: what it assigns too. Raises NotFound `bulk_assignment_not_found`."""
    statement = select(BulkAssignment).where(BulkAssignment.id == bulk_assignment_id)
    if with_assigned:
        statement = statement.options(undefer_group("assigned"))
    record = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if record is None:
        raise NotFound("bulk_assignment_not_found", bulk_assignment_id=bulk_assignment_id)
    return record


def _freeze(session: Session, form_ids: Sequence[str], template_ids: Sequence[str], given: dict[str, Any]) -> Frozen:
    try:
        frozen = freeze(session, form_ids, template_ids, **given)
    except Invalid as refused:
        # A form that is assigned alone is `form_id`.
        fields = [{**entry, "field": "form_ids"} for entry in refused.fields]
        raise Invalid(refused.code, fields=fields, **refused.meta) from None
    if frozen.tasks_per_case > MOST_BULK_TASKS:
        message = f"Together they ask {frozen.tasks_per_case} tasks of a case; at most {MOST_BULK_TASKS} at once."
        raise invalid_field("form_ids" if form_ids else "template_ids", message, "too_many_tasks")
    return frozen


def _tried(
    db: Database,
    raw_calls: Any,
    selector: dict[str, Any],
    frozen: Frozen,
    put_away: Sequence[LeftOut],
    now: dt.datetime,
) -> dict[str, Any]:
    """What a bulk assignment would come to, as its record."""
    size = {form.form_id: len(form.tasks) for form in frozen.forms}
    done, added, examples = 0, 0, list(put_away[: BulkAssignment.MOST_EXAMPLES])
    left_out = Counter(entry.reason for entry in put_away)
    for page in pages_of_cases(raw_calls, selector):
        case_ids = [case["case_id"] for case in page]
        with db.read() as session:
            taken = already_there(session, frozen, case_ids)
        done += len(case_ids)
        added += len(case_ids) * frozen.tasks_per_case - sum(size.get(what_id, 1) for _, what_id in taken)
        left_out["already_assigned"] += len(taken)
        if len(examples) < BulkAssignment.MOST_EXAMPLES:
            examples += [LeftOut(*pair, "already_assigned") for pair in sorted(taken)]
            del examples[BulkAssignment.MOST_EXAMPLES :]
    return {
        "id": None,
        "version": 0,
        "created_at": now,
        "updated_at": now,
        "state": "finished",
        "dry_run": True,
        "progress": {"done": done, "total": done},
        "added": added,
        "left_out": {reason: count for reason, count in left_out.items() if count},
        "examples": bulk_left_out.entries(frozen, examples),
        "failure": None,
    }
