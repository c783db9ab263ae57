"""Automation rules: what a firm has done by itself when something happened to a case."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Flag, Id, Operation, PageRequest, Stamped, Text, ids, page_of
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.tasks.common import AN_ID, OWNER, Due

TRIGGERS = ("task_completed", "case_status_changed")
ACTIONS = ("assign_task", "change_status", "notify_staff")


class AutomationTrigger(Schema):
    """When a rule runs. `task_completed`: a task, if given of `template_id`, was completed; a corrected answer
    completes nothing anew. `case_status_changed`: a case, if given of `case_type_id`, came to another status, if given
    to `to_status`; a renamed status is the same one."""

    kind = Choice(*TRIGGERS, required=True)
    template_id = Id()
    case_type_id = Id()
    to_status = Text(longest=60, shortest=1)


class AutomationAction(Schema):
    """What is done, by `kind`. `assign_task`: `template_id`, and if wanted `due` and `assignee_id`. `change_status`: to
    `status`. `notify_staff`: `title` to `staff_ids`, and with `notify_responsible` to whoever is responsible for the
    case."""

    kind = Choice(*ACTIONS, required=True)
    template_id = Id()
    due = fields.Nested(Due)
    assignee_id = Id()
    status = Text(longest=60, shortest=1)
    staff_ids = ids(20, smallest=1)
    notify_responsible = Flag()
    title = Text(longest=200, shortest=1)


class AutomationRuleFields(Schema):
    """`filter`: of cases, in the filter language; the rule acts if the case meets it when the rule runs. Null: on any.
    The actions are taken in their order. Never on archived cases."""

    name = Text(longest=120, shortest=1)
    active = Flag()
    trigger = fields.Nested(AutomationTrigger)
    filter = fields.Dict(allow_none=True)
    actions = fields.List(fields.Nested(AutomationAction), validate=validate.Length(min=1, max=10))


class AutomationRule(AutomationRuleFields, Stamped):
    pass


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


CREATE_AUTOMATION_RULE = Operation(
    OWNER, "create_automation_rule", CreateAutomationRule, AutomationRule, (Invalid, NotFound, Conflict, Unavailable),
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
    OWNER, "update_automation_rule", UpdateAutomationRule, AutomationRule, (Invalid, NotFound, Conflict, Unavailable),
    permission="automation_rules.write", example={"automation_rule_id": AN_ID, "changes": {"active": False}},
)  # fmt: skip
