"""A client is erased: its answers and files go, and so do those about it on cases that are nobody else's.

Files go first, then the rows that name them: who is interrupted in between finds them again.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from typing import Any

from sqlalchemy import Select, delete, null, or_, select, update
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.files import Files
from chassis.forgetting import forget_deleted
from chassis.value_sets import among, among_rows
from contracts.errors import Unavailable
from contracts.tasks import ERASURE_REPORTED, OWNER
from services.tasks import flow, known_cases
from services.tasks.firms import Calendars
from services.tasks.models import CaseTask, CaseTaskChange, KnownCase, TaskFile
from services.tasks.sealed_answers import destroy_keys, kept, opened
from services.tasks.task_files import named_files
from services.tasks.views import load_case_tasks

_ASKED_AT_ONCE = 500
_QUIET = {"synchronize_session": False}
_NO_DRAFT = {"draft": null(), "draft_at": null(), "draft_client_id": null()}


def forget_clients(
    db: Database, files: Files, calls: Any, firms: Calendars, events: Sequence[ReceivedEvent], now: dt.datetime
) -> None:
    """`client.erased.v1`: forgets what was answered and uploaded, and reports how much. That a task was completed, and
    when, stays; what the answers showed or hid is decided anew. Which cases are the clients' alone is asked first.

    Raises Unavailable, DeadlineExceeded; then it is done later.
    """
    ids = sorted({client_id for event in events for client_id in event.data["client_ids"]})
    alone = _cases_of_nobody_else(calls, ids)
    removed = _remove_contents(db, files, ids, alone)
    calendar = firms.get(str(db.firm_id), calls)
    with db.unit_of_work(once=events) as uow:
        touched = _hold_cases(uow, ids, alone)
        answers = _forget_answers(uow, ids, alone, now)
        gone = _forget_files(uow, ids, alone, removed, now)
        for case in touched:
            flow.settle(uow, case, changed=[], calendar=calendar, now=now)
        uow.forget_mentions([*ids, *alone])
        for event in uow.fresh:
            mine = set(event.data["client_ids"])
            cases = [case_id for case_id, client_ids in alone.items() if mine & set(client_ids)]
            report = {
                "erasure_id": event.data["erasure_id"],
                "client_id": event.data["client_id"],
                "service": OWNER,
                "outcome": "done",
                "counts": {
                    "answers": sum(answers[key] for key in (*mine, *cases)),
                    "files": sum(gone[key] for key in (*mine, *cases)),
                },
            }
            uow.emit(ERASURE_REPORTED, event.data["client_id"], report)
        forget_deleted(uow, db)


def _cases_of_nobody_else(calls: Any, client_ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for start in range(0, len(client_ids), _ASKED_AT_ONCE):
        asked = list(client_ids[start : start + _ASKED_AT_ONCE])
        for case in calls.cases.get_client_cases(client_ids=asked)["cases"]:
            if case["alone"]:
                found[case["case_id"]] = case["client_ids"]
    return found


def _hold_cases(uow: UnitOfWork, ids: Sequence[str], alone: dict[str, Any]) -> Sequence[KnownCase]:
    """The cases in which something is forgotten, and all their tasks, locked in the order of `flow`."""
    with_files = select(TaskFile.case_task_id).where(among(uow.session, TaskFile.client_id, ids))
    theirs = or_(
        among(uow.session, CaseTask.client_id, ids),
        among(uow.session, CaseTask.case_id, alone),
        among_rows(uow.session.get_bind().dialect.name, CaseTask.id, with_files),
    )
    case_ids = sorted(set(uow.session.scalars(select(CaseTask.case_id).where(theirs).distinct())))
    known_cases.hold(uow, case_ids)
    tasks = select(CaseTask.id).where(among(uow.session, CaseTask.case_id, case_ids)).order_by(CaseTask.id)
    uow.session.execute(tasks.with_for_update()).all()
    cases = select(KnownCase).where(among(uow.session, KnownCase.case_id, case_ids)).order_by(KnownCase.case_id)
    return uow.session.scalars(cases).all()


def _forget_answers(uow: UnitOfWork, ids: Sequence[str], alone: dict[str, Any], now: dt.datetime) -> Counter[str]:
    """How many answers went, by the case that was nobody else's, else by the client who gave it."""
    theirs = or_(among(uow.session, CaseTask.client_id, ids), among(uow.session, CaseTask.case_id, alone))
    affected = uow.session.execute(
        select(CaseTask.id, CaseTask.case_id, CaseTask.client_id, CaseTask.answer.is_not(None).label("answered"))
        .where(theirs)
        .order_by(CaseTask.id)
        .with_for_update()
    ).all()
    task_ids = [row.id for row in affected]
    uow.session.execute(
        update(CaseTask)
        .where(among(uow.session, CaseTask.id, task_ids))
        .values(
            answer=null(), rejection=null(), reopened=null(), **_NO_DRAFT, version=CaseTask.version + 1, updated_at=now
        ),
        execution_options=_QUIET,
    )
    destroy_keys(uow, task_ids)
    # One that somebody else saved of such a task went with its answer, which it may have been filled with.
    uow.session.execute(
        update(CaseTask)
        .where(among(uow.session, CaseTask.draft_client_id, ids))
        .values(**_NO_DRAFT, version=CaseTask.version + 1, updated_at=now),
        execution_options=_QUIET,
    )
    said = update(CaseTaskChange).where(
        among(uow.session, CaseTaskChange.case_task_id, task_ids), CaseTaskChange.kind == "reopened"
    )
    uow.session.execute(said.values(facts={}), execution_options=_QUIET)
    return Counter(row.case_id if row.case_id in alone else row.client_id for row in affected if row.answered)


