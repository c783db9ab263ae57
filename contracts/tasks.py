"""tasks: templates, case tasks and their answers, bulk assignment, and requests to notify the clients of many cases."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import (
    Choice,
    Count,
    Event,
    Flag,
    Id,
    Instant,
    Operation,
    PageRequest,
    Progress,
    Stamped,
    Text,
    ids,
    page_of,
)
from contracts.cases import Selector
from contracts.erasing import ErasureReported, a_report
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.exporting import export_operation
from contracts.mapping import MappedAnswer, Mapping

OWNER = "tasks"
QUESTION_KINDS = (
    "short_text", "long_text", "number", "date", "yes_no", "one_choice", "several_choices", "phone", "email", "address",
    "file_upload", "signature", "acknowledgement",
)  # fmt: skip
STATUSES = ("to_do", "in_progress", "completed", "overdue", "skipped")
OPEN_STATUSES = ("to_do", "in_progress", "overdue")
CHANNELS = ("sms", "email", "phone")


class Checks(Schema):
    """Limits on an answer: figures for number, characters for text, days (ISO) for date."""

    minimum = fields.Float(allow_none=True)
    maximum = fields.Float(allow_none=True)
    min_length = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=0, max=20000))
    max_length = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1, max=20000))
    earliest = fields.Date(allow_none=True)
    latest = fields.Date(allow_none=True)


class TaskTemplateFields(Schema):
    title = Text(longest=200, shortest=1)
    instructions = Text(longest=10000, allow_none=True)
    kind = Choice(*QUESTION_KINDS)
    required = Flag()
    options = fields.List(Text(longest=200, shortest=1), validate=validate.Length(max=200))
    checks = fields.Nested(Checks)
    mapping = fields.Nested(Mapping, allow_none=True)


class TaskTemplate(TaskTemplateFields, Stamped):
    pass


class CreateTaskTemplate(TaskTemplateFields):
    title = Text(longest=200, shortest=1, required=True)
    kind = Choice(*QUESTION_KINDS, required=True)


class TaskTemplateId(Schema):
    task_template_id = Id(required=True)


class UpdateTaskTemplate(TaskTemplateId):
    changes = fields.Nested(TaskTemplateFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class Due(Schema):
    """`fixed`: `at`; `relative`: `days` after assignment, `business` or calendar, ending with that day."""

    mode = Choice("fixed", "relative", required=True)
    at = Instant(load_default=None, allow_none=True)
    days = fields.Integer(strict=True, load_default=None, allow_none=True, validate=validate.Range(min=0, max=3650))
    business = Flag(load_default=False)


class CaseTask(Stamped):
    """`status` is as of the clock when read: an open task past `due_at` is overdue. `answer` is by kind: text, number
    (string of a decimal), ISO date, true/false, list of options, E.164, email; null is blank. `mapping`: the
    template's as it is now, null if none (a blank answer would clear that field). `rejection`: why the owner of a
    mapped field refused the answer."""

    case_id = Id()
    template_id = Id()
    title = fields.String()
    instructions = fields.String(allow_none=True)
    kind = fields.String()
    required = fields.Boolean()
    options = fields.List(fields.String())
    checks = fields.Dict()
    mapping = fields.Nested(Mapping, allow_none=True)
    section = fields.String(allow_none=True)
    assignee_id = Id(allow_none=True)
    status = Choice(*STATUSES)
    due_at = Instant(allow_none=True)
    answer = fields.Raw(allow_none=True)
    answered_by = fields.String(allow_none=True)
    answer_version = Count()
    completed_at = Instant(allow_none=True)
    rejection = fields.Dict(allow_none=True)
    last_notification = fields.Dict(allow_none=True)


class AssignTask(Schema):
    case_id = Id(required=True)
    template_id = Id(required=True)
    due = fields.Nested(Due, load_default=None, allow_none=True)
    assignee_id = Id(load_default=None, allow_none=True)


class CaseTaskId(Schema):
    case_task_id = Id(required=True)


class CaseTaskFields(Schema):
    assignee_id = Id(allow_none=True)
    due = fields.Nested(Due, allow_none=True)
    status = Choice("to_do", "in_progress")


class UpdateCaseTask(CaseTaskId):
    changes = fields.Nested(CaseTaskFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ReopenCaseTask(CaseTaskId):
    reason = Text(longest=500, shortest=1, required=True)


class ListCaseTasks(PageRequest):
    """`sort`: due_at, title, status, created_at. `total` counts what is listed."""

    case_id = Id(load_default=None, allow_none=True)
    template_id = Id(load_default=None, allow_none=True)
    assignee_id = Id(load_default=None, allow_none=True)
    status = fields.List(Choice(*STATUSES), load_default=list)
    due_from = Instant(load_default=None, allow_none=True)
    due_to = Instant(load_default=None, allow_none=True)


class SubmitAnswer(CaseTaskId):
    """`answer` null or "" is a blank one. `client_id` and `link_id` when a client answers through a link."""

    answer = fields.Raw(load_default=None, allow_none=True)
    client_id = Id(load_default=None, allow_none=True)
    link_id = Id(load_default=None, allow_none=True)


class CaseProgress(Schema):
    """`completed` of all but the skipped ones."""

    case_id = Id()
    completed = Count()
    total = Count()


class CaseProgressRequest(Schema):
    case_id = Id(required=True)


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


class Timing(Schema):
    mode = Choice("now", "at", "business_hours", load_default="now")
    at = Instant(load_default=None, allow_none=True)


class Message(Schema):
    """What to say: a stored template, or a text of its own (`subject` and `html` for email)."""

    template_id = Id(load_default=None, allow_none=True)
    body = Text(longest=20000, load_default=None, allow_none=True)
    subject = Text(longest=300, load_default=None, allow_none=True)
    html = Text(longest=200_000, load_default=None, allow_none=True)


class RequestNotifications(Schema):
    """Work is counted by case task. Every listed channel is sent, or with `fallback` the first reachable one."""

    selector = fields.Nested(Selector, required=True)
    statuses = fields.List(Choice(*OPEN_STATUSES, "completed"), load_default=lambda: list(OPEN_STATUSES),
                           validate=validate.Length(min=1))  # fmt: skip
    template_ids = ids(100, load_default=list)
    channels = fields.List(Choice(*CHANNELS), required=True, validate=validate.Length(min=1, max=3))
    fallback = Flag(load_default=False)
    message = fields.Nested(Message, required=True)
    timing = fields.Nested(Timing, load_default=lambda: {"mode": "now", "at": None})
    dry_run = Flag(load_default=False)
    coalesce = Flag(load_default=False)
    allow_repeat = Flag(load_default=False)


class NotificationEstimate(Schema):
    """Recipients by outcome (`send`, `joined` to another's message, or a suppression reason), segments, cost in
    `currency`, and the seconds until the last would have gone out at the senders' rates; `waits_seconds` of them go by
    with what waits there already."""

    recipients = fields.Dict(keys=fields.String(), values=Count())
    segments = Count()
    cost = fields.Decimal(places=4, as_string=True)
    currency = fields.String()
    seconds = fields.Float()
    waits_seconds = fields.Float()


class NotificationRequest(Schema):
    """`accepted` counts the case tasks queued, not messages delivered. `batch_id` is null on a dry run."""

    batch_id = Id(allow_none=True)
    accepted = Count()
    estimate = fields.Nested(NotificationEstimate, allow_none=True)
    created_at = Instant(allow_none=True)


class NotificationRequestId(Schema):
    batch_id = Id(required=True)


class CaseTaskIds(Schema):
    case_task_ids = ids(1000, smallest=1, required=True)


class CaseTaskFacts(Schema):
    """What messaging needs to render and to decide. `status` is as of the clock."""

    case_task_id = Id()
    case_id = Id()
    title = fields.String()
    status = fields.String()
    due_at = Instant(allow_none=True)


class CaseTaskFactsList(Schema):
    """Unknown ids are left out."""

    case_tasks = fields.List(fields.Nested(CaseTaskFacts))


class ClientTasks(Schema):
    """The open case tasks of cases, for the page behind a link with more than one task."""

    case_ids = ids(200, smallest=1, required=True)


class CaseTaskList(Schema):
    case_tasks = fields.List(fields.Nested(CaseTask))


class MappedAnswers(Schema):
    """Only those whose mapping is in force now. Unknown ids are left out."""

    answers = fields.List(fields.Nested(MappedAnswer))


class ListClientTasks(Schema):
    client_id = Id(required=True)
    limit = fields.Integer(strict=True, load_default=20, validate=validate.Range(min=1, max=100))


class ClientTaskList(Schema):
    """How many tasks of a client's open cases are open, and those that are due first."""

    open = Count()
    case_tasks = fields.List(fields.Nested(CaseTask))


class CaseTasksAssigned(Schema):
    """At most 500 in one event. `case_ids`: of which cases they are, each once."""

    case_task_ids = fields.List(Id(), required=True)
    case_ids = fields.List(Id())
    template_id = Id(allow_none=True)


class TaskCompleted(Schema):
    """`mapped`: who owns the field that the answer is mapped to, null if none. `answered_by`: client or staff."""

    case_task_id = Id(required=True)
    case_id = Id(required=True)
    template_id = Id(required=True)
    client_id = Id(required=True, allow_none=True)
    answered_by = Choice("client", "staff", required=True)
    mapped = Choice("client", "case", required=True, allow_none=True)
    answer_version = Count(required=True)


class CaseTaskReopened(Schema):
    case_task_id = Id(required=True)
    case_id = Id(required=True)


class NotificationItem(Schema):
    """One case task to notify about; `client_ids` are its case's clients, the primary first."""

    case_task_id = Id(required=True)
    case_id = Id(required=True)
    client_ids = fields.List(Id(), required=True)


class NotificationRequested(Schema):
    """One chunk (about 500 case tasks) of a request. `content_id` names the message that messaging keeps. `accepted`
    is the whole request's count of case tasks, `chunk` counts from 1 to `chunks`."""

    batch_id = Id(required=True)
    chunk = Count(required=True)
    chunks = Count(required=True)
    accepted = Count(required=True)
    content_id = Id(required=True)
    channels = fields.List(fields.String(), required=True)
    fallback = fields.Boolean(required=True)
    coalesce = fields.Boolean(required=True)
    allow_repeat = fields.Boolean(required=True)
    statuses = fields.List(fields.String(), required=True)
    timing = fields.Nested(Timing, required=True)
    requested_by = Id(required=True, allow_none=True)
    requested_at = Instant(required=True)
    items = fields.List(fields.Nested(NotificationItem), required=True)


class BulkAssignmentRequested(Schema):
    """tasks' own: the work goes on outside the request that asked for it."""

    bulk_assignment_id = Id(required=True)


_ID = "018f4e9a-0000-7000-8000-000000000030"
_SELECT = {"case_filter": {"field": "state", "op": "eq", "value": "open"}}
_COMPLETED = {
    "case_task_id": _ID, "case_id": _ID, "template_id": _ID, "client_id": _ID, "answered_by": "client",
    "mapped": "client", "answer_version": 1,
}  # fmt: skip

CREATE_TASK_TEMPLATE = Operation(
    OWNER, "create_task_template", CreateTaskTemplate, TaskTemplate, (Invalid, Unavailable),
    permission="task_templates.write",
    example={"title": "Your mobile number", "kind": "phone", "mapping": {"target": "client", "field": "phone"}},
)  # fmt: skip
GET_TASK_TEMPLATE = Operation(
    OWNER, "get_task_template", TaskTemplateId, TaskTemplate, (NotFound,), permission="tasks.read",
    example={"task_template_id": _ID},
)  # fmt: skip
LIST_TASK_TEMPLATES = Operation(
    OWNER, "list_task_templates", PageRequest, page_of(TaskTemplate), (Invalid,), permission="tasks.read"
)
UPDATE_TASK_TEMPLATE = Operation(
    OWNER, "update_task_template", UpdateTaskTemplate, TaskTemplate, (Invalid, NotFound, Conflict, Unavailable),
    permission="task_templates.write", example={"task_template_id": _ID, "changes": {"mapping": None}},
)  # fmt: skip
ASSIGN_TASK = Operation(
    OWNER, "assign_task", AssignTask, CaseTask, (Invalid, NotFound, Conflict, Unavailable), permission="tasks.write",
    example={"case_id": _ID, "template_id": _ID, "due": {"mode": "relative", "days": 7}},
)  # fmt: skip
LIST_CASE_TASKS = Operation(
    OWNER, "list_case_tasks", ListCaseTasks, page_of(CaseTask), (Invalid, NotFound), permission="tasks.read",
    example={"case_id": _ID},
)  # fmt: skip
GET_CASE_TASK = Operation(
    OWNER, "get_case_task", CaseTaskId, CaseTask, (NotFound,), permission="tasks.read", example={"case_task_id": _ID}
)
UPDATE_CASE_TASK = Operation(
    OWNER, "update_case_task", UpdateCaseTask, CaseTask, (Invalid, NotFound, Conflict, Unavailable),
    permission="tasks.write", example={"case_task_id": _ID, "changes": {"status": "in_progress"}},
)  # fmt: skip
SUBMIT_ANSWER = Operation(
    OWNER, "submit_answer", SubmitAnswer, CaseTask, (Invalid, NotFound, Conflict), permission="tasks.write",
    example={"case_task_id": _ID, "answer": "+12125550123"},
)  # fmt: skip
REOPEN_CASE_TASK = Operation(
    OWNER, "reopen_case_task", ReopenCaseTask, CaseTask, (Invalid, NotFound, Conflict), permission="tasks.write",
    example={"case_task_id": _ID, "reason": "The picture was blurred."},
)  # fmt: skip
GET_CASE_PROGRESS = Operation(
    OWNER, "get_case_progress", CaseProgressRequest, CaseProgress, (NotFound, Unavailable), permission="tasks.read",
    example={"case_id": _ID},
)  # fmt: skip
BULK_ASSIGN = Operation(
    OWNER, "bulk_assign", BulkAssign, BulkAssignment, (Invalid, NotFound, Unavailable), deadline=30.0,
    permission="tasks.write", example={"selector": _SELECT, "template_ids": [_ID]},
)  # fmt: skip
GET_BULK_ASSIGNMENT = Operation(
    OWNER, "get_bulk_assignment", BulkAssignmentId, BulkAssignment, (NotFound,), permission="tasks.read",
    example={"bulk_assignment_id": _ID},
)  # fmt: skip
REQUEST_NOTIFICATIONS = Operation(
    OWNER, "request_notifications", RequestNotifications, NotificationRequest, (Invalid, NotFound, Unavailable),
    deadline=60.0, permission="messages.bulk",
    example={"selector": _SELECT, "channels": ["sms"], "message": {"body": "Please: {{ task.link }}"}},
)  # fmt: skip
GET_NOTIFICATION_REQUEST = Operation(
    OWNER, "get_notification_request", NotificationRequestId, NotificationRequest, (NotFound,),
    permission="messages.read", example={"batch_id": _ID},
)  # fmt: skip
GET_CASE_TASK_FACTS = Operation(
    OWNER, "get_case_task_facts", CaseTaskIds, CaseTaskFactsList, (Invalid,), example={"case_task_ids": [_ID]}
)
LIST_OPEN_TASKS = Operation(
    OWNER, "list_open_tasks", ClientTasks, CaseTaskList, (Invalid,), example={"case_ids": [_ID]}
)
LIST_CLIENT_TASKS = Operation(
    OWNER, "list_client_tasks", ListClientTasks, ClientTaskList, (Invalid, Unavailable), permission="tasks.read",
    example={"client_id": _ID},
)  # fmt: skip
GET_MAPPED_ANSWERS = Operation(
    OWNER, "get_mapped_answers", CaseTaskIds, MappedAnswers, (Invalid, Unavailable), example={"case_task_ids": [_ID]}
)

TASKS_ASSIGNED = Event(
    OWNER,
    "tasks.assigned.v1",
    CaseTasksAssigned,
    example={"case_task_ids": [_ID], "case_ids": [_ID], "template_id": _ID},
)
TASK_COMPLETED = Event(OWNER, "task.completed.v1", TaskCompleted, example=_COMPLETED)
TASK_REOPENED = Event(OWNER, "task.reopened.v1", CaseTaskReopened, example={"case_task_id": _ID, "case_id": _ID})
BULK_ASSIGNMENT_REQUESTED = Event(
    OWNER, "bulk_assignment.requested.v1", BulkAssignmentRequested, example={"bulk_assignment_id": _ID}
)
NOTIFICATION_REQUESTED = Event(
    OWNER, "notification.requested.v1", NotificationRequested,
    example={
        "batch_id": _ID, "chunk": 1, "chunks": 1, "accepted": 1, "content_id": _ID, "channels": ["sms"],
        "fallback": False, "coalesce": False, "allow_repeat": False, "statuses": ["to_do"], "timing": {"mode": "now"},
        "requested_by": _ID, "requested_at": "2026-11-21T15:00:00Z",
        "items": [{"case_task_id": _ID, "case_id": _ID, "client_ids": [_ID]}],
    },
)  # fmt: skip
EXPORT_CLIENT_DATA = export_operation(OWNER)
ERASURE_REPORTED = Event(OWNER, "erasure.reported.v1", ErasureReported, example=a_report(OWNER))
