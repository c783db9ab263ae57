"""What cases did not get of a bulk assignment, and why: noted as it is found, listed, let go after a while."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, undefer_group

from chassis import paging
from chassis.columns import new_id, utc_now
from chassis.context import Context, use
from chassis.database import Database, UnitOfWork
from chassis.value_sets import among
from contracts.errors import NotFound
from services.tasks.form_assigning import LeftOut
from services.tasks.freezing import Frozen
from services.tasks.models import BulkAssignment, BulkLeftOut
from services.tasks.selecting import named_cases

KEPT = dt.timedelta(days=30)
"""How long after the end of an assignment its list is kept."""
TIMER = "let go what bulk assignments left out"
_FACTS_AT_ONCE = 1_000
_ROWS_AT_ONCE = 5_000
_QUIET: dict[str, Any] = {"synchronize_session": False}


def put_away(raw_calls: Any, selector: Mapping[str, Any], total: int) -> Sequence[LeftOut]:
    """The cases that a selector names one by one and does not select, since they are archived, or wait for their
    client. `total`: how many it selects."""
    named, whole = named_cases(selector)
    if not named or (whole and total == len(named)):
        return []
    parts = [named[start : start + _FACTS_AT_ONCE] for start in range(0, len(named), _FACTS_AT_ONCE)]
    asked = [raw_calls.cases.get_case_facts.start(case_ids=part) for part in parts]
    return [
        LeftOut(facts["case_id"], None, f"case_{facts['state']}")
        for reply in asked
        for facts in reply.result()["cases"]
        if facts["state"] in ("archived", "pending")
    ]


def note(
    uow: UnitOfWork,
    record: BulkAssignment,
    frozen: Frozen,
    left_out: Sequence[LeftOut],
    *,
    cases: int = 0,
    added: int = 0,
) -> None:
    """Keeps what was left out, and counts it with what else a page came to."""
    reasons = [entry.reason for entry in left_out]
    some = entries(frozen, left_out[: BulkAssignment.MOST_EXAMPLES])
    record.record_page(cases=cases, added=added, reasons=reasons, examples=some, now=utc_now())
    rows = [
        {"id": new_id(), "bulk_assignment_id": record.id, "case_id": entry.case_id, "what_id": entry.what_id,
         "reason": entry.reason}
        for entry in left_out
    ]  # fmt: skip
    uow.insert(BulkLeftOut, rows)


def entries(frozen: Frozen, left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """The contract's LeftOutCase of each."""
    forms = {form.form_id for form in frozen.forms}
    return [
        {
            "case_id": case_id,
            "template_id": None if what_id in forms else what_id,
            "form_id": what_id if what_id in forms else None,
            "reason": reason,
        }
        for case_id, what_id, reason in left_out
    ]


def list_left_out(
    db: Database, *, bulk_assignment_id: str, reason: str | None, limit: int, cursor: str | None, sort: str | None
) -> dict[str, Any]:
    """A page of what was left out so far, by case. Raises NotFound `bulk_assignment_not_found`."""
    theirs = select(BulkLeftOut).where(BulkLeftOut.bulk_assignment_id == bulk_assignment_id)
    if reason is not None:
        theirs = theirs.where(BulkLeftOut.reason == reason)
    with db.read() as session:
        frozen = _assigned_by(session, bulk_assignment_id)
        rows, meta = paging.page(
            session,
            theirs,
            model=BulkLeftOut,
            sorts={"case_id": BulkLeftOut.case_id},
            default_sort="case_id",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
    titles = {form.form_id: form.title for form in frozen.forms}
    titles |= {row["template_id"]: row["title"] for row in frozen.templates}
    found = entries(frozen, [LeftOut(row.case_id, row.what_id, row.reason) for row in rows])
    data = [{**entry, "id": row.id, "title": titles.get(row.what_id)} for entry, row in zip(found, rows, strict=True)]
    return {"data": data, "meta": meta}


def let_go(db: Database, now: dt.datetime) -> bool:
    """Across firms: removes some of the lists that are kept no longer; whether there may be more."""
    listed = select(BulkLeftOut.id).where(
        BulkLeftOut.firm_id == BulkAssignment.firm_id, BulkLeftOut.bulk_assignment_id == BulkAssignment.id
    )
    over = (BulkAssignment.state != "running", BulkAssignment.updated_at < now - KEPT, listed.exists())
    with db.across_firms("lists of all firms are let go by a timer").read() as session:
        wanted = select(BulkAssignment.firm_id, BulkAssignment.id).where(*over).order_by(BulkAssignment.id)
        found = session.execute(wanted.limit(1)).one_or_none()
    if found is None:
        return False
    firm_id, bulk_assignment_id = found
    with use(Context(firm_id=firm_id)), db.for_firm(firm_id).unit_of_work() as uow:
        theirs = BulkLeftOut.bulk_assignment_id == bulk_assignment_id
        some = uow.session.scalars(select(BulkLeftOut.id).where(theirs).limit(_ROWS_AT_ONCE)).all()
        uow.session.execute(
            delete(BulkLeftOut).where(among(uow.session, BulkLeftOut.id, some)), execution_options=_QUIET
        )
    return True


def _assigned_by(session: Session, bulk_assignment_id: str) -> Frozen:
    wanted = select(BulkAssignment).where(BulkAssignment.id == bulk_assignment_id)
    record = session.scalars(wanted.options(undefer_group("assigned"))).one_or_none()
    if record is None:
        raise NotFound("bulk_assignment_not_found", bulk_assignment_id=bulk_assignment_id)
    return Frozen.of_json(record.assigned)
