"""What tasks hold about a client, handed out."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, or_, select

from chassis.database import Database
from chassis.sections import Section, plain, read_sections
from chassis.value_sets import among
from services.tasks.limits import demand_no_limit
from services.tasks.models import CaseTask, CaseTaskChange, TaskFile
from services.tasks.sealed_answers import Clear, opened


def export_client_data(
    db: Database, calls: Any, *, client_id: str, limit: int = 200, cursor: str | None = None
) -> dict[str, Any]:
    """`contracts.exporting.ExportedPage`: what the client answered, saved or uploaded, and every task of cases that are
    nobody else's. Raises Invalid, Forbidden `limited_to_case_types`, Unavailable."""
    demand_no_limit()
    cases = calls.cases.get_client_cases(client_ids=[client_id])["cases"]
    alone = [case["case_id"] for case in cases if case["alone"]]
    with db.read() as session:
        theirs = or_(CaseTask.client_id == client_id, among(session, CaseTask.case_id, alone))
        # A file that is answered is whose the answer is.
        on_own_case = TaskFile.case_task_id.in_(select(CaseTask.id).where(among(session, CaseTask.case_id, alone)))
        files = or_(TaskFile.client_id == client_id, and_(TaskFile.client_id.is_(None), on_own_case))
        sections = [
            Section("case_task", CaseTask, theirs, CaseTask.id, lambda task: _but_of_others(task, client_id)),
            Section("draft", CaseTask, CaseTask.draft_client_id == client_id, CaseTask.id, _draft),
            Section(
                "case_task_change",
                CaseTaskChange,
                CaseTaskChange.case_task_id.in_(select(CaseTask.id).where(theirs)),
                CaseTaskChange.id,
            ),
            Section("task_file", TaskFile, TaskFile.state.in_(("stored", "answered")) & files, TaskFile.id),
        ]
        rows, following = read_sections(session, sections, limit=limit, cursor=cursor)
        clear = opened(session, [row for _, row in rows if isinstance(row, CaseTask)])
    entries = [{"kind": section.kind, "data": _in_clear(section.show(row), clear.get(row.id))} for section, row in rows]
    kept = [
        {"file_key": row.file_key, "name": f"{section.kind}/{row.id}-{row.filename}"}
        for section, row in rows
        if isinstance(row, TaskFile)
    ]
    return {"entries": entries, "files": kept, "next_cursor": following}


def _in_clear(shown: dict[str, Any], clear: Clear | None) -> dict[str, Any]:
    """What is handed out of a row: of a case task, its answer and its draft as they were given."""
    held = {} if clear is None else {"answer": clear.answer, "draft": clear.draft}
    return {**shown, **{part: value for part, value in held.items() if part in shown}}


def _but_of_others(task: CaseTask, client_id: str) -> dict[str, Any]:
    """Without what another client gave, who may have been on the case before."""
    of_others = {
        owner: part
        for owner, part in (("client_id", "answer"), ("draft_client_id", "draft"))
        if getattr(task, owner) not in (None, client_id)
    }
    return plain(task, "sealed", *of_others, *of_others.values())


def _draft(task: CaseTask) -> dict[str, Any]:
    """Alone: the answer to the same question may be another client's."""
    return {"id": task.id, "case_id": task.case_id, "title": task.title, "draft": task.draft}
