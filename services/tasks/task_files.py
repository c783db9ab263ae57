"""Files that answer a case task: named by an answer, let go, listed. How they come is in `uploads.py`, how they go in
`file_tidying.py`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.timers import wake
from chassis.value_sets import among
from contracts.errors import Conflict, NotFound, invalid_field
from services.tasks.models import CaseTask, TaskFile
from services.tasks.sealed_answers import refuse_to_staff, sees
from services.tasks.views import load_case_task, load_case_tasks

Record = dict[str, Any]

WITH_FILES = ("file_upload", "signature")
"""Kinds of questions that files may answer."""
TIMER = "tasks: tidy files"


def take_named(
    uow: UnitOfWork,
    task: CaseTask,
    answer: Any,
    before: Any,
    now: dt.datetime,
    *,
    client_id: str | None,
    by_staff: bool,
) -> Any:
    """Makes the files that a checked answer names part of it, and lets go those of the answer `before`; returns the
    answer that is given, in clear. `client_id`: whose answer it is, `by_staff`: who wrote it down. The task is locked.

    A client does not see the files that another one of the case has sent: they stay part of the answer.

    Raises Invalid on `answer`: `file_not_found` for what is not there, or is another client's.
    """
    if task.kind not in WITH_FILES:
        return answer
    named = set(named_files(answer))
    uploader = None if by_staff else client_id
    there = files_of_task(uow.session, task.id)
    if named - {file.id for file in there if file.may_be_named(uploader)}:
        raise invalid_field("answer", "A file is not there any more. Please send it again.", "file_not_found")
    others = [file for file in there if task.kind == "file_upload" and file.is_anothers_answer(uploader)]
    for file in there:
        if file in others:
            continue
        if file.id in named:
            file.answer(client_id)
        elif file.state == "answered" or (uploader is not None and file.client_id == uploader):
            file.leave()
    uow.after_commit(lambda: wake(TIMER))
    if task.kind == "signature" and answer is not None:
        return {**answer, "signed_at": _signed_at(before, answer, now)}
    if others:
        return list(dict.fromkeys([*(file.id for file in others), *named_files(answer)]))
    return answer


def named_files(answer: Any) -> list[str]:
    """The ids of the files that a checked answer names."""
    if isinstance(answer, dict):
        return [answer["file_id"]] if answer.get("file_id") else []
    return list(answer) if isinstance(answer, list) else []


def _signed_at(before: Any, answer: Record, now: dt.datetime) -> str:
    """Whoever sends the same signature once more has not signed anew."""
    if isinstance(before, dict) and {**answer, "signed_at": before.get("signed_at")} == before:
        return str(before["signed_at"])
    return now.isoformat().replace("+00:00", "Z")


def release(uow: UnitOfWork, case_task_ids: Sequence[str]) -> None:
    """Lets go all files of these tasks, whose answers are no answers any more. The tasks are locked."""
    theirs = update(TaskFile).where(among(uow.session, TaskFile.case_task_id, case_task_ids))
    uow.session.execute(theirs.values(state="leaving"), execution_options={"synchronize_session": False})
    uow.after_commit(lambda: wake(TIMER))


def files_of_task(session: Session, case_task_id: str) -> list[TaskFile]:
    """The task's files but those that are leaving, the oldest first, under a lock: what is tidied away meanwhile no
    answer can name."""
    statement = select(TaskFile).where(TaskFile.case_task_id == case_task_id, TaskFile.state != "leaving")
    return list(session.scalars(statement.order_by(TaskFile.id).with_for_update()))


def list_task_files(db: Database, case_task_ids: list[str]) -> Record:
    """The files of these tasks that the caller may know of, the oldest first; not those that are only coming or leaving
    already. A file is seen as an answer or a draft of the same client's is: its name may say as much.

    Raises NotFound `case_task_not_found`.
    """
    with db.read() as session:
        known = load_case_tasks(session, case_task_ids)
        for id_ in case_task_ids:
            if id_ not in known:
                raise NotFound("case_task_not_found", case_task_id=id_)
        theirs = select(TaskFile).where(
            among(session, TaskFile.case_task_id, case_task_ids), TaskFile.state.in_(("stored", "answered"))
        )
        found = session.scalars(theirs.order_by(TaskFile.id))
        return {"files": [file_view(file) for file in found if sees(known[file.case_task_id], file.client_id)]}


def get_task_file(db: Database, file_id: str) -> Record:
    """A file and where its content is. Raises NotFound `task_file_not_found`, Forbidden `permission_denied` where the
    question is sensitive and the caller may not see such answers."""
    with db.read() as session:
        file = _find(session, file_id)
        refuse_to_staff(load_case_task(session, file.case_task_id))
        return {**file_view(file), "file_key": file.file_key}


def delete_task_file(db: Database, file_id: str) -> None:
    """Lets an upload go that no answer names. Raises NotFound `task_file_not_found`, Conflict `file_answered`, and
    Forbidden as `get_task_file` does."""
    with db.unit_of_work() as uow:
        file = _find(uow.session, file_id, lock=True)
        refuse_to_staff(load_case_task(uow.session, file.case_task_id))
        if file.state == "answered":
            raise Conflict("file_answered", file_id=file_id)
        file.leave()
        uow.after_commit(lambda: wake(TIMER))


def _find(session: Session, file_id: str, *, lock: bool = False) -> TaskFile:
    statement = select(TaskFile).where(TaskFile.id == file_id, TaskFile.state.in_(("stored", "answered")))
    file = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if file is None:
        raise NotFound("task_file_not_found", file_id=file_id)
    return file


def file_view(file: TaskFile) -> Record:
    """Python values of the contract's TaskFile."""
    copied = ("id", "case_task_id", "client_id", "filename", "content_type", "size", "sha256", "created_at")
    return {**{name: getattr(file, name) for name in copied}, "answered": file.state == "answered"}
