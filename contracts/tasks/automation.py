"""Automation rules: what a firm has done by itself when something happened to a case, and the log of what was."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Count, Event, Flag, Id, Instant, Operation, PageRequest, Stamped, Text, ids, page_of
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from contracts.tasks.common import AN_ID, CHANNELS, OWNER, Due

TRIGGERS = ("task_completed", "form_completed", "overdue", "case_status_changed", "overdue_handling")
ACTIONS = ("assign_task", "assign_form", "change_status", "notify_staff", "send_template")
RUN_STATES = ("waiting", "done", "filtered", "loop", "failed")


class AutomationTrigger(Schema):
    """When a rule runs. `task_completed`: a task, if given of `template_id`, was completed; a corrected answer
    completes nothing anew. `form_completed`: of a form on a case, if given `form_id`, nothing required is open any
    more. `overdue`: the time of a task, if given of `template_id`, has passed. `case_status_changed`: a case, if given
    of `case_type_id`, came to another status, if given to `to_status`; a renamed status is the same one.
    `overdue_handling`: only where the overdue handling of a task names the rule, as it can any other one."""

    kind = Choice(*TRIGGERS, required=True)
    template_id = Id()
    form_id = Id()
    case_type_id = Id()
    to_status = Text(longest=60, shortest=1)


class AutomationAction(Schema):
    """What is done, by `kind`. `assign_task`: `template_id`, and if wanted `due` and `assignee_id`. `assign_form`:
    `form_id`, and the same for its tasks of which the form says nothing. `change_status`: to `status`. `notify_staff`:
    `title` to `staff_ids`, and with `notify_responsible` to whoever is responsible for the case. `send_template`: the
    message template `message_template_id`, as it is then, to the case's clients, by every one of the `channels`, or
    with `fallback` by the first that reaches them."""

    kind = Choice(*ACTIONS, required=True)
    template_id = Id()
    form_id = Id()
    due = fields.Nested(Due)
    assignee_id = Id()
    status = Text(longest=60, shortest=1)
    staff_ids = ids(20, smallest=1)
    notify_responsible = Flag()
    title = Text(longest=200, shortest=1)
    message_template_id = Id()
    channels = fields.List(Choice(*CHANNELS), validate=validate.Length(min=1, max=3))
    fallback = Flag()


class AutomationRuleFields(Schema):
    """`filter`: of cases, in the filter language; the rule acts if the case meets it when the rule runs. Null: on any.
    The actions are taken in their order. Never on archived cases."""

    name = Text(longest=120, shortest=1)
    active = Flag()
    trigger = fields.Nested(AutomationTrigger)
    filter = fields.Dict(allow_none=True)
    actions = fields.List(fields.Nested(AutomationAction), validate=validate.Length(min=1, max=10))


class AutomationRule(AutomationRuleFields, Stamped):
    """`inactive_because`: why it is not active, where nobody switched it off: `sensitive_value`, its filter named a
    value of a field that became sensitive. The value is null in it since."""

    inactive_because = fields.String(allow_none=True)


class CreateAutomationRule(AutomationRuleFields):
    name = Text(longest=120, shortest=1, required=True)
    active = Flag(load_default=True)
    trigger = fields.Nested(AutomationTrigger, required=True)
    filter = fields.Dict(load_default=None, allow_none=True)
    actions = fields.List(
        fields.Nested(AutomationAction), required=True, validate=validate.Length(min=1, max=10)
    )  # fmt: skip


class AutomationRuleId(Schema):
    automation_rule_id = Id(required=True)


class ListAutomationRules(PageRequest):
    """`sort`: name, created_at."""

    active = Flag(load_default=None, allow_none=True)


class UpdateAutomationRule(AutomationRuleId):
    changes = fields.Nested(AutomationRuleFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class AutomationOutcome(Schema):
    """What became of an action: `done`; `done_unassigned`, since the assignee works here no more; `requested` of who
    decides it; `nobody` to be told; or why it was refused. Of a message, `batch_id` is its batch, and once that is
    finished `deliveries` counts those to its recipients by state, suppressed ones by reason."""

    kind = fields.String()
    code = fields.String()
    batch_id = Id()
    deliveries = fields.Dict(keys=fields.String(), values=Count())


class AutomationRun(Schema):
    """One time that a rule was triggered. `state`: `waiting`; `done`; `filtered`, the case did not meet the filter or
    is archived; `loop`, the rule ran for this case already in the same chain, or the chain is too long; `failed`, an
    action was refused, or none was taken, for the reason `code`. A chain is what follows from one event: `depth` counts
    the rules before this one in it. `rule_version`: the rule's as it ran."""

    id = Id()
    created_at = Instant()
    automation_rule_id = Id()
    rule_version = Count()
    case_id = Id()
    case_task_id = Id(allow_none=True)
    state = Choice(*RUN_STATES)
    code = fields.String(allow_none=True)
    outcomes = fields.List(fields.Nested(AutomationOutcome))
    chain_id = Id()
    depth = Count()


