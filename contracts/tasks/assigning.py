"""Assigning templates to a case, and to many."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Choice, Count, Event, Id, Operation, Progress, Stamped, ids
from contracts.cases import Selector
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.tasks.case_tasks import CaseTask
from contracts.tasks.common import A_SELECTOR, AN_ID, OWNER, Due


class AssignTask(Schema):
    case_id = Id(required=True)
    template_id = Id(required=True)
    due = fields.Nested(Due, load_default=None, allow_none=True)
    assignee_id = Id(load_default=None, allow_none=True)


class BulkAssign(Schema):
    """Templates × cases. A case that has a task of the template already is left out: repeatable without doubling."""

    selector = fields.Nested(Selector, required=True)
    template_ids = ids(100, smallest=1, required=True)
    due = fields.Nested(Due, load_default=None, allow_none=True)


class BulkAssignmentId(Schema):
    bulk_assignment_id = Id(required=True)


class LeftOutCase(Schema):
    case_id = Id()
    template_id = Id()
    reason = fields.String()


class BulkAssignment(Stamped):
    """`progress` counts cases; `added` tasks; `left_out` the case × template pairs by reason (`already_assigned`,
    `case_gone`), `examples` the first 100 of them."""

    state = Choice("running", "finished", "failed")
    progress = fields.Nested(Progress)
    added = Count()
    left_out = fields.Dict(keys=fields.String(), values=Count())
    examples = fields.List(fields.Nested(LeftOutCase))
    failure = fields.String(allow_none=True)


class CaseTasksAssigned(Schema):
    """At most 500 in one event, of one template or of one form. `case_ids`: of which cases they are, each once.
    `case_form_id`: null also where they are of several."""

    case_task_ids = fields.List(Id(), required=True)
    case_ids = fields.List(Id())
    template_id = Id(allow_none=True)
    form_id = Id(allow_none=True)
    case_form_id = Id(allow_none=True)


class BulkAssignmentRequested(Schema):
    """tasks' own: the work goes on outside the request that asked for it."""

    bulk_assignment_id = Id(required=True)


ASSIGN_TASK = Operation(
    OWNER, "assign_task", AssignTask, CaseTask, (Invalid, NotFound, Conflict, Unavailable), permission="tasks.write",
    example={"case_id": AN_ID, "template_id": AN_ID, "due": {"mode": "relative", "days": 7}},
)  # fmt: skip
BULK_ASSIGN = Operation(
    OWNER, "bulk_assign", BulkAssign, BulkAssignment, (Invalid, NotFound, Conflict, Unavailable), deadline=30.0,
    permission="tasks.write", example={"selector": A_SELECTOR, "template_ids": [AN_ID]},
)  # fmt: skip
GET_BULK_ASSIGNMENT = Operation(
    OWNER, "get_bulk_assignment", BulkAssignmentId, BulkAssignment, (NotFound,), permission="tasks.read",
    example={"bulk_assignment_id": AN_ID},
)  # fmt: skip
TASKS_ASSIGNED = Event(
    OWNER,
    "tasks.assigned.v1",
    CaseTasksAssigned,
    example={"case_task_ids": [AN_ID], "case_ids": [AN_ID], "template_id": AN_ID},
)
BULK_ASSIGNMENT_REQUESTED = Event(
    OWNER, "bulk_assignment.requested.v1", BulkAssignmentRequested, example={"bulk_assignment_id": AN_ID}
)
