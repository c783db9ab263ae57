"""Which rules an event triggers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.tasks.models import AutomationRule

Facts = Mapping[str, Any]


def triggers(rule: AutomationRule, kind: str, data: Facts) -> bool:
    """Whether a rule is meant by what an event of this kind says."""
    trigger = rule.trigger
    if kind == "overdue" and rule.id in (data.get("automation_rule_ids") or ()):
        return True
    if trigger["kind"] != kind:
        return False
    if kind == "task_completed":
        return not data.get("corrected") and trigger.get("template_id") in (None, data["template_id"])
    if kind == "form_completed":
        return trigger.get("form_id") in (None, data["form_id"])
    if kind == "overdue":
        return trigger.get("template_id") in (None, data.get("template_id"))
    # A status that was renamed has no previous one.
    return (
        "status" in data["changed"]
        and data.get("previous_status") is not None
        and trigger.get("case_type_id") in (None, data["case_type_id"])
        and rule.status_of(data["case_type_id"], trigger.get("to_status")) in (None, data["status"])
    )
