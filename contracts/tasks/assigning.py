"""Assigning a template to a case, and forms and templates to many."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import (
    Choice,
    Count,
    Event,
    Flag,
    Id,
    Operation,
    PageRequest,
    Progress,
    Stamped,
    ids,
    page_of,
)
from contracts.cases import Selector
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from contracts.tasks.case_tasks import CaseTask
from contracts.tasks.common import A_SELECTOR, AN_ID, OWNER, Due


class AssignTask(Schema):
    case_id = Id(required=True)
    template_id = Id(required=True)
    due = fields.Nested(Due, load_default=None, allow_none=True)
    assignee_id = Id(load_default=None, allow_none=True)


BULK_STATES = ("running", "finished", "failed", "cancelled")
LEFT_OUT_REASONS = ("already_assigned", "case_archived", "case_pending")
MOST_BULK_TASKS = 1_000
"""That a bulk assignment gives one case, of all its forms and templates."""


class BulkAssign(Schema):
    """Forms and templates × cases; at least one of them, and at most 1,000 tasks for a case. A case that has a form, or
    a task of a template, already is left out: repeatable without doubling. `due` and `assignee_id`: of the tasks for
    which a form says nothing. A `dry_run` counts what would be added and left out, and writes nothing."""

    selector = fields.Nested(Selector, required=True)
    template_ids = ids(100, load_default=list)
    form_ids = ids(20, load_default=list)
    due = fields.Nested(Due, load_default=None, allow_none=True)
    assignee_id = Id(load_default=None, allow_none=True)
    dry_run = Flag(load_default=False)


class BulkAssignmentId(Schema):
    bulk_assignment_id = Id(required=True)


class LeftOutCase(Schema):
    """What a case did not get: a template or a form, `already_assigned`; or both null, anything, for it is named by the
    selector and is archived (`case_archived`), or waits for its client to be created (`case_pending`)."""

    case_id = Id()
    template_id = Id(allow_none=True)
    form_id = Id(allow_none=True)
    reason = Choice(*LEFT_OUT_REASONS)


class LeftOutEntry(LeftOutCase):
    """`title`: the template's or form's, as it was."""

    id = Id()
    title = fields.String(allow_none=True)


class ListLeftOut(BulkAssignmentId, PageRequest):
    """By case. Kept for 30 days after the end of the assignment."""

    reason = Choice(*LEFT_OUT_REASONS, load_default=None, allow_none=True)


class ListBulkAssignments(PageRequest):
    """Newest first."""

    state = Choice(*BULK_STATES, load_default=None, allow_none=True)


class BulkAssignment(Stamped):
    """`progress` counts cases; `added` tasks; `left_out` what was left out by reason, `examples` the first 100 of it. A
    `dry_run` has no id and is finished; its counts say what would be. `failure`: the code of what the selector named
    and is gone."""

    id = Id(allow_none=True)
    state = Choice(*BULK_STATES)
    dry_run = fields.Boolean()
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


class BulkAssignmentFinished(Schema):
    """It is `finished`, `failed` or `cancelled`."""

    bulk_assignment_id = Id(required=True)
    state = fields.String(required=True)
    added = Count(required=True)
    left_out = fields.Dict(keys=fields.String(), values=Count(), required=True)


ASSIGN_TASK = Operation(
    OWNER, "assign_task", AssignTask, CaseTask, (Invalid, NotFound, Conflict, Unavailable), permission="tasks.write",
    example={"case_id": AN_ID, "template_id": AN_ID, "due": {"mode": "relative", "days": 7}},
)  # fmt: skip
BULK_ASSIGN = Operation(
    OWNER, "bulk_assign", BulkAssign, BulkAssignment, (Invalid, NotFound, Conflict, Unavailable), deadline=60.0,
    permission="tasks.write", example={"selector": A_SELECTOR, "template_ids": [AN_ID], "form_ids": [AN_ID]},
)  # fmt: skip
GET_BULK_ASSIGNMENT = Operation(
    OWNER, "get_bulk_assignment", BulkAssignmentId, BulkAssignment, (NotFound,), permission="tasks.read",
    example={"bulk_assignment_id": AN_ID},
)  # fmt: skip
LIST_BULK_ASSIGNMENTS = Operation(
    OWNER, "list_bulk_assignments", ListBulkAssignments, page_of(BulkAssignment), (Invalid,), permission="tasks.read",
)  # fmt: skip
CANCEL_BULK_ASSIGNMENT = Operation(
    OWNER, "cancel_bulk_assignment", BulkAssignmentId, BulkAssignment, (NotFound, Conflict, Forbidden),
    permission="tasks.write", example={"bulk_assignment_id": AN_ID},
)  # fmt: skip
LIST_LEFT_OUT = Operation(
    OWNER, "list_left_out", ListLeftOut, page_of(LeftOutEntry), (Invalid, NotFound), permission="tasks.read",
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
BULK_ASSIGNMENT_FINISHED = Event(
    OWNER, "bulk_assignment.finished.v1", BulkAssignmentFinished,
    example={
        "bulk_assignment_id": AN_ID, "state": "finished", "added": 12, "left_out": {"already_assigned": 3}},
)  # fmt: skip
