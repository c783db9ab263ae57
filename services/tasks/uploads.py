"""Uploads that answer a case task: taken from where the gateway has put them, judged, and kept under an own name.

The row comes before the content: whoever is interrupted in between finds it again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

from eventlet import tpool
from sqlalchemy import select, update

from chassis.columns import new_id
from chassis.database import Database
from chassis.file_kinds import Kind, clean_name
from chassis.files import CHUNK, Files
from contracts.errors import Conflict, NotFound, Unavailable, invalid_field
from contracts.tasks import LARGEST_FILE, LARGEST_SIGNATURE, MOST_FILES
from services.tasks.file_contents import examine
from services.tasks.models import CaseTask, TaskFile
from services.tasks.sealed_answers import refuse_to_staff
from services.tasks.signatures import drawing
from services.tasks.task_files import WITH_FILES, file_view, files_of_task
from services.tasks.unfit_files import UnfitFile
from services.tasks.views import load_case_task

Record = dict[str, Any]

_MOST_KEPT = 2 * MOST_FILES
"""Of one client, or of staff, for one case task: those of its answer, and as many for the next one."""
_IN_MEMORY = 1024 * 1024


@dataclass
class _Judged:
    """An upload that may be kept."""

    position: int
    content: IO[bytes]
    kind: Kind
    filename: str
    size: int
    sha256: str
    id: str = ""


def attach_files(
    db: Database,
    files: Files,
    now: dt.datetime,
    *,
    case_task_id: str,
    uploads: list[Record],
    client_id: str | None,
    link_id: str | None,
) -> Record:
    """`contracts.tasks.AttachedFiles`: what may be kept of the uploads, to be named by an answer. One that the task has
    already from the same client is that one again. The task is in progress from then on.

    Raises NotFound `case_task_not_found` or `file_not_found`, Conflict `task_skipped` or `case_archived`, Invalid
    `no_files_wanted`, Forbidden `permission_denied` to staff who may not see what is sensitive, and Unavailable if the
    object store cannot be reached.
    """
    keys = [upload["file_key"] for upload in uploads]
    try:
        with db.read() as session:
            task = load_case_task(session, case_task_id)
        refuse_to_staff(task)
        _demand_files_wanted(task)
        with ExitStack() as open_files:
            judged: list[_Judged] = []
            refused: list[Record] = []
            for position, upload in enumerate(uploads):
                try:
                    judged.append(_judge(open_files, files, task, position, upload))
                except UnfitFile as unfit:
                    refused.append(_refusal(position, unfit))
            kept, coming = _make_room(db, now, case_task_id, judged, refused, client_id, link_id)
            for one in coming:
                one.content.seek(0)
                files.put(_key(db, one.id), cast(BinaryIO, one.content))
    finally:
        for key in keys:
            with suppress(Unavailable):
                files.delete(key)
    _settle(db, files, [one.id for one in coming])
    with db.read() as session:
        found = {file.id: file for file in session.scalars(select(TaskFile).where(TaskFile.id.in_(kept.values())))}
    shown = [file_view(found[kept[position]]) for position in sorted(kept)]
    return {"files": shown, "refused": sorted(refused, key=lambda entry: entry["position"])}


def _demand_files_wanted(task: CaseTask) -> None:
    task.demand_present()
    if task.kind not in WITH_FILES:
        raise invalid_field("case_task_id", "Not a question that files answer.", "no_files_wanted")
    if task.status == "skipped":
        raise Conflict("task_skipped", case_task_id=task.id)


def _judge(open_files: ExitStack, files: Files, task: CaseTask, position: int, upload: Record) -> _Judged:
    """Raises UnfitFile. The content is open as long as `open_files`."""
    signature = task.kind == "signature"
    largest = LARGEST_SIGNATURE if signature else min(task.checks.get("max_size") or LARGEST_FILE, LARGEST_FILE)
    content = open_files.enter_context(_temporary())
    with files.get(upload["file_key"]) as stream:
        size = 0
        while block := stream.read(CHUNK):
            size += len(block)
            if size > largest:
                megabytes = f"{largest / 2**20:.3g}"
                raise UnfitFile("file_too_large", f"Larger than {megabytes} MB.", megabytes=megabytes)
            content.write(block)
    # In a thread of the system: to look through a large file takes a second, in which nobody else should wait.
    if signature:
        drawn = tpool.execute(_drawn_anew, content)
        content, kind = open_files.enter_context(_temporary()), Kind("image/png")
        content.write(drawn)
    else:
        kind = tpool.execute(examine, content, task.checks.get("file_types") or ())
    size = content.seek(0, 2)
    content.seek(0)
    digest = hashlib.sha256()
    while block := content.read(CHUNK):
        digest.update(block)
    name = clean_name(upload["filename"], "signature" if signature else "file", kind)
    return _Judged(position, content, kind, name, size, digest.hexdigest())


def _temporary() -> IO[bytes]:
    return cast(IO[bytes], tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))


def _drawn_anew(content: IO[bytes]) -> bytes:
    content.seek(0)
    return drawing(content.read())


def _refusal(position: int, unfit: UnfitFile) -> Record:
    return {"position": position, "code": unfit.code, "message": unfit.message, "limits": unfit.limits}


def _make_room(
    db: Database,
    now: dt.datetime,
    case_task_id: str,
    judged: list[_Judged],
    refused: list[Record],
    client_id: str | None,
    link_id: str | None,
) -> tuple[dict[int, str], list[_Judged]]:
    """Rows for what is kept: ({position: file id}, those whose content is to be stored). Adds to `refused` what there
    is no room for. What is on its way by the same form, sent twice, is that file: both bring the same content."""
    kept: dict[int, str] = {}
    coming: list[_Judged] = []
    with db.unit_of_work() as uow:
        task = load_case_task(uow.session, case_task_id, lock=True)
        _demand_files_wanted(task)
        there = files_of_task(uow.session, case_task_id)
        same = {
            (file.sha256, file.filename): file.id
            for file in there
            if file.may_be_named(client_id) and not file.is_anothers_answer(client_id)
        }
        on_its_way = {
            (file.sha256, file.filename): file.id
            for file in there
            if file.state == "coming" and file.client_id == client_id
        }
        # Of this client alone: what one has uploaded takes no place from another client of the case. What became its by
        # an answer or a merge may be more than one may upload.
        room = max(0, _MOST_KEPT - sum(file.client_id == client_id for file in there))
        new: list[_Judged] = []
        for one in judged:
            which = (one.sha256, one.filename)
            if which not in same:
                if which not in on_its_way and not room:
                    unfit = UnfitFile("too_many_files", f"At most {MOST_FILES} files.", most=MOST_FILES)
                    refused.append(_refusal(one.position, unfit))
                    continue
                if which not in on_its_way:
                    new.append(one)
                    room -= 1
                one.id = same[which] = on_its_way.get(which) or new_id()
                coming.append(one)
            kept[one.position] = same[which]
        uow.insert(
            TaskFile,
            [
                {
                    "id": one.id, "case_task_id": case_task_id, "client_id": client_id, "link_id": link_id,
                    "filename": one.filename, "content_type": one.kind.content_type, "size": one.size,
                    "sha256": one.sha256, "created_at": now,
                }
                for one in new
            ],
        )  # fmt: skip
        if kept and task.status == "to_do":
            task.set_open_status("in_progress")
            task.touch(now)
    return kept, coming


def _settle(db: Database, files: Files, ids: Sequence[str]) -> None:
    """The content is there. Raises NotFound if its client was erased meanwhile, or its task taken away."""
    if not ids:
        return
    with db.unit_of_work() as uow:
        statement = update(TaskFile).where(TaskFile.id.in_(ids), TaskFile.state == "coming").values(state="stored")
        uow.session.execute(statement, execution_options={"synchronize_session": False})
        # Answered already, where another request has brought the same content.
        there = select(TaskFile.id).where(TaskFile.id.in_(ids), TaskFile.state.in_(("stored", "answered")))
        stored = set(uow.session.scalars(there))
    gone = [id_ for id_ in ids if id_ not in stored]
    for id_ in gone:
        files.delete(_key(db, id_))
    if gone:
        raise NotFound("task_file_not_found", file_id=gone[0])


def _key(db: Database, file_id: str) -> str:
    return TaskFile(firm_id=db.firm_id, id=file_id).file_key
