"""Deadlines that have passed: announced once, exact to the second, whoever looks, and after days of silence too."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import use
from chassis.database import Database
from chassis.testing import deliver, outbox_events, received
from contracts import cases
from contracts.errors import Unavailable
from contracts.tasks import TASK_OVERDUE
from services.tasks import answers, assigning, history, overdue, views
from services.tasks.models import CaseTask
from tests.service.races import until_held_up
from tests.service.tasks_office import NOW, Office, a_case, database, office

__all__ = ["database", "office"]

DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)
DUE = NOW - 2 * DAY


@pytest.fixture(autouse=True)
def nothing_else_is_due(database: Database) -> None:
    """A sweep is for all firms: those of other tests must not fill its page."""
    with database.across_firms("a test begins").unit_of_work() as uow:
        for task in uow.session.scalars(select(CaseTask)):
            task.announced_due_at = task.due_at


def fixed(at: dt.datetime) -> dict[str, Any]:
    return {"mode": "fixed", "at": at, "days": None}


def sweep(office: Office, now: dt.datetime = NOW, **given: Any) -> bool:
    return overdue.announce_due(office.everywhere, office.calls, now, **given)


def move(office: Office, task: dict[str, Any], at: dt.datetime) -> None:
    changes = {"due": fixed(at)}
    assigning.update_case_task(
        office.db, office.calls, NOW, case_task_id=task["id"], changes=changes, expected_version=None
    )


def told(office: Office) -> list[tuple[str, dt.datetime]]:
    return [(data["case_task_id"], data["due_at"]) for data in office.emitted(TASK_OVERDUE)]


def test_a_passed_deadline_is_announced_once(office: Office) -> None:
    task = office.assign(due=fixed(DUE), assignee_id=office.staff_id)
    coming = office.assign(due=fixed(NOW + DAY))
    office.assign()
    for _ in range(3):
        assert sweep(office) is False
    assert office.emitted(TASK_OVERDUE) == [
        {
            "case_task_id": task["id"], "case_id": task["case_id"], "assignee_id": office.staff_id, "due_at": DUE,
            "template_id": task["template_id"],
        }
    ]  # fmt: skip
    (noted,) = history.list_case_task_changes(office.db, case_task_id=task["id"], limit=9, cursor=None, sort=None)[
        "data"
    ]
    assert (noted["kind"], noted["actor_kind"], noted["facts"]) == (
        "overdue", "system", {"due_at": "2026-11-19T15:00:00Z", "outcomes": {}},
    )  # fmt: skip
    assert views.get_case_task(office.db, NOW, task["id"])["version"] == task["version"], "nobody's ETag is stale by it"
    sweep(office, NOW + 2 * DAY)
    assert told(office)[1:] == [(coming["id"], NOW + DAY)]


def test_it_is_announced_in_the_second_in_which_it_shows(office: Office) -> None:
    task = office.assign(due={"mode": "relative", "days": 0, "business": False, "at": None})
    last = task["due_at"]
    for now in (last, last + 0.999 * SECOND):
        sweep(office, now)
        assert views.get_case_task(office.db, now, task["id"])["status"] == "to_do"
        assert told(office) == []
    sweep(office, last + SECOND)
    assert views.get_case_task(office.db, last + SECOND, task["id"])["status"] == "overdue"
    assert told(office) == [(task["id"], last)]


def test_a_date_that_was_moved_is_a_new_deadline_and_one_moved_away_and_back_is_not(office: Office) -> None:
    task = office.assign(due=fixed(NOW + DAY))
    move(office, task, DUE)
    sweep(office)
    move(office, task, NOW + DAY)
    sweep(office)
    assert told(office) == [(task["id"], DUE)]
    move(office, task, DUE + SECOND)
    sweep(office)
    move(office, task, DUE)
    sweep(office)
    assert told(office) == [(task["id"], DUE), (task["id"], DUE + SECOND)]


def test_a_task_that_is_done_is_not_overdue_and_one_that_is_reopened_may_be(office: Office) -> None:
    task = office.assign(due=fixed(DUE))
    answers.submit_answer(
        office.db, office.calls, NOW, case_task_id=task["id"], answer="", client_id=None, link_id=None
    )
    sweep(office)
    assert told(office) == []
    answers.reopen_case_task(office.db, NOW, case_task_id=task["id"], reason="Blurred.")
    sweep(office)
    assert told(office) == [(task["id"], DUE)]


def test_after_a_day_of_downtime_all_are_announced_in_the_order_in_which_they_passed(office: Office) -> None:
    case_id, template_id = office.cases.open(), office.template()
    tasks = [office.assign(case_id, template_id, due=fixed(DUE + number * SECOND)) for number in range(25)]
    turns = 0
    while sweep(office, at_once=10):
        turns += 1
    assert turns == 2
    assert sorted(told(office), key=lambda pair: pair[1]) == [(task["id"], task["due_at"]) for task in tasks]
    first_page = {id_ for id_, _ in told(office)[:10]}
    assert first_page == {task["id"] for task in tasks[:10]}


def test_two_replicas_at_once_announce_each_deadline_once(office: Office) -> None:
    for number in range(12):
        office.assign(due=fixed(DUE + number * SECOND), template_id=office.template())
    threads = [eventlet.spawn(sweep, office, at_once=5) for _ in range(4)]
    for thread in threads:
        thread.wait()
    while sweep(office, at_once=5):
        pass
    assert len(told(office)) == len(set(told(office))) == 12


def test_whoever_completes_a_task_at_that_moment_is_not_waited_for(office: Office) -> None:
    """On PostgreSQL the sweep passes over what is locked; on SQLite it comes after."""
    task = office.assign(due=fixed(DUE))
    other = office.assign(due=fixed(DUE))
    with use(office.context), office.db.unit_of_work() as uow:
        locked = uow.session.scalars(select(CaseTask).where(CaseTask.id == task["id"]).with_for_update()).one()
        locked.complete("", answered_by="staff", client_id=None, link_id=None, now=NOW)
        uow.session.flush()
        sweeping = eventlet.spawn(sweep, office)
        until_held_up(office.db, sweeping)
    sweeping.wait()
    assert told(office) == [(other["id"], DUE)]


def test_what_was_not_committed_was_not_announced(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    task = office.assign(due=fixed(DUE))
    with monkeypatch.context() as broken:
        broken.setattr(overdue.overdue_actions, "act", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sweep(office)
    assert told(office) == []
    sweep(office)
    assert told(office) == [(task["id"], DUE)]


def test_an_archived_case_keeps_quiet_until_it_is_taken_out(office: Office) -> None:
    task = office.assign(due=fixed(DUE))

    def archive(archived: bool, version: int) -> None:
        facts = {**a_case(task["case_id"]), "archived": archived, "version": version, "client_ids": [], "changed": []}
        deliver(office.service, "follow_changed_cases", received(cases.CASE_CHANGED, facts, firm_id=office.firm_id))

    archive(True, 2)
    sweep(office)
    assert told(office) == []
    archive(False, 3)
    sweep(office)
    assert told(office) == [(task["id"], DUE)]


def test_a_firm_that_cannot_be_asked_keeps_no_other_waiting(office: Office, database: Database) -> None:
    stranger = Office(database, office.files)
    handling = {"notify_staff_ids": [], "notify_assignee": True, "escalate": False, "remind_client": None}
    with use(stranger.context):
        template_id = stranger.template(overdue=handling)
        theirs = [stranger.assign(template_id=template_id, due=fixed(DUE - DAY)) for _ in range(3)]
    task = office.assign(due=fixed(DUE))

    def away(case_ids: list[str]) -> Any:
        raise Unavailable("broker_away")

    office.calls.answers[cases.GET_CASE_FACTS] = away
    assert sweep(office, at_once=2) is False
    assert (told(office), told(stranger)) == ([(task["id"], DUE)], [])
    sweep(stranger, at_once=2)
    sweep(stranger, at_once=2)
    assert {id_ for id_, _ in told(stranger)} == {task["id"] for task in theirs}


def test_a_deadline_that_cannot_be_announced_keeps_no_other_firm_waiting(
    office: Office, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Office(database, office.files)
    with use(stranger.context):
        stranger.assign(due=fixed(DUE - DAY))
    task = office.assign(due=fixed(DUE))
    act = overdue.overdue_actions.act

    def broken(uow: Any, planned: list[Any], now: dt.datetime) -> None:
        if any(of.firm_id == stranger.firm_id for of, _ in planned):
            raise ZeroDivisionError
        act(uow, planned, now)

    monkeypatch.setattr(overdue.overdue_actions, "act", broken)
    with pytest.raises(ZeroDivisionError):
        sweep(office, at_once=1)
    assert (told(office), told(stranger)) == ([(task["id"], DUE)], [])


@pytest.mark.parametrize("one_fails", [False, True])
def test_a_firm_whose_tasks_another_replica_has_keeps_no_other_waiting(
    office: Office, database: Database, monkeypatch: pytest.MonkeyPatch, one_fails: bool
) -> None:
    broken, busy = (Office(database, office.files) for _ in range(2))
    if one_fails:
        with use(broken.context):
            broken.assign(due=fixed(DUE - 2 * DAY))
    with use(busy.context):
        held = busy.assign(due=fixed(DUE - DAY))
    task = office.assign(due=fixed(DUE))
    act = overdue.overdue_actions.act

    def failing(uow: Any, planned: list[Any], now: dt.datetime) -> None:
        if any(of.firm_id == broken.firm_id for of, _ in planned):
            raise Unavailable("broker_away")
        act(uow, planned, now)

    monkeypatch.setattr(overdue.overdue_actions, "act", failing)
    with use(busy.context), busy.db.unit_of_work() as uow:
        locked = uow.session.scalars(select(CaseTask).where(CaseTask.id == held["id"]).with_for_update()).one()
        locked.complete("", answered_by="staff", client_id=None, link_id=None, now=NOW)
        uow.session.flush()
        sweeping = eventlet.spawn(sweep, office, at_once=1)
        until_held_up(office.db, sweeping)
    assert sweeping.wait() is False
    assert (told(office), told(busy)) == ([(task["id"], DUE)], [])


def test_a_task_that_gets_another_assignee_meanwhile_waits_for_the_next_turn(office: Office) -> None:
    handling = {"notify_staff_ids": [], "notify_assignee": True, "escalate": False, "remind_client": None}
    task = office.assign(template_id=office.template(overdue=handling), due=fixed(DUE))
    facts = office.calls.answers[cases.GET_CASE_FACTS]

    def given_away(case_ids: list[str]) -> Any:
        changes = {"assignee_id": office.staff_id}
        assigning.update_case_task(
            office.db, office.calls, NOW, case_task_id=task["id"], changes=changes, expected_version=None
        )
        return facts(case_ids)

    office.calls.answers[cases.GET_CASE_FACTS] = given_away
    sweep(office)
    assert told(office) == []
    office.calls.answers[cases.GET_CASE_FACTS] = facts
    sweep(office)
    (event,) = office.emitted(TASK_OVERDUE)
    assert event["assignee_id"] == office.staff_id


def test_the_timer_tells_what_is_due_whosever_it_is(office: Office, database: Database) -> None:
    task = office.assign(due=fixed(DUE))
    office.service.db = database
    assert office.service.announce_overdue() is False
    assert task["id"] in {event.data["case_task_id"] for event in outbox_events(database, TASK_OVERDUE)}
    assert new_id() not in told(office)
