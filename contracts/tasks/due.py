"""The time of case tasks: what is done when it has passed, and how it came to be."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Event, Flag, Id, Instant, Operation, PageRequest, Text, ids, page_of
from contracts.errors import Invalid, NotFound
from contracts.tasks.common import AN_ID, CHANNELS, OWNER, CaseTaskId
from contracts.tasks.notifications import Message

NOTICE_KINDS = ("task_overdue", "task_escalated", "automation")


class ClientReminder(Schema):
    """Every listed channel is sent, or with `fallback` the first reachable one."""

    channels = fields.List(Choice(*CHANNELS), required=True, validate=validate.Length(min=1, max=3))
    fallback = Flag(load_default=False)
    message = fields.Nested(Message, required=True)


class OverdueHandling(Schema):
    """What is done when the time of a task has passed, once for each deadline and only while its case is open.

    Staff get a notice: those who are named, the assignee (or, if none works here, the responsible of the case), and
    with `escalate` the supervisor of the assignee, else of the responsible. The automation rules `rule_ids` are run for
    the case, whatever their own triggers."""

    notify_staff_ids = ids(20, load_default=list)
    notify_assignee = Flag(load_default=False)
    escalate = Flag(load_default=False)
    remind_client = fields.Nested(ClientReminder, load_default=None, allow_none=True)
    rule_ids = ids(10, load_default=list)


class OverdueHandlingChanges(Schema):
    """As `OverdueHandling`. What is left out stays as it is."""

    notify_staff_ids = ids(20)
    notify_assignee = Flag()
    escalate = Flag()
    remind_client = fields.Nested(ClientReminder, allow_none=True)
    rule_ids = ids(10)


class KeptReminder(Schema):
    channels = fields.List(fields.String())
    fallback = fields.Boolean()


class KeptHandling(Schema):
    """What a case task has of an `OverdueHandling`: the words of a reminder are messaging's."""

    notify_staff_ids = fields.List(Id())
    notify_assignee = fields.Boolean()
    escalate = fields.Boolean()
    remind_client = fields.Nested(KeptReminder, allow_none=True)
    rule_ids = fields.List(Id())


class CaseTaskChange(Schema):
    """What happened to a case task, and by whom; a client is not named. `facts` by kind: `answered` has answer_version
    and whether it corrected another answer; `due_changed` from, to and, where it moved with another task, because (its
    id); `reopened` a reason; `shared` the channel, and the
    message_id or the link_id; `overdue` due_at and what became of each action in `outcomes`: done, nobody,
    no_supervisor, rule_inactive, case_closed, case_pending, case_archived or case_gone; `skipped` and `shown`, which
    answers to others caused, nothing; `handling_changed`, of what is done when its time has passed, nothing."""

    id = Id()
    created_at = Instant()
    kind = fields.String()
    actor_kind = fields.String()
    actor_id = Id(allow_none=True)
    facts = fields.Dict()


class ListCaseTaskChanges(PageRequest, CaseTaskId):
    """`sort`: created_at, newest first if it is left out."""


class TaskOverdue(Schema):
    """An open task's time has passed. Told once for each deadline: a date that was moved is a new one.
    `automation_rule_ids`: the rules that the task's overdue handling runs, if it does. What is not required is missing
    from older events."""

    case_task_id = Id(required=True)
    case_id = Id(required=True)
    assignee_id = Id(required=True, allow_none=True)
    due_at = Instant(required=True)
    template_id = Id()
    automation_rule_ids = ids(10)


class TaskDueChanged(Schema):
    """`due_at` null: there is no date, or none yet."""

    case_task_id = Id(required=True)
    case_id = Id(required=True)
    due_at = Instant(required=True, allow_none=True)


class StaffNoticeRequested(Schema):
    """For messaging: tell these staff members. `title` is the firm's own words, without a client's name; `once`: the
    same again for one staff member adds nothing."""

    staff_ids = ids(200, smallest=1, required=True)
    kind = Choice(*NOTICE_KINDS, required=True)
    title = Text(longest=200, shortest=1, required=True)
    about = fields.Dict(keys=Text(longest=60), values=Text(longest=120), required=True)
    once = Text(longest=120, required=True, allow_none=True)


LIST_CASE_TASK_CHANGES = Operation(
    OWNER, "list_case_task_changes", ListCaseTaskChanges, page_of(CaseTaskChange), (Invalid, NotFound),
    permission="tasks.read", example={"case_task_id": AN_ID},
)  # fmt: skip
TASK_OVERDUE = Event(
    OWNER, "task.overdue.v1", TaskOverdue,
    example={"case_task_id": AN_ID, "case_id": AN_ID, "assignee_id": AN_ID, "due_at": "2026-11-21T04:59:59Z",
             "template_id": AN_ID},
)  # fmt: skip
TASK_DUE_CHANGED = Event(
    OWNER, "task.due_changed.v1", TaskDueChanged,
    example={"case_task_id": AN_ID, "case_id": AN_ID, "due_at": "2026-11-21T04:59:59Z"},
)  # fmt: skip
STAFF_NOTICE_REQUESTED = Event(
    OWNER, "staff_notice.requested.v1", StaffNoticeRequested,
    example={
        "staff_ids": [AN_ID], "kind": "task_overdue", "title": "Your mobile number", "about": {"case_task_id": AN_ID},
        "once": None,
    },
)  # fmt: skip
