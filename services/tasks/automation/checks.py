"""Whether a rule can do what it says. What it names may be gone when it runs: that is an outcome of the run then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from contracts.errors import Conflict, Invalid, invalid_field
from services.tasks import due_dates
from services.tasks.forms import load_form
from services.tasks.staff import demand_staff
from services.tasks.templates import load_template, load_templates

Rule = Mapping[str, Any]

_OF_TRIGGER = {
    "task_completed": {"template_id"},
    "form_completed": {"form_id"},
    "overdue": {"template_id"},
    "case_status_changed": {"case_type_id", "to_status"},
    "overdue_handling": set(),
}
_OF_ACTION: Mapping[str, tuple[set[str], set[str]]] = {
    "assign_task": ({"template_id"}, {"due", "assignee_id"}),
    "assign_form": ({"form_id"}, {"due", "assignee_id"}),
    "change_status": ({"status"}, set()),
    "notify_staff": ({"title"}, {"staff_ids", "notify_responsible"}),
    "send_template": ({"message_template_id", "channels"}, {"fallback"}),
}
"""What an action of each kind needs, and what it may have besides."""
_CASE_TYPES_AT_ONCE = 200
_WITHOUT_A_TASK = ("form_completed", "case_status_changed")
_OF_A_TASK = {"task.title", "task.count"}
"""Variables of a message that are a task's. (A link without one leads to all that are open.)"""


def check_shape(rule: Rule) -> None:
    """Raises Invalid that names the place: `not_of_this_kind`, `incomplete_action`, `two_statuses`, and what
    `check_rule` of due dates says."""
    if not rule["name"].strip():
        raise invalid_field("name", "Cannot be blank.")
    trigger = rule["trigger"]
    for name in sorted(trigger.keys() - {"kind"} - _OF_TRIGGER[trigger["kind"]]):
        raise invalid_field(f"trigger.{name}", f"Not with the trigger {trigger['kind']}.", "not_of_this_kind")
    for path, action in _actions(rule):
        needed, possible = _OF_ACTION[action["kind"]]
        for name in sorted(needed - action.keys()):
            raise invalid_field(f"{path}.{name}", f"The action {action['kind']} needs it.", "incomplete_action")
        for name in sorted(action.keys() - {"kind"} - needed - possible):
            raise invalid_field(f"{path}.{name}", f"Not with the action {action['kind']}.", "not_of_this_kind")
        if action["kind"] == "notify_staff" and not (action.get("staff_ids") or action.get("notify_responsible")):
            raise invalid_field(f"{path}.staff_ids", "Somebody must be told.", "incomplete_action")
        due_dates.check_rule(action.get("due"), f"{path}.due")
    # Who is asked to do it answers by the run, and not by the action.
    for kind, code in (("change_status", "two_statuses"), ("send_template", "two_messages")):
        asking = [path for path, action in _actions(rule) if action["kind"] == kind]
        if len(asking) > 1:
            raise invalid_field(asking[1], f"A rule can have one action {kind}.", code)


def check_names(calls: Any, rule: Rule) -> None:
    """What other services know. Raises Invalid `unknown_staff`, `inactive_staff`, `unknown_status`, `channel_missing`,
    `no_such_subject` and what is wrong with the filter, NotFound `case_type_not_found`, `message_template_not_found`
    and what the filter names, and Unavailable."""
    _check_staff(calls, rule)
    _check_statuses(calls, rule)
    _check_message(calls, rule)
    if rule["filter"] is not None:
        check_filter(calls, rule["filter"])


def check_filter(calls: Any, given: Mapping[str, Any]) -> None:
    """Raises what a selection with this filter does, naming the place in `filter`."""
    try:
        calls.cases.select_cases(selector={"case_filter": given}, limit=1, to_keep=True)
    except Invalid as refused:
        fields = [
            {**entry, "field": entry["field"].replace("selector.case_filter", "filter", 1)} for entry in refused.fields
        ]
        raise Invalid(refused.code, fields=fields, **refused.meta) from None


def check_records(session: Session, rule: Rule) -> None:
    """Its templates and forms. Raises NotFound `task_template_not_found`, `form_not_found`, Conflict
    `template_archived`, `form_archived` for one that would be assigned."""
    trigger = rule["trigger"]
    if "template_id" in trigger:
        load_template(session, trigger["template_id"])
    if "form_id" in trigger:
        load_form(session, trigger["form_id"])
    load_templates(session, [action["template_id"] for action in rule["actions"] if "template_id" in action])
    for form_id in dict.fromkeys(action["form_id"] for action in rule["actions"] if "form_id" in action):
        if load_form(session, form_id).archived:
            raise Conflict("form_archived", form_id=form_id)


def _check_staff(calls: Any, rule: Rule) -> None:
    named = []
    for path, action in _actions(rule):
        named += [(f"{path}.staff_ids.{number}", id_) for number, id_ in enumerate(action.get("staff_ids") or ())]
        if "assignee_id" in action:
            named.append((f"{path}.assignee_id", action["assignee_id"]))
    demand_staff(calls, named)


def _check_statuses(calls: Any, rule: Rule) -> None:
    trigger = rule["trigger"]
    named = [(f"{path}.status", action["status"]) for path, action in _actions(rule) if "status" in action]
    if "to_status" in trigger:
        named.append(("trigger.to_status", trigger["to_status"]))
    if "case_type_id" in trigger:
        types = iter([calls.cases.get_case_type(case_type_id=trigger["case_type_id"])])
    elif named:
        types = _case_types(calls)
    else:
        return
    known = {status["name"] for case_type in types for status in case_type["statuses"]}
    for path, status in named:
        if status not in known:
            raise invalid_field(path, "No such status.", "unknown_status")


def _check_message(calls: Any, rule: Rule) -> None:
    for path, action in _actions(rule):
        if action["kind"] != "send_template":
            continue
        field = f"{path}.message_template_id"
        message = {"template_id": action["message_template_id"]}
        try:
            uses = calls.messaging.save_content(message=message, channels=action["channels"]).get("uses") or ()
        except Invalid as refused:
            fields = [{**entry, "field": field} for entry in refused.fields]
            raise Invalid(refused.code, fields=fields, **refused.meta) from None
        if rule["trigger"]["kind"] in _WITHOUT_A_TASK and _OF_A_TASK & set(uses):
            raise invalid_field(field, "It names a task, and this trigger is about none.", "no_such_subject")


def _case_types(calls: Any) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = calls.cases.list_case_types(limit=_CASE_TYPES_AT_ONCE, cursor=cursor)
        yield from page["data"]
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            return


def _actions(rule: Rule) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, action in enumerate(rule["actions"]):
        yield f"actions.{number}", action
