"""Entrypoints for what a firm has done by itself."""

from __future__ import annotations

from typing import Any

from chassis.asking_again import EVERY
from chassis.columns import utc_now
from chassis.envelope import ReceivedEvent
from chassis.events import on
from chassis.rpc import serve
from chassis.timers import every
from contracts import cases, messaging, tasks
from services.tasks.automation import forgetting, renaming, rules, running, runs

Answer = dict[str, Any]


class AutomationEntrypoints:
    """Automation rules, and what they do."""

    db: Any
    calls: Any
    firms: Any
    log_days: Any

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

    @serve(tasks.LIST_AUTOMATION_RUNS)
    def list_automation_runs(self, **query: Any) -> Answer:
        return runs.list_runs(self.db, **query)

    # What a case's change of status triggers is begun where that is followed: see `CasesEntrypoints`.
    @on(tasks.TASK_COMPLETED, batch=500)
    def follow_completed_tasks(self, events: list[ReceivedEvent]) -> None:
        runs.follow(self.db, "task_completed", events, utc_now())

    @on(tasks.FORM_COMPLETED, batch=500)
    def follow_completed_forms(self, events: list[ReceivedEvent]) -> None:
        runs.follow(self.db, "form_completed", events, utc_now())

    @on(tasks.TASK_OVERDUE, batch=500)
    def follow_overdue_tasks(self, events: list[ReceivedEvent]) -> None:
        runs.follow(self.db, "overdue", events, utc_now())

    @on(tasks.AUTOMATION_REQUESTED, batch=100)
    def run_automations(self, events: list[ReceivedEvent]) -> None:
        running.run(self.db, self.calls, self.firms, events, utc_now())

    @every(EVERY, "tasks: ask for automation runs again")
    def ask_for_waiting_runs(self) -> bool:
        return runs.ask_for_waiting(self.db, utc_now())

    @on(cases.CASE_CHANGE_REJECTED)
    def record_rejected_change(self, event: ReceivedEvent) -> None:
        runs.record_rejection(self.db, event)

    @on(messaging.CASE_MESSAGE_REJECTED)
    def record_refused_message(self, event: ReceivedEvent) -> None:
        runs.record_refused_message(self.db, event)

    @on(messaging.BATCH_FINISHED, batch=100)
    def record_finished_messages(self, events: list[ReceivedEvent]) -> None:
        runs.record_finished_messages(self.db, events)

    @on(cases.CASE_STATUS_RENAMED)
    def follow_renamed_status(self, event: ReceivedEvent) -> None:
        renaming.follow_renamed_status(self.db, event)

    @every(3600, forgetting.TIMER)
    def forget_old_runs(self) -> bool:
        return forgetting.forget_old_runs(self.db, utc_now(), days=self.log_days)
