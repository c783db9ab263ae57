"""Rules, and what changes between the event that triggers them and their actions."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest
from sqlalchemy import select

from chassis.testing import deliver, outbox_events, received
from contracts.cases import CASE_CHANGED, SELECT_CASES
from contracts.errors import Unavailable
from contracts.tasks import AUTOMATION_REQUESTED, STAFF_NOTICE_REQUESTED, TASK_OVERDUE
from services.tasks import overdue
from services.tasks.automation import forgetting, rules, runs
from services.tasks.models import CaseTask
from tests.service.automation_desk import Desk, desk
from tests.service.tasks_office import NOW, a_case, database
from tests.service.test_tasks_automation_runs import complete, completed, logged, tasks_of

__all__ = ["database", "desk"]


def meanwhile(desk: Desk, happens: Any) -> None:
    """While the next run asks which cases meet its filter."""

    def select_cases(**query: Any) -> Any:
        answer = desk.select(**query)
        desk.calls.answers[SELECT_CASES] = desk.select
        happens()
        return answer

    desk.calls.answers[SELECT_CASES] = select_cases


def change(desk: Desk, rule: dict[str, Any], **changes: Any) -> None:
    rules.update_rule(desk.db, desk.calls, NOW, automation_rule_id=rule["id"], changes=changes, expected_version=None)


def archive(desk: Desk, case_id: str) -> None:
    facts = {**a_case(case_id), "archived": True, "version": 9, "client_ids": [], "changed": ["archived_at"]}
    deliver(desk.service, "follow_changed_cases", received(CASE_CHANGED, facts, firm_id=desk.firm_id))


def test_a_rule_that_is_stopped_meanwhile_does_nothing(desk: Desk) -> None:
    rule = desk.rule()
    meanwhile(desk, lambda: change(desk, rule, active=False))
    complete(desk, completed(desk, desk.cases.open()))
    assert logged(desk) == [("failed", "rule_inactive")]
    assert desk.emitted(STAFF_NOTICE_REQUESTED) == []


def test_a_rule_that_is_changed_meanwhile_acts_as_it_is_then(desk: Desk) -> None:
    rule = desk.rule()
    met, unmet = desk.cases.open(), desk.cases.open()
    desk.case_states[unmet] = "closed"
    filtered = {"field": "state", "op": "eq", "value": "open"}
    meanwhile(desk, lambda: change(desk, rule, filter=filtered, actions=[{**desk.tell(), "title": "Anew"}]))
    complete(desk, completed(desk, met), completed(desk, unmet))
    assert [notice["title"] for notice in desk.emitted(STAFF_NOTICE_REQUESTED)] == ["Anew"]
    assert {run["case_id"]: (run["state"], run["rule_version"]) for run in desk.runs()} == {
        met: ("done", 2), unmet: ("filtered", 2)
    }  # fmt: skip


def test_a_rule_that_never_stays_the_same_is_run_later(desk: Desk) -> None:
    rule, names = desk.rule(), iter(range(9))

    def renamed(**query: Any) -> Any:
        change(desk, rule, name=f"{rule['id']} {next(names)}")
        return desk.select(**query)

    desk.calls.answers[SELECT_CASES] = renamed
    with pytest.raises(Unavailable, match="rules_are_changing"):
        complete(desk, completed(desk, desk.cases.open()))
    assert logged(desk) == [("waiting", None)]


def test_a_case_that_is_archived_meanwhile_is_left_alone(desk: Desk) -> None:
    case_id, template_id = desk.cases.open(), desk.template()
    desk.rule({"kind": "assign_task", "template_id": template_id}, desk.tell())
    meanwhile(desk, lambda: archive(desk, case_id))
    complete(desk, completed(desk, case_id))
    assert logged(desk) == [("filtered", None)]
    assert (tasks_of(desk, case_id, template_id), desk.emitted(STAFF_NOTICE_REQUESTED)) == (0, [])


def test_who_has_left_is_told_nothing_and_gets_no_task(desk: Desk) -> None:
    gone, template_id = desk.colleague(), desk.template()
    assigning = {"kind": "assign_task", "template_id": template_id, "assignee_id": gone}
    telling = {"kind": "notify_staff", "title": "x", "staff_ids": [gone]}
    desk.rule(assigning, telling, {**telling, "staff_ids": [gone, desk.staff_id]})
    desk.staff[gone] = False
    complete(desk, completed(desk, desk.cases.open()))
    (run,) = desk.runs()
    assert [outcome["code"] for outcome in run["outcomes"]] == ["done_unassigned", "nobody", "requested"]
    assert [notice["staff_ids"] for notice in desk.emitted(STAFF_NOTICE_REQUESTED)] == [[desk.staff_id]]
    with desk.db.read() as session:
        (task,) = session.scalars(select(CaseTask).where(CaseTask.template_id == template_id))
        assert task.assignee_id is None


def test_one_event_at_two_replicas_at_once_is_acted_on_once(desk: Desk) -> None:
    case_ids, template_id = [desk.cases.open() for _ in range(3)], desk.template()
    desk.rule({"kind": "assign_task", "template_id": template_id})
    desk.rule(desk.tell(), {"kind": "assign_task", "template_id": template_id})
    deliver(desk.service, "follow_completed_tasks", *(completed(desk, case_id) for case_id in case_ids))
    asked = [of for of in outbox_events(desk.everywhere, AUTOMATION_REQUESTED) if of.firm_id == desk.firm_id]
    # In another order, and under ids of their own: as if what was asked for had been asked for twice.
    orders = [asked, asked[::-1]]
    replicas = [
        [
            received(AUTOMATION_REQUESTED, of.data, firm_id=desk.firm_id, correlation_id=of.correlation_id)
            for of in order
        ]
        for order in orders
    ]
    threads = [eventlet.spawn(deliver, desk.service, "run_automations", *events) for events in replicas]
    for thread in threads:
        thread.wait()
    assert logged(desk) == [("done", None)] * 6
    assert [tasks_of(desk, case_id, template_id) for case_id in case_ids] == [2, 2, 2]
    assert len(desk.emitted(STAFF_NOTICE_REQUESTED)) == 3


def test_a_rule_that_assigns_what_is_overdue_at_once_comes_to_an_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "DEEPEST", 3)
    with desk.everywhere.across_firms("a test begins").unit_of_work() as uow:
        for task in uow.session.scalars(select(CaseTask)):
            task.announced_due_at = task.due_at
    passed = {"mode": "fixed", "at": NOW - dt.timedelta(days=1)}
    first = desk.assign(due={**passed, "days": None})
    desk.rule({"kind": "assign_task", "template_id": first["template_id"], "due": passed}, on={"kind": "overdue"})
    for _ in range(6):
        overdue.announce_due(desk.everywhere, desk.calls, NOW)
        told = [of for of in outbox_events(desk.everywhere, TASK_OVERDUE) if of.firm_id == desk.firm_id]
        deliver(desk.service, "follow_overdue_tasks", *(desk.again(TASK_OVERDUE, of) for of in told))
        desk.carry_on()
    assert tasks_of(desk, first["case_id"], first["template_id"]) == 4
    assert [(run["state"], run["depth"]) for run in desk.runs()] == [
        ("done", 0), ("done", 1), ("done", 2), ("loop", 3)
    ]  # fmt: skip


def test_old_runs_are_removed_and_waiting_ones_stay(desk: Desk) -> None:
    desk.rule()
    complete(desk, *(completed(desk, desk.cases.open()) for _ in range(5)))
    deliver(desk.service, "follow_completed_tasks", completed(desk, desk.cases.open()))
    (made,) = {run["created_at"].date() for run in desk.runs()}
    later = dt.datetime.combine(made, dt.time(), dt.UTC) + dt.timedelta(days=181)
    assert forgetting.forget_old_runs(desk.everywhere, later - dt.timedelta(days=2), days=180) is False
    assert len(desk.runs()) == 6
    turns = 0
    while forgetting.forget_old_runs(desk.everywhere, later + dt.timedelta(days=1), days=180, at_once=2):
        turns += 1
    assert turns >= 2
    assert [run["state"] for run in desk.runs()] == ["waiting"]