class ListAutomationRuns(PageRequest):
    """`sort`: created_at, newest first if it is left out."""

    automation_rule_id = Id(load_default=None, allow_none=True)
    case_id = Id(load_default=None, allow_none=True)


class AutomationRequested(Schema):
    """tasks' own: runs that wait, all of one chain."""

    automation_run_ids = ids(1000, smallest=1, required=True)


class CaseChangeRequested(Schema):
    """For cases: an automation wants a case in this status."""

    automation_run_id = Id(required=True)
    case_id = Id(required=True)
    status = Text(longest=60, shortest=1, required=True)


class CaseMessageRequested(Schema):
    """For messaging: an automation sends a template to the clients of a case, the primary one first. The batch has the
    id of the run. `case_task_id`: the task that the run is about, if it is about one."""

    automation_run_id = Id(required=True)
    case_id = Id(required=True)
    case_task_id = Id(required=True, allow_none=True)
    client_ids = fields.List(Id(), required=True)
    message_template_id = Id(required=True)
    channels = fields.List(fields.String(), required=True)
    fallback = fields.Boolean(required=True)
    requested_at = Instant(required=True)


CREATE_AUTOMATION_RULE = Operation(
    OWNER, "create_automation_rule", CreateAutomationRule, AutomationRule,
    (Invalid, Forbidden, NotFound, Conflict, Unavailable),
    permission="automation_rules.write",
    example={
        "name": "To court", "trigger": {"kind": "task_completed", "template_id": AN_ID},
        "filter": {"field": "state", "op": "eq", "value": "open"},
        "actions": [{"kind": "change_status", "status": "In court"}],
    },
)  # fmt: skip
GET_AUTOMATION_RULE = Operation(
    OWNER, "get_automation_rule", AutomationRuleId, AutomationRule, (NotFound,), permission="tasks.read",
    example={"automation_rule_id": AN_ID},
)  # fmt: skip
LIST_AUTOMATION_RULES = Operation(
    OWNER, "list_automation_rules", ListAutomationRules, page_of(AutomationRule), (Invalid,), permission="tasks.read"
)
UPDATE_AUTOMATION_RULE = Operation(
    OWNER, "update_automation_rule", UpdateAutomationRule, AutomationRule,
    (Invalid, Forbidden, NotFound, Conflict, Unavailable),
    permission="automation_rules.write", example={"automation_rule_id": AN_ID, "changes": {"active": False}},
)  # fmt: skip
LIST_AUTOMATION_RUNS = Operation(
    OWNER, "list_automation_runs", ListAutomationRuns, page_of(AutomationRun), (Invalid, NotFound),
    permission="tasks.read", example={"automation_rule_id": AN_ID},
)  # fmt: skip
AUTOMATION_REQUESTED = Event(
    OWNER, "automation.requested.v1", AutomationRequested, example={"automation_run_ids": [AN_ID]}
)
CASE_CHANGE_REQUESTED = Event(
    OWNER,
    "case_change.requested.v1",
    CaseChangeRequested,
    example={"automation_run_id": AN_ID, "case_id": AN_ID, "status": "In court"},
)
CASE_MESSAGE_REQUESTED = Event(
    OWNER, "case_message.requested.v1", CaseMessageRequested,
    example={
        "automation_run_id": AN_ID, "case_id": AN_ID, "case_task_id": None, "client_ids": [AN_ID],
        "message_template_id": AN_ID, "channels": ["sms"], "fallback": False, "requested_at": "2026-11-21T15:00:00Z",
    },
)  # fmt: skip
