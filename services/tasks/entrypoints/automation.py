"""Entrypoints for what a firm has done by itself."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from contracts import tasks
from services.tasks.automation import rules

Answer = dict[str, Any]


class AutomationEntrypoints:
    """Automation rules."""

    db: Any
    calls: Any

    @serve(tasks.CREATE_AUTOMATION_RULE)
    def create_automation_rule(self, **command: Any) -> Answer:
        return rules.create_rule(self.db, self.calls, utc_now(), **command)

    @serve(tasks.GET_AUTOMATION_RULE)
    def get_automation_rule(self, automation_rule_id: str) -> Answer:
        return rules.get_rule(self.db, automation_rule_id)

    @serve(tasks.LIST_AUTOMATION_RULES)
    def list_automation_rules(self, **query: Any) -> Answer:
        return rules.list_rules(self.db, **query)

    @serve(tasks.UPDATE_AUTOMATION_RULE)
    def update_automation_rule(self, **command: Any) -> Answer:
        return rules.update_rule(self.db, self.calls, utc_now(), **command)
