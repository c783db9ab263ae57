"""Files that a client sends through a link, for an answer that is to come."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.database import Database
from contracts.errors import Gone, NotFound
from services.portal.links import live_link
from services.portal.pages import in_the_name_of, use_for

Record = dict[str, Any]


def attach_own_files(
    db: Database, calls: Any, now: dt.datetime, *, link_id: str, case_task_id: str, uploads: list[Record]
) -> Record:
    """Hands uploads to tasks, as `contracts.tasks.AttachedFiles`. Whoever uploaded removes what was not handed on.

    Raises Gone `link_gone`, Invalid `task_not_in_link`, Conflict as tasks does, or Unavailable.
    """
    link = live_link(db, now, link_id)
    with in_the_name_of(db, link):
        use_for(db, calls, now, link, {case_task_id: f"answers.{case_task_id}"})
        try:
            attached: Record = calls.tasks.attach_files(
                case_task_id=case_task_id, uploads=uploads, client_id=link.client_id, link_id=link.id
            )
        except NotFound as error:
            raise Gone("link_gone") from error
        return attached
