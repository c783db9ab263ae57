"""What rules do when they are triggered: once for an event, filtered, in chains that come to an end, and logged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from chassis.columns import new_id
from chassis.envelope import ReceivedEvent
from chassis.testing import deliver, outbox_events, received
from contracts.cases import CASE_CHANGE_REJECTED, CASE_CHANGED, SELECT_CASES
from contracts.errors import NotFound, Unavailable
from contracts.tasks import (
    AUTOMATION_REQUESTED,
    CASE_CHANGE_REQUESTED,
    CASE_MESSAGE_REQUESTED,
    FORM_COMPLETED,
    STAFF_NOTICE_REQUESTED,
    TASK_COMPLETED,
    TASK_OVERDUE,
    TASKS_ASSIGNED,
    TRIGGERS,
)
from services.tasks import answers, templates
from services.tasks.automation import rules, runs
from services.tasks.models import CaseTask
from tests.service import forms_desk
from tests.service.automation_desk import Desk, desk
from tests.service.tasks_office import NOW, a_case, database

__all__ = ["database", "desk"]

OPEN = {"field": "state", "op": "eq", "value": "open"}
COURT = {"kind": "change_status", "status": "In court"}
MOVED = {"kind": "case_status_changed"}
ASKING = (AUTOMATION_REQUESTED, CASE_CHANGE_REQUESTED, STAFF_NOTICE_REQUESTED, CASE_MESSAGE_REQUESTED)
HANDLERS = {
    "task_completed": "follow_completed_tasks",
    "form_completed": "follow_completed_forms",
    "overdue": "follow_overdue_tasks",
    "case_status_changed": "follow_changed_cases",
    "overdue_handling": "follow_overdue_tasks",
}


def completed(desk: Desk, case_id: str, **about: Any) -> ReceivedEvent:
    data = {
        "case_task_id": new_id(), "case_id": case_id, "template_id": new_id(), "client_id": None,
        "answered_by": "staff", "mapped": None, "answer_version": 1, "corrected": False, **about,
    }  # fmt: skip
    return received(TASK_COMPLETED, data, firm_id=desk.firm_id, correlation_id=new_id())


def moved(desk: Desk, case_id: str, status: str, correlation_id: str | None = None, **about: Any) -> ReceivedEvent:
    data = {
        **a_case(case_id), "version": 2, "client_ids": [], "changed": ["status"], "status": status,
        "case_type_id": desk.case_type_id, "previous_status": "New", **about,
    }  # fmt: skip
    return received(CASE_CHANGED, data, firm_id=desk.firm_id, correlation_id=correlation_id or new_id())


def form_completed(desk: Desk, case_id: str, **about: Any) -> ReceivedEvent:
    data = {"case_form_id": new_id(), "form_id": new_id(), "case_id": case_id, **about}
    return received(FORM_COMPLETED, data, firm_id=desk.firm_id)


def overdue(desk: Desk, case_id: str, **about: Any) -> ReceivedEvent:
    data = {
        "case_task_id": new_id(), "case_id": case_id, "assignee_id": None, "due_at": NOW, "template_id": new_id(),
        **about,
    }  # fmt: skip
    return received(TASK_OVERDUE, data, firm_id=desk.firm_id)


def complete(desk: Desk, *events: ReceivedEvent) -> None:
    """Each event twice, and all that follows."""
    deliver(desk.service, "follow_completed_tasks", *events)
    deliver(desk.service, "follow_completed_tasks", *events)
    desk.carry_on()


def move(desk: Desk, *events: ReceivedEvent) -> None:
    deliver(desk.service, "follow_changed_cases", *events)
    deliver(desk.service, "follow_changed_cases", *events)
    desk.carry_on()


def logged(desk: Desk, **query: Any) -> list[tuple[str, str | None]]:
    return [(run["state"], run["code"]) for run in desk.runs(**query)]


def tasks_of(desk: Desk, case_id: str, template_id: str) -> int | None:
    with desk.db.read() as session:
        theirs = (CaseTask.case_id == case_id, CaseTask.template_id == template_id)
        return session.scalar(select(func.count()).select_from(CaseTask).where(*theirs))


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_each_trigger_takes_each_action_once(desk: Desk, trigger: str) -> None:
    case_id, template_id = desk.cases.open(), desk.template()
    due = {"mode": "relative", "days": 2}
    assigning = {"kind": "assign_task", "template_id": template_id, "due": due, "assignee_id": desk.staff_id}
    asking = {"kind": "assign_form", "form_id": forms_desk.intake(desk)["id"], "due": due}
    sending = desk.sending("client.first_name", "task.link", fallback=True)
    rule = desk.rule(assigning, COURT, desk.tell(), asking, sending, on={"kind": trigger})
    event = {
        "task_completed": completed,
        "form_completed": form_completed,
        "overdue": overdue,
        "case_status_changed": lambda desk, case_id: moved(desk, case_id, "In court"),
        "overdue_handling": lambda desk, case_id: overdue(desk, case_id, automation_rule_ids=[rule["id"]]),
    }[trigger](desk, case_id)
    for _ in range(2):
        deliver(desk.service, HANDLERS[trigger], event)
    desk.carry_on()

    (run,) = desk.runs()
    codes = [(outcome["kind"], outcome["code"]) for outcome in run["outcomes"]]
    assert codes == [
        ("assign_task", "done"),
        ("change_status", "requested"),
        ("notify_staff", "requested"),
        ("assign_form", "done"),
        ("send_template", "requested"),
    ]
    assert run["outcomes"][-1]["batch_id"] == run["id"]
    assert (run["state"], run["automation_rule_id"], run["case_id"]) == ("done", rule["id"], case_id)
    assert (run["chain_id"], run["depth"], run["case_task_id"]) == (event.id, 0, event.data.get("case_task_id"))
    with desk.db.read() as session:
        (task,) = session.scalars(select(CaseTask).where(CaseTask.template_id == template_id))
        assert (task.case_id, task.assignee_id, task.due_at is not None) == (case_id, desk.staff_id, True)
    assert desk.emitted(CASE_CHANGE_REQUESTED) == [
        {"automation_run_id": run["id"], "case_id": case_id, "status": "In court"}
    ]
    (notice,) = desk.emitted(STAFF_NOTICE_REQUESTED)
    assert (notice["staff_ids"], notice["kind"], notice["title"]) == ([desk.staff_id], "automation", "Look at it")
    assert notice["about"]["case_id"] == case_id
    of_chain = [
        emitted.correlation_id
        for event_type in (*ASKING, TASKS_ASSIGNED)
        for emitted in outbox_events(desk.everywhere, event_type)
        if emitted.firm_id == desk.firm_id
    ]
    assert of_chain == [event.id] * 6
    (message,) = desk.emitted(CASE_MESSAGE_REQUESTED)
    assert (message["automation_run_id"], message["case_task_id"]) == (run["id"], event.data.get("case_task_id"))
    assert (message["client_ids"], message["channels"], message["fallback"]) == (
        desk.cases.clients[case_id], ["sms"], True,
    )  # fmt: skip
    assert message["message_template_id"] == sending["message_template_id"]
    (form,) = forms_desk.listed(desk, case_id)
    assert forms_desk.statuses(desk, form["id"])["will"] == "to_do"


def test_a_completed_task_triggers_by_its_event_and_a_corrected_answer_does_not(desk: Desk) -> None:
    desk.rule()
    task = desk.assign()
    for number, answer in enumerate(("(212) 555-0123", "(212) 555-0124")):
        answers.submit_answer(
            desk.db,
            desk.calls,
            NOW,
            case_task_id=task["id"],
            answer=answer,
            client_id=None,
            link_id=None,
            answer_version=number,
        )
    emitted = [of for of in outbox_events(desk.everywhere, TASK_COMPLETED) if of.firm_id == desk.firm_id]
    assert [of.data["corrected"] for of in emitted] == [False, True]
    complete(desk, *(desk.again(TASK_COMPLETED, of) for of in emitted))
    assert [run["case_task_id"] for run in desk.runs()] == [task["id"]]


def test_only_what_the_trigger_names_triggers(desk: Desk) -> None:
    case_id, template_id = desk.cases.open(), desk.template()
    desk.rule(on={"kind": "task_completed", "template_id": template_id})
    complete(desk, completed(desk, case_id), completed(desk, case_id, template_id=template_id, corrected=True))
    desk.rule(on={**MOVED, "case_type_id": desk.case_type_id, "to_status": "Closed"})
    move(
        desk,
        moved(desk, case_id, "In court"),
        moved(desk, case_id, "Closed", case_type_id=new_id()),
        moved(desk, case_id, "Closed", changed=["name"], previous_status=None),
        # It was renamed: the case is where it was.
        moved(desk, case_id, "Closed", previous_status=None),
    )
    assert desk.runs() == []
    complete(desk, completed(desk, case_id, template_id=template_id))
    move(desk, moved(desk, case_id, "Closed", version=3))
    assert logged(desk) == [("done", None)] * 2


@pytest.mark.parametrize(
    ("kind", "name", "make"), [("form_completed", "form_id", form_completed), ("overdue", "template_id", overdue)]
)
def test_a_form_or_a_template_that_the_trigger_names(desk: Desk, kind: str, name: str, make: Any) -> None:
    case_id = desk.cases.open()
    wanted = forms_desk.intake(desk)["id"] if name == "form_id" else desk.template()
    desk.rule(on={"kind": kind, name: wanted})
    deliver(desk.service, HANDLERS[kind], make(desk, case_id), make(desk, case_id, **{name: wanted}))
    desk.carry_on()
    assert logged(desk) == [("done", None)]


def test_a_case_that_does_not_meet_the_filter_is_left_alone(desk: Desk) -> None:
    met, unmet, archived, gone = (desk.cases.open() for _ in range(4))
    desk.case_states |= {unmet: "closed", archived: "archived"}
    del desk.cases.clients[gone]
    desk.rule(filter=OPEN)
    complete(desk, *(completed(desk, case_id) for case_id in (met, unmet, archived, gone)))
    assert {run["case_id"]: run["state"] for run in desk.runs()} == {
        met: "done", unmet: "filtered", archived: "filtered", gone: "filtered"
    }  # fmt: skip
    assert [notice["about"]["case_id"] for notice in desk.emitted(STAFF_NOTICE_REQUESTED)] == [met]


def test_a_filter_that_cannot_be_read_any_more_fails_the_run_and_leaves_the_rule(desk: Desk) -> None:
    rule = desk.rule(filter=OPEN)

    def refuse(**query: Any) -> Any:
        raise NotFound("saved_filter_not_found")

    desk.calls.answers[SELECT_CASES] = refuse
    complete(desk, completed(desk, desk.cases.open()))
    assert logged(desk) == [("failed", "saved_filter_not_found")]
    assert rules.get_rule(desk.db, rule["id"])["active"] is True
    assert desk.emitted(STAFF_NOTICE_REQUESTED) == []


def test_what_cannot_be_asked_now_is_done_later(desk: Desk) -> None:
    desk.rule()
    event = completed(desk, desk.cases.open())

    def away(**query: Any) -> Any:
        raise Unavailable("cases_unavailable")

    desk.calls.answers[SELECT_CASES] = away
    with pytest.raises(Unavailable):
        complete(desk, event)
    assert logged(desk) == [("waiting", None)]
    desk.calls.answers[SELECT_CASES] = desk.select
    desk.carried.clear()
    desk.carry_on()
    assert logged(desk) == [("done", None)]


def test_a_rule_that_is_off_does_nothing(desk: Desk) -> None:
    desk.rule(active=False)
    stopped = desk.rule(name="stopped")
    event = completed(desk, desk.cases.open())
    deliver(desk.service, "follow_completed_tasks", event)
    rules.update_rule(
        desk.db, desk.calls, NOW, automation_rule_id=stopped["id"], changes={"active": False}, expected_version=None
    )
    desk.carry_on()
    assert logged(desk) == [("failed", "rule_inactive")]
    assert desk.emitted(STAFF_NOTICE_REQUESTED) == []


def test_an_action_that_is_refused_leaves_the_others(desk: Desk) -> None:
    template_id = desk.template()
    responsible = {"kind": "notify_staff", "title": "x", "notify_responsible": True}
    desk.rule({"kind": "assign_task", "template_id": template_id}, responsible, COURT)
    templates.update_template(
        desk.db, desk.calls, NOW, task_template_id=template_id, changes={"archived": True}, expected_version=None
    )
    complete(desk, completed(desk, desk.cases.open()))
    (run,) = desk.runs()
    assert [outcome["code"] for outcome in run["outcomes"]] == ["template_archived", "nobody", "requested"]
    assert (run["state"], run["code"]) == ("failed", "template_archived")


def test_the_responsible_of_the_case_is_told(desk: Desk) -> None:
    case_id, responsible = desk.cases.open(), desk.colleague()
    desk.rule({"kind": "notify_staff", "title": "x", "notify_responsible": True}, on=MOVED)
    move(desk, moved(desk, case_id, "In court", responsible_staff_id=responsible))
    assert [notice["staff_ids"] for notice in desk.emitted(STAFF_NOTICE_REQUESTED)] == [[responsible]]


def test_a_change_that_is_refused_shows_in_the_run(desk: Desk) -> None:
    case_id = desk.cases.open()
    desk.rule(desk.tell(), COURT)
    complete(desk, completed(desk, case_id))
    (run,) = desk.runs()
    refused = {"automation_run_id": run["id"], "case_id": case_id, "code": "unknown_status"}
    event = received(CASE_CHANGE_REJECTED, refused, firm_id=desk.firm_id)
    deliver(desk.service, "record_rejected_change", event)
    deliver(desk.service, "record_rejected_change", event)
    (run,) = desk.runs()
    assert (run["state"], run["code"]) == ("failed", "unknown_status")
    assert [outcome["code"] for outcome in run["outcomes"]] == ["requested", "unknown_status"]


def test_two_rules_that_undo_each_other_come_to_an_end(desk: Desk) -> None:
    case_id = desk.cases.open()
    there = desk.rule(COURT, on={**MOVED, "to_status": "New"}, name="there")
    back = desk.rule({"kind": "change_status", "status": "New"}, on={**MOVED, "to_status": "In court"}, name="back")
    move(desk, moved(desk, case_id, "New"))
    for version in range(3, 9):
        asked = [of for of in outbox_events(desk.everywhere, CASE_CHANGE_REQUESTED) if of.firm_id == desk.firm_id]
        if len(asked) < version - 2:
            break
        # As cases answers: within the chain that asked.
        move(desk, moved(desk, case_id, asked[-1].data["status"], asked[-1].correlation_id, version=version))
    found = [(run["automation_rule_id"], run["state"], run["depth"]) for run in desk.runs()]
    assert found == [(there["id"], "done", 0), (back["id"], "done", 1), (there["id"], "loop", 2)]
    assert desk.runs()[-1]["code"] == "ran_already"
    assert len({run["chain_id"] for run in desk.runs()}) == 1


def test_a_chain_of_many_rules_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "DEEPEST", 1)
    case_id = desk.cases.open()
    desk.rule(COURT, on={**MOVED, "to_status": "New"})
    desk.rule(on={**MOVED, "to_status": "In court"})
    first = moved(desk, case_id, "New")
    move(desk, first)
    move(desk, moved(desk, case_id, "In court", first.id, version=3))
    assert logged(desk) == [("done", None), ("loop", "chain_too_long")]


def test_events_of_one_request_begin_a_chain_each(desk: Desk) -> None:
    case_id, request = desk.cases.open(), new_id()
    desk.rule()
    events = [completed(desk, case_id) for _ in range(2)]
    complete(desk, *(replace(event, correlation_id=request) for event in events))
    assert logged(desk) == [("done", None)] * 2
    assert {run["chain_id"] for run in desk.runs()} == {event.id for event in events}


def test_a_thousand_completed_tasks_are_run_by_sets(desk: Desk) -> None:
    template_id = desk.template()
    case_ids = [desk.cases.open() for _ in range(500)]
    desk.rule({"kind": "assign_task", "template_id": template_id}, filter=OPEN)
    events = [completed(desk, case_id) for case_id in case_ids for _ in range(2)]
    deliver(desk.service, "follow_completed_tasks", *events)
    desk.carry_on()
    assert len(desk.calls.asked(SELECT_CASES)) < 30
    assert {tasks_of(desk, case_id, template_id) for case_id in case_ids} == {2}
    assert runs.list_runs(
        desk.db, automation_rule_id=None, case_id=None, limit=1, cursor=None, sort=None
    )["meta"]["total"] == 1000  # fmt: skip


def test_the_log_is_found_by_rule_and_by_case(desk: Desk) -> None:
    first, second = desk.cases.open(), desk.cases.open()
    rule, other = desk.rule(name="a"), desk.rule(name="b")
    complete(desk, completed(desk, first), completed(desk, second))
    assert {run["case_id"] for run in desk.runs(automation_rule_id=rule["id"])} == {first, second}
    assert {run["automation_rule_id"] for run in desk.runs(case_id=first)} == {rule["id"], other["id"]}
    with pytest.raises(NotFound):
        desk.runs(automation_rule_id=new_id())
    with pytest.raises(NotFound):
        runs.list_runs(
            desk.foreign_db, automation_rule_id=rule["id"], case_id=None, limit=9, cursor=None, sort=None
        )  # fmt: skip
