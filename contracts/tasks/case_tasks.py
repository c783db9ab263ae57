"""Case tasks: one, lists, progress, and what other services need of them."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Count, Id, Instant, Operation, PageRequest, Stamped, ids, page_of
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.mapping import Mapping
from contracts.tasks.common import AN_ID, GROUPS, OWNER, STATUSES, VIEWS, CaseTaskId, CaseTaskIds, Due
from contracts.tasks.due import KeptHandling, OverdueHandlingChanges


class CaseTask(Stamped):
    """`status` is as of the clock when read: an open task past `due_at` is overdue. `answer` is by kind: text, number
    (string of a decimal), ISO date, true/false, list of options, E.164, email; null is blank. `mapping`: the
    template's as it is now, null if none (a blank answer would clear that field). `rejection`: why the owner of a
    mapped field refused the answer. `due` is the rule that gives `due_at`, as a `Due`; a task that waits for another
    one has no date yet. `draft`: what was filled in since and not sent, saved at `draft_at`. `reopened`: `reason` and
    `at`, until the task is completed again. `item_key`: what the form of `case_form_id` calls the task;
    `section_position`: which of the form's sections it is in, from 0, since two may have one title; null without a
    form. `overdue`: what is done when its time has passed, null if nothing. `sensitive`: the answer is; `hidden` names
    what is there of `answer` and `draft` and not shown to who asks, which is null then. `prefill`: the client's page
    fills in what is known, which is no answer until the client sends it."""

    case_id = Id()
    template_id = Id()
    template_version = Count()
    case_form_id = Id(allow_none=True)
    item_key = fields.String(allow_none=True)
    title = fields.String()
    instructions = fields.String(allow_none=True)
    kind = fields.String()
    required = fields.Boolean()
    options = fields.List(fields.String())
    checks = fields.Dict()
    mapping = fields.Nested(Mapping, allow_none=True)
    section = fields.String(allow_none=True)
    section_position = fields.Integer(allow_none=True)
    assignee_id = Id(allow_none=True)
    status = Choice(*STATUSES)
    due = fields.Dict(allow_none=True)
    due_at = Instant(allow_none=True)
    answer = fields.Raw(allow_none=True)
    answered_by = fields.String(allow_none=True)
    answer_version = Count()
    completed_at = Instant(allow_none=True)
    rejection = fields.Dict(allow_none=True)
    draft = fields.Raw(allow_none=True)
    draft_at = Instant(allow_none=True)
    reopened = fields.Dict(allow_none=True)
    sensitive = fields.Boolean()
    hidden = fields.List(fields.String())
    prefill = fields.Boolean()
    last_notification = fields.Dict(allow_none=True)
    overdue = fields.Nested(KeptHandling, allow_none=True)


class CaseTaskFields(Schema):
    """`overdue` null: nothing is done when its time has passed. A change does nothing about a time whose passing was
    announced before: it holds from the next one."""

    assignee_id = Id(allow_none=True)
    due = fields.Nested(Due, allow_none=True)
    overdue = fields.Nested(OverdueHandlingChanges, allow_none=True)
    status = Choice("to_do", "in_progress")


class UpdateCaseTask(CaseTaskId):
    changes = fields.Nested(CaseTaskFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ListCaseTasks(PageRequest):
    """`view`: `overdue`; `due_today`, within 24 hours, and `due_this_week`, within 7 days, without what is overdue;
    `mine`: of cases that the caller is on, and what is assigned to the caller (none for a key). Over all cases those of
    archived ones are left out. `sort`: due_at, created_at, status (what is most urgent first, by date within); of one
    case also title, assignee, position (as assigned, and as forms have them). `group` puts the list in order by status,
    due or assignee, of one case also by section; `sort` is the order within. Over all cases `assignee` is of open tasks
    only, by due_at."""

    case_id = Id(load_default=None, allow_none=True)
    template_id = Id(load_default=None, allow_none=True)
    assignee_id = Id(load_default=None, allow_none=True)
    status = fields.List(Choice(*STATUSES), load_default=list)
    due_from = Instant(load_default=None, allow_none=True)
    due_to = Instant(load_default=None, allow_none=True)
    view = Choice(*VIEWS, load_default="all")
    group = Choice(*GROUPS, load_default=None, allow_none=True)


class CaseProgress(Schema):
    """`completed` of all but the skipped ones."""

    case_id = Id()
    completed = Count()
    total = Count()


class Counted(Schema):
    """`total` is exact up to 10,000; if `total_is_lower_bound`, there may be more."""

    total = Count()
    total_is_lower_bound = fields.Boolean()


class TaskCounts(Schema):
    """`views`: what each would list without `status`; `statuses`: what each would list of the view."""

    views = fields.Nested(Schema.from_dict({view: fields.Nested(Counted) for view in VIEWS}, name="CountsByView"))
    statuses = fields.Nested(
        Schema.from_dict({status: fields.Nested(Counted) for status in STATUSES}, name="CountsByStatus")
    )


class TaskGroup(Counted):
    """What of the list is in a group, and how many of those are completed and skipped. `key`: a status; overdue,
    due_today, due_this_week (not today), later, no_due_date, completed, skipped; an assignee's id; a section's, whose
    name is `title`. Null is no assignee or section."""

    key = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    completed = Count()
    skipped = Count()


class CaseTaskListing(page_of(CaseTask)):  # type: ignore[misc]
    """`groups` if a group was asked for, all that are on any page; `progress` of the case if the list is of one."""

    counts = fields.Nested(TaskCounts)
    groups = fields.List(fields.Nested(TaskGroup), allow_none=True)
    progress = fields.Nested(CaseProgress, allow_none=True)


class CaseProgressRequest(Schema):
    case_id = Id(required=True)


class CaseTaskFacts(Schema):
    """What messaging needs to render and to decide. `status` is as of the clock."""

    case_task_id = Id()
    case_id = Id()
    title = fields.String()
    status = fields.String()
    due_at = Instant(allow_none=True)
    case_form_id = Id(allow_none=True)


class CaseTaskFactsList(Schema):
    """Unknown ids are left out."""

    case_tasks = fields.List(fields.Nested(CaseTaskFacts))


class ClientTasks(Schema):
    """The open case tasks of cases, for the page behind a link with more than one task. With `client_id`, whose page it
    is, also what that client has answered of forms that are under way, and what staff filled in there as known."""

    case_ids = ids(200, smallest=1, required=True)
    client_id = Id(load_default=None, allow_none=True)


class SectionProgress(Schema):
    """`completed` of all but the skipped ones: those of one section of one form on one case, or, with neither, of the
    case's other tasks. `section_position` tells sections apart, as in `CaseTask`."""

    case_id = Id()
    case_form_id = Id(allow_none=True)
    section = fields.String(allow_none=True)
    section_position = fields.Integer(allow_none=True)
    completed = Count()
    total = Count()


