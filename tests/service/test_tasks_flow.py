"""What follows from a change of a case's tasks: where tasks depend on one another, once, in the same transaction."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest
from sqlalchemy import select

from chassis.database import UnitOfWork
from contracts.accounts import GET_FIRM
from contracts.errors import NotFound, Unavailable
from services.tasks import flow, views
from services.tasks.case_tasks import CaseTasks
from services.tasks.due_dates import Calendar
from services.tasks.known_cases import lock_case
from services.tasks.models import CaseTask, KnownCase
from tests.service.races import until_held_up
from tests.service.tasks_office import Office, database, office

__all__ = ["database", "office"]

PHONE = "+12125550123"


class Noted:
    """A step that notes what it was given, and puts the first task of the case that is to do in progress."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, list[str]]] = []
        self.calendars: list[Calendar] = []

    def __call__(self, uow: UnitOfWork, tasks: CaseTasks, *, calendar: Calendar, now: dt.datetime) -> None:
        self.seen.append((len(tasks.all), [task.id for task in tasks.changed]))
        self.calendars.append(calendar)
        for task in tasks.all:
            if task.status == "to_do" and task not in tasks.changed:
                task.set_open_status("in_progress")
                tasks.note(task)
                return


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> tuple[Noted, Noted]:
    both = Noted(), Noted()
    monkeypatch.setattr(flow, "STEPS", both)
    return both


def link(office: Office, case_id: str) -> None:
    with office.db.unit_of_work() as uow:
        lock_case(uow, case_id).linked = True


def submit(office: Office, task: dict[str, Any]) -> Any:
    return office.service.submit_answer(case_task_id=task["id"], answer=PHONE, client_id=None, link_id=None)


def statuses(office: Office, *tasks: dict[str, Any]) -> list[str]:
    with office.db.read() as session:
        return [views.load_case_task(session, task["id"]).status for task in tasks]


def test_each_change_of_a_linked_case_runs_the_steps_over_all_its_tasks(
    office: Office, steps: tuple[Noted, Noted]
) -> None:
    case_id, template_id = office.cases.open(), office.template()
    one, two, *_ = tasks = [office.assign(case_id, template_id) for _ in range(4)]
    office.assign(template_id=template_id)
    link(office, case_id)
    first, second = steps

    submit(office, one)
    assert first.seen == [(4, [one["id"]])]
    assert second.seen == [(4, [one["id"], two["id"]])], "a step sees what the one before changed"
    assert statuses(office, *tasks) == ["completed", "in_progress", "in_progress", "to_do"]
    assert str(first.calendars[0].zone) == "America/New_York"

    office.service.reopen_case_task(case_task_id=one["id"], reason="Wrong number.")
    assert first.seen[1:] == [(4, [one["id"]])]
    assert statuses(office, *tasks) == ["to_do", "in_progress", "in_progress", "in_progress"]
    changes = {"status": "to_do"}
    office.service.update_case_task(case_task_id=two["id"], changes=changes, expected_version=None)
    assert first.seen[2:] == [(4, [two["id"]])]


def test_where_no_task_depends_on_another_no_step_runs(office: Office, steps: tuple[Noted, Noted]) -> None:
    task = office.assign()
    submit(office, task)
    assert steps[0].seen == []


def test_a_failing_step_leaves_nothing_half_done(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    task = office.assign()
    link(office, task["case_id"])

    def fail(*about: Any, **more: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(flow, "STEPS", (fail,))
    with pytest.raises(ZeroDivisionError):
        submit(office, task)
    assert statuses(office, task) == ["to_do"]


def test_an_answer_waits_for_accounts_only_where_dates_may_follow(office: Office, steps: tuple[Noted, Noted]) -> None:
    def away() -> Any:
        raise Unavailable("accounts_away")

    office.calls.answers[GET_FIRM] = away
    linked, other = office.assign(), office.assign()
    link(office, linked["case_id"])
    with pytest.raises(Unavailable, match="calendar_unavailable"):
        submit(office, linked)
    assert statuses(office, linked) == ["to_do"]
    assert submit(office, other)["status"] == "completed"


def test_a_case_nothing_was_heard_of_has_its_tasks_answered(office: Office) -> None:
    task = office.assign()
    with office.db.unit_of_work() as uow:
        uow.session.delete(lock_case(uow, task["case_id"]))
    assert submit(office, task)["status"] == "completed"
    with office.db.read() as session:
        case = session.scalars(select(KnownCase).where(KnownCase.case_id == task["case_id"])).one()
    assert case.version == 0
    with pytest.raises(NotFound, match="case_task_not_found"):
        submit(office, {"id": task["case_id"]})


def test_two_changes_of_a_case_wait_for_each_other(office: Office) -> None:
    case_id, template_id = office.cases.open(), office.template()
    one, two = office.assign(case_id, template_id), office.assign(case_id, template_id)
    with office.db.unit_of_work() as uow:
        flow.lock_task(uow, one["id"])
        thread = eventlet.spawn(submit, office, two)
        until_held_up(office.db, thread)
        assert not thread.dead
        other = uow.session.scalars(select(CaseTask).where(CaseTask.id == two["id"])).one()
        assert other.status == "to_do"
    assert thread.wait()["status"] == "completed"
