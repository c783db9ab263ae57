"""What tasks know of cases: told by the events of `cases`, and asked for where nothing was told.

Events come twice, late and in any order: a case's `version` decides which is newer. The rows are locked and written in
the order of their ids, so that two replicas wait for each other and do not deadlock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Row, delete, literal_column, select, update

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.going_on import firm_by_firm
from chassis.scoping import BY_ID
from chassis.value_sets import among
from services.tasks.models import CaseTask, KnownCase, KnownCaseStaff

Facts = dict[str, Any]

TIMER = "ask for unknown cases"
AT_ONCE = 1_000
"""Cases that are asked for by one call."""

_QUIET = {"synchronize_session": False}


def follow_cases(
    db: Database, calls: Any, events: Sequence[ReceivedEvent], then: Callable[[UnitOfWork], object] | None = None
) -> None:
    """`case.created.v1` and `case.changed.v1`. Cases whose events say nothing of staff, as those of an earlier version,
    are asked for. `then` is what follows in the same transaction. Raises Unavailable, DeadlineExceeded; then it is done
    later."""
    lacking = sorted({event.data["case_id"] for event in events if "staff_ids" not in event.data})
    asked = _facts(calls, lacking)
    with db.unit_of_work(once=events) as uow:
        keep(uow, [*(event.data for event in uow.fresh if "staff_ids" in event.data), *asked])
        if then is not None:
            then(uow)


def follow_imports(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """`cases.imported.v1`: no rule begins with it, and no form is given."""
    with db.unit_of_work(once=events) as uow:
        keep(uow, [case for event in uow.fresh for case in event.data["cases"]])


def ask_for_unknown(db: Database, calls: Any) -> bool:
    """Asks for the cases that nothing was heard of, of all firms, in pages; whether there may be more.

    Those that `cases` does not know either are forgotten. A firm that fails keeps no other one waiting; what it raises,
    Unavailable or DeadlineExceeded say, is raised in the end.
    """
    # The value is in the text: a partial index serves where the query says the same.
    unknown = select(KnownCase.firm_id, KnownCase.case_id).where(KnownCase.version == literal_column("0"))
    return firm_by_firm(
        db.across_firms("unknown cases of every firm are asked for by a timer"),
        unknown.order_by(KnownCase.firm_id, KnownCase.case_id),
        AT_ONCE,
        lambda own, case_ids: _ask_of_firm(own, calls, case_ids),
    )


def _ask_of_firm(db: Database, calls: Any, case_ids: Sequence[str]) -> int:
    """How many are not unknown any more: they are known now, or forgotten."""
    told = _facts(calls, case_ids)
    with db.unit_of_work() as uow:
        keep(uow, told)
        gone = sorted(set(case_ids) - {facts["case_id"] for facts in told})
        still_unknown = (among(uow.session, KnownCase.case_id, gone), KnownCase.version == 0)
        uow.session.execute(delete(KnownCase).where(*still_unknown), execution_options=_QUIET)
    return len(case_ids)


def keep(uow: UnitOfWork, facts: Iterable[Facts]) -> None:
    """Keeps what is newer than what is kept: [{case_id, version, case_type_id, status, state, archived,
    responsible_staff_id, staff_ids}]. Tasks of a case that was archived, or is not any more, are marked so with it."""
    latest: dict[str, Facts] = {}
    for entry in facts:
        known = latest.get(entry["case_id"])
        if known is None or entry["version"] > known["version"]:
            latest[entry["case_id"]] = entry
    kept = hold(uow, latest)
    newer = [latest[row.case_id] for row in kept if latest[row.case_id]["version"] > row.version]
    if not newer:
        return
    uow.update_each(KnownCase, map(_row, newer), key=("case_id",))
    outdated = delete(KnownCaseStaff).where(among(uow.session, KnownCaseStaff.case_id, [of["case_id"] for of in newer]))
    uow.session.execute(outdated, execution_options=_QUIET)
    uow.insert(
        KnownCaseStaff,
        [{"case_id": of["case_id"], "staff_id": staff_id} for of in newer for staff_id in sorted(_staff(of))],
    )
    before = {row.case_id: row.archived for row in kept}
    turned = [of for of in newer if of["archived"] != before[of["case_id"]]]
    for archived in (True, False):
        _mark_tasks(uow, [of["case_id"] for of in turned if of["archived"] is archived], archived)


def hold(uow: UnitOfWork, case_ids: Iterable[str]) -> Sequence[Row[str, int, bool]]:
    """Locks the rows of cases, new ones included, to the end of the transaction: (case_id, version, archived), in id
    order. Whoever adds tasks to many cases does so too, or a case could be archived without them."""
    ids = sorted(set(case_ids))
    if not ids:
        return []
    uow.insert(KnownCase, [{"case_id": case_id} for case_id in ids], ignore_conflicts=True)
    rows = (
        select(KnownCase.case_id, KnownCase.version, KnownCase.archived)
        .where(among(uow.session, KnownCase.case_id, ids))
        .order_by(KnownCase.case_id)
        .with_for_update()
    )
    return uow.session.execute(rows.execution_options(**BY_ID)).all()


def lock_case(uow: UnitOfWork, case_id: str, facts: Facts | None = None) -> KnownCase:
    """The row of one case, locked to the end of the transaction: before any other lock in it. What `facts` say is kept
    if it is newer."""
    wanted = select(KnownCase).where(KnownCase.case_id == case_id).with_for_update()
    while (known := uow.session.scalars(wanted).one_or_none()) is None:
        uow.insert(KnownCase, [{"case_id": case_id}], ignore_conflicts=True)
    if facts is not None and facts["version"] > known.version:
        keep(uow, [facts])
        uow.session.refresh(known)
    return known


def _facts(calls: Any, case_ids: Sequence[str]) -> list[Facts]:
    if not case_ids:
        return []
    found: list[Facts] = calls.cases.get_case_facts(case_ids=list(case_ids))["cases"]
    return found


def _row(facts: Facts) -> dict[str, Any]:
    """An archived case has no other state, as in the answer of `cases.get_case_facts`."""
    names = ("case_id", "version", "case_type_id", "status", "archived", "responsible_staff_id")
    return {**{name: facts[name] for name in names}, "state": "archived" if facts["archived"] else facts["state"]}


def _staff(facts: Facts) -> set[str]:
    return {*facts["staff_ids"], facts["responsible_staff_id"]} - {None}


def _mark_tasks(uow: UnitOfWork, case_ids: Sequence[str], archived: bool) -> None:
    if not case_ids:
        return
    theirs = (among(uow.session, CaseTask.case_id, case_ids), CaseTask.archived.is_not(archived))
    ids = uow.session.scalars(select(CaseTask.id).where(*theirs).order_by(CaseTask.id).with_for_update()).all()
    marked = update(CaseTask).where(among(uow.session, CaseTask.id, ids)).values(archived=archived)
    uow.session.execute(marked, execution_options=_QUIET)
