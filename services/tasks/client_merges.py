"""Clients that were merged: what the one answered or uploaded is the survivor's, and goes back with an undo."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from chassis.redirects import Following, Redirect, Rows
from services.tasks.models import CaseTask, ClientMerge, ClientMergeMove, TaskFile

following = Following(
    ClientMerge,
    ClientMergeMove,
    [
        Rows("case_task", CaseTask, CaseTask.client_id, {"version": CaseTask.version + 1}),
        Rows("draft", CaseTask, CaseTask.draft_client_id),
        Rows("task_file", TaskFile, TaskFile.client_id),
    ],
)


def follow_merges(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """`clients.merged.v1`. (Whom a case's tasks are about is a matter of the case.)"""
    with db.unit_of_work(once=events) as uow:
        following.follow(uow, map(_redirect, uow.fresh))


def follow_undone_merges(db: Database, events: Sequence[ReceivedEvent]) -> None:
    """`clients.unmerged.v1`"""
    with db.unit_of_work(once=events) as uow:
        following.part(uow, map(_redirect, uow.fresh))


def _redirect(event: ReceivedEvent) -> Redirect:
    return Redirect(event.data["merge_id"], event.data["merged_id"], event.data["surviving_id"])