class CaseTaskList(Schema):
    """Those that were asked for, and how far their cases are."""

    case_tasks = fields.List(fields.Nested(CaseTask))
    progress = fields.List(fields.Nested(SectionProgress))


class ListFormTasks(Schema):
    case_form_id = Id(required=True)


class FormTasks(CaseTaskList):
    """Every task of a form on a case but the skipped ones, in the form's order, and how far its sections are."""

    case_id = Id()


class ListClientTasks(Schema):
    """`case_ids`: the client's open cases, where the caller knows all of them; null: `cases` is asked."""

    client_id = Id(required=True)
    case_ids = ids(1000, load_default=None, allow_none=True)
    limit = fields.Integer(strict=True, load_default=20, validate=validate.Range(min=1, max=100))


class ClientTaskList(Schema):
    """How many tasks of a client's open cases are open, and those that are due first."""

    open = Count()
    case_tasks = fields.List(fields.Nested(CaseTask))


LIST_CASE_TASKS = Operation(
    OWNER, "list_case_tasks", ListCaseTasks, CaseTaskListing, (Invalid, NotFound), permission="tasks.read",
    example={"case_id": AN_ID},
)  # fmt: skip
GET_CASE_TASK = Operation(
    OWNER, "get_case_task", CaseTaskId, CaseTask, (NotFound,), permission="tasks.read", example={"case_task_id": AN_ID}
)
UPDATE_CASE_TASK = Operation(
    OWNER, "update_case_task", UpdateCaseTask, CaseTask, (Invalid, NotFound, Conflict, Unavailable),
    permission="tasks.write", example={"case_task_id": AN_ID, "changes": {"status": "in_progress"}},
)  # fmt: skip
GET_CASE_PROGRESS = Operation(
    OWNER, "get_case_progress", CaseProgressRequest, CaseProgress, (NotFound, Unavailable), permission="tasks.read",
    example={"case_id": AN_ID},
)  # fmt: skip
GET_CASE_TASK_FACTS = Operation(
    OWNER, "get_case_task_facts", CaseTaskIds, CaseTaskFactsList, (Invalid,), example={"case_task_ids": [AN_ID]}
)
LIST_OPEN_TASKS = Operation(
    OWNER, "list_open_tasks", ClientTasks, CaseTaskList, (Invalid,), example={"case_ids": [AN_ID]}
)
LIST_FORM_TASKS = Operation(
    OWNER, "list_form_tasks", ListFormTasks, FormTasks, (NotFound,), example={"case_form_id": AN_ID}
)
LIST_CLIENT_TASKS = Operation(
    OWNER, "list_client_tasks", ListClientTasks, ClientTaskList, (Invalid, Unavailable), permission="tasks.read",
    example={"client_id": AN_ID},
)  # fmt: skip
