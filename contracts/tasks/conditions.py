"""Case tasks that the conditions of their forms hide and show, as answers come."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Event, Id
from contracts.tasks.common import AN_ID, OWNER


class CaseTasksDecided(Schema):
    """Tasks of one case, at most 500 in one event."""

    case_id = Id(required=True)
    case_task_ids = fields.List(Id(), required=True)


_DECIDED = {"case_id": AN_ID, "case_task_ids": [AN_ID]}
TASKS_SKIPPED = Event(OWNER, "tasks.skipped.v1", CaseTasksDecided, example=_DECIDED)
"""A condition does not hold any more: the tasks are hidden, and their answers are not kept. Or their form was taken
from the case, and they are gone."""
TASKS_SHOWN = Event(OWNER, "tasks.shown.v1", CaseTasksDecided, example=_DECIDED)
"""A condition holds now: the tasks are open."""