def _files_of(session: Session, ids: Sequence[str], alone: dict[str, Any]) -> Select[Any]:
    """Those that the clients uploaded or answered with, and all of cases that are nobody else's."""
    theirs = select(CaseTask.id).where(among(session, CaseTask.case_id, alone))
    mine = or_(among(session, TaskFile.client_id, ids), TaskFile.case_task_id.in_(theirs))
    return select(TaskFile).where(mine).order_by(TaskFile.id)


def _remove_contents(db: Database, files: Files, ids: Sequence[str], alone: dict[str, Any]) -> set[str]:
    """Removes what the object store has of them; the ids of the files."""
    with db.read() as session:
        found = session.scalars(_files_of(session, ids, alone)).all()
    for file in found:
        files.delete(file.file_key)
    return {file.id for file in found}


def _forget_files(
    uow: UnitOfWork, ids: Sequence[str], alone: dict[str, Any], removed: set[str], now: dt.datetime
) -> Counter[str]:
    """How many files went, by the case that was nobody else's, else by the client. (Whoever is still storing one finds
    its row gone, and removes it.)"""
    found = uow.session.scalars(_files_of(uow.session, ids, alone).with_for_update()).all()
    if any(file.state != "coming" and file.id not in removed for file in found):
        raise Unavailable("files_still_coming")
    tasks = load_case_tasks(uow.session, sorted({file.case_task_id for file in found}))
    case_of = {task.id: task.case_id for task in tasks.values()}
    _forget_names(uow, tasks.values(), {file.id for file in found}, now)
    uow.session.execute(
        delete(TaskFile).where(among(uow.session, TaskFile.id, [file.id for file in found])), execution_options=_QUIET
    )
    cases = {file.id: case_of.get(file.case_task_id) for file in found}
    return Counter(str(cases[file.id] if cases[file.id] in alone else file.client_id) for file in found)


def _forget_names(uow: UnitOfWork, tasks: Iterable[CaseTask], file_ids: Set[str], now: dt.datetime) -> None:
    """Takes files out of answers that are somebody else's too."""
    given = list(tasks)
    clear = opened(uow.session, given)
    for task in given:
        named = named_files(clear[task.id].answer) if task.kind == "file_upload" else []
        if left_out := file_ids & set(named):
            left = [file_id for file_id in named if file_id not in left_out]
            task.answer = kept(uow, task, "answer", left or None)
            task.touch(now)
    uow.session.flush()
