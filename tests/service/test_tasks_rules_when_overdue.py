"""Rules that a task's overdue handling runs, and handling that one task of a case has otherwise than its template."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.testing import deliver, outbox_events
from contracts.errors import Invalid
from contracts.messaging import SAVE_CONTENT
from contracts.tasks import NOTIFICATION_REQUESTED, STAFF_NOTICE_REQUESTED, TASK_OVERDUE, OverdueHandlingChanges
from services.tasks import assigning, history, overdue, templates, views
from services.tasks.automation import rules
from services.tasks.models import CaseTask
from tests.service.automation_desk import Desk, desk
from tests.service.tasks_office import NOW, database
from tests.service.test_tasks_overdue_actions import FIXED, REMINDER, handling

__all__ = ["database", "desk"]

NAMED = {"kind": "overdue_handling"}


@pytest.fixture(autouse=True)
def nothing_else_is_due(desk: Desk) -> None:
    with desk.everywhere.across_firms("a test begins").unit_of_work() as uow:
        for task in uow.session.scalars(select(CaseTask)):
            task.announced_due_at = task.due_at


def late(desk: Desk, **given: Any) -> dict[str, Any]:
    return desk.assign(template_id=desk.template(overdue=handling(**given)), due=FIXED)


def sweep(desk: Desk, now: dt.datetime = NOW) -> None:
    """Twice, and each event of it twice."""
    for _ in range(2):
        overdue.announce_due(desk.everywhere, desk.calls, now)
    told = [of for of in outbox_events(desk.everywhere, TASK_OVERDUE) if of.firm_id == desk.firm_id]
    for _ in range(2):
        deliver(desk.service, "follow_overdue_tasks", *(desk.again(TASK_OVERDUE, of) for of in told))
    desk.carry_on()


def changes_of(desk: Desk, task: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = history.list_case_task_changes(
        desk.db, case_task_id=task["id"], limit=9, cursor=None, sort=None
    )["data"]
    return found


def change(desk: Desk, task: dict[str, Any], wire: dict[str, Any] | None) -> dict[str, Any]:
    loaded = None if wire is None else OverdueHandlingChanges().load(wire)
    return assigning.update_case_task(
        desk.db, desk.calls, NOW, case_task_id=task["id"], changes={"overdue": loaded}, expected_version=None
    )


def ran(desk: Desk) -> list[tuple[str, str | None, str]]:
    return [(run["automation_rule_id"], run["case_task_id"], run["state"]) for run in desk.runs()]


def test_the_rules_that_are_named_run_once_for_the_deadline_whatever_their_own_trigger(desk: Desk) -> None:
    named, other = desk.rule(on=NAMED), desk.rule(on={"kind": "form_completed"})
    also_by_itself = desk.rule(on={"kind": "overdue"})
    desk.rule(on=NAMED)
    task = late(desk, rule_ids=[named["id"], other["id"], also_by_itself["id"]])
    desk.assign(due={"mode": "fixed", "at": NOW + dt.timedelta(days=1), "days": None})
    sweep(desk)
    expected = [(rule["id"], task["id"], "done") for rule in (named, other, also_by_itself)]
    assert sorted(ran(desk)) == sorted(expected)
    assert [entry["facts"]["outcomes"] for entry in changes_of(desk, task)] == [{"run_rules": "done"}]
    assert len(desk.emitted(STAFF_NOTICE_REQUESTED)) == 3


def test_a_rule_that_is_off_and_a_case_that_is_closed_are_written_down(desk: Desk) -> None:
    rule = desk.rule(on=NAMED)
    off, closed = late(desk, rule_ids=[rule["id"]]), late(desk, rule_ids=[rule["id"]])
    desk.cases.told[closed["case_id"]] = {"state": "closed"}
    rules.update_rule(
        desk.db, desk.calls, NOW, automation_rule_id=rule["id"], changes={"active": False}, expected_version=None
    )
    sweep(desk)
    outcomes = [changes_of(desk, task)[0]["facts"]["outcomes"] for task in (off, closed)]
    assert outcomes == [{"run_rules": "rule_inactive"}, {"run_rules": "case_closed"}]
    assert ran(desk) == []


def test_a_rule_that_is_not_there_is_refused_with_its_place(desk: Desk) -> None:
    rule = desk.rule(on=NAMED)
    with pytest.raises(Invalid, match="unknown_rule") as refused:
        desk.template(overdue=handling(rule_ids=[rule["id"], new_id()]))
    assert refused.value.fields[0]["field"] == "overdue.rule_ids.1"
    task = late(desk)
    with pytest.raises(Invalid, match="unknown_rule") as refused:
        change(desk, task, {"rule_ids": [new_id()]})
    assert refused.value.fields[0]["field"] == "overdue.rule_ids.0"
    assert views.get_case_task(desk.db, NOW, task["id"])["overdue"] is None
    template_id = desk.template(overdue=handling(rule_ids=[rule["id"]]))
    assert templates.get_template(desk.db, template_id)["overdue"]["rule_ids"] == [rule["id"]]


def test_one_task_has_it_otherwise_and_keeps_what_the_change_does_not_name(desk: Desk) -> None:
    task = late(desk, remind_client=REMINDER)
    twin = desk.assign(template_id=task["template_id"], due=FIXED)
    asked = len(desk.calls.asked(SAVE_CONTENT))
    shown = change(desk, task, {"notify_staff_ids": [desk.staff_id, desk.staff_id]})
    assert shown["overdue"] == {
        "notify_staff_ids": [desk.staff_id], "notify_assignee": False, "escalate": False, "rule_ids": [],
        "remind_client": {"channels": ["sms", "email"], "fallback": True},
    }  # fmt: skip
    assert shown["version"] == task["version"] + 1
    assert len(desk.calls.asked(SAVE_CONTENT)) == asked, "the words stay as they were kept"
    change(desk, twin, None)
    sweep(desk)
    (notice,) = desk.emitted(STAFF_NOTICE_REQUESTED)
    assert notice["about"]["case_task_id"] == task["id"]
    (reminder,) = desk.emitted(NOTIFICATION_REQUESTED)
    assert [item["case_task_id"] for item in reminder["items"]] == [task["id"]]
    assert [entry["kind"] for entry in changes_of(desk, task)] == ["overdue", "handling_changed"]
    assert (changes_of(desk, task)[1]["actor_id"], changes_of(desk, twin)[0]["facts"]["outcomes"]) == (
        desk.staff_id, {},
    )  # fmt: skip


def test_a_change_does_nothing_about_a_time_that_was_announced_and_holds_for_the_next(desk: Desk) -> None:
    task = late(desk)
    sweep(desk)
    change(desk, task, {"notify_assignee": True, "remind_client": {**REMINDER, "channels": ["sms"]}})
    change(desk, task, {"notify_assignee": False, "notify_staff_ids": [desk.staff_id]})
    sweep(desk)
    assert desk.emitted(STAFF_NOTICE_REQUESTED) == desk.emitted(NOTIFICATION_REQUESTED) == []
    moved = {"due": {**FIXED, "at": NOW - dt.timedelta(days=1)}}
    assigning.update_case_task(desk.db, desk.calls, NOW, case_task_id=task["id"], changes=moved, expected_version=None)
    sweep(desk)
    assert len(desk.emitted(STAFF_NOTICE_REQUESTED)) == len(desk.emitted(NOTIFICATION_REQUESTED)) == 1


def test_who_is_named_anew_must_work_here_and_nothing_is_half_done(desk: Desk) -> None:
    task, gone = late(desk, escalate=True), desk.colleague()
    desk.staff[gone] = False
    with pytest.raises(Invalid, match="inactive_staff") as refused:
        change(desk, task, {"notify_staff_ids": [gone], "escalate": False})
    assert refused.value.fields[0]["field"] == "overdue.notify_staff_ids.0"
    assert views.get_case_task(desk.db, NOW, task["id"])["overdue"]["escalate"] is True
    assert change(desk, task, {})["overdue"]["escalate"] is True
    assert change(desk, task, {"escalate": False})["overdue"] is None
