"""Answers and drafts of sensitive questions: sealed with a key of each case task's own, and shown to those who may see
what is sensitive, and to the client whose they are.

A question is sensitive if the firm marks its template, or maps it to a sensitive field. In `case_task` such an answer
is {"sealed": text}, and `case_task.sealed` says that it is kept so. A blank one stays null. An answer that is erased,
or hidden by a condition, loses its key: what is left of it, in a backup say, nobody can read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete
from sqlalchemy.orm import Session

from chassis.context import current
from chassis.database import UnitOfWork
from chassis.sealing import OwnerKeys, Sealing
from chassis.value_sets import among
from contracts.errors import Forbidden
from services.tasks.models import AnswerKey, CaseTask, FirmKey

SEALING = Sealing(FirmKey, AnswerKey, "case_task_id")
PERMISSION = "clients.read_sensitive"
SEALED = "sealed"
"""What a sealed value is kept under."""
_TABLE = CaseTask.__tablename__
_PARTS = ("answer", "draft")


@dataclass(frozen=True)
class Clear:
    """What a case task holds, in clear. What nobody can read any more is None."""

    answer: Any
    draft: Any


def opened(session: Session, tasks: Iterable[CaseTask]) -> dict[str, Clear]:
    """The answers and drafts of case tasks in clear, by their ids."""
    given = list(tasks)
    holding = [task.id for task in given if task.sealed and not (task.answer is None and task.draft is None)]
    keys = SEALING.keys_of(session, holding) if holding else None
    return {task.id: Clear(*(_opened(keys, task, part) for part in _PARTS)) for task in given}


def answer_in_clear(session: Session, task: CaseTask) -> Any:
    """The answer of one case task."""
    return opened(session, [task])[task.id].answer


def kept(uow: UnitOfWork, task: CaseTask, part: str, value: Any) -> Any:
    """An `answer` or a `draft` as the task, which is locked, will keep it. What it holds already is kept likewise from
    now on. The task's template must be loaded."""
    seal_up(uow, task)
    return (
        _sealed(SEALING.keys_to_seal(uow, [task.id]), task, part, value) if task.sealed and value is not None else value
    )


def seal_up(uow: UnitOfWork, task: CaseTask) -> None:
    """Seals what a task of a sensitive question holds in clear."""
    if not task.template.sensitive:
        return
    # Also of one that is sealed: a process of the release before writes in clear.
    if in_clear := [part for part in _PARTS if not _is_sealed(task, part)]:
        keys = SEALING.keys_to_seal(uow, [task.id])
        for part in in_clear:
            setattr(task, part, _sealed(keys, task, part, getattr(task, part)))
    task.sealed = True


def open_up(uow: UnitOfWork, task: CaseTask) -> None:
    """Keeps in clear what a task holds whose question is sensitive no longer."""
    if not task.sealed or task.template.sensitive:
        return
    clear = opened(uow.session, [task])[task.id]
    for part in _PARTS:
        if getattr(task, part) is not None:
            setattr(task, part, getattr(clear, part))
    task.sealed = False
    destroy_keys(uow, [task.id])


def destroy_keys(uow: UnitOfWork, case_task_ids: Collection[str]) -> None:
    """Nobody can read from now on what is sealed of these case tasks."""
    theirs = delete(AnswerKey).where(among(uow.session, AnswerKey.case_task_id, case_task_ids))
    uow.session.execute(theirs, execution_options={"synchronize_session": False})


# Who may see


def is_sensitive(task: CaseTask) -> bool:
    """Also what was given to a question that was sensitive then, and is so no longer, as long as it is sealed."""
    return bool(task.sealed or task.template.sensitive)


def sees(task: CaseTask, of_client: str | None, *, to_all: bool = False) -> bool:
    """Whether the caller, or anybody (`to_all`), may see what a task holds that is `of_client`'s, or of no client. No
    client sees another one's, sensitive or not."""
    context = current()
    if context is not None and context.actor_kind == "client" and of_client is not None:
        if of_client != context.actor_id:
            return False
        if not to_all:
            return True
    if not is_sensitive(task):
        return True
    return not to_all and (context is None or context.sees_sensitive)


def refuse_to_staff(task: CaseTask, field: str = "answer") -> None:
    """Raises Forbidden `permission_denied` if the caller is no client and may not see what the task holds: to find out
    whether an answer is the one that is there already tells what it is."""
    context = current()
    if context is None or context.actor_kind == "client" or sees(task, None):
        return
    refused = {"field": field, "message": "Sensitive: needs another permission."}
    raise Forbidden("permission_denied", fields=[refused], permission=PERMISSION)


def _sealed(keys: OwnerKeys, task: CaseTask, part: str, value: Any) -> dict[str, str]:
    return {SEALED: keys.seal(task.id, orjson.dumps(value).decode(), _TABLE, part, task.id)}


def _is_sealed(task: CaseTask, part: str) -> bool:
    """Whether nothing of this part of a task lies in clear."""
    value = getattr(task, part)
    return value is None or (task.sealed and isinstance(value, dict) and value.keys() == {SEALED})


def _opened(keys: OwnerKeys | None, task: CaseTask, part: str) -> Any:
    value = getattr(task, part)
    if value is None or not _is_sealed(task, part):
        return value
    text = None if keys is None else keys.unseal(task.id, value[SEALED], _TABLE, part, task.id)
    return None if text is None else orjson.loads(text)
