"""Bulk assignments and runs of rules whose event no longer comes: asked for again, by whom nothing is doubled."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import eventlet
import pytest
from sqlalchemy import func, select

from chassis import asking_again
from chassis.asking_again import LONGEST, PATIENCE
from chassis.columns import utc_now
from chassis.context import use
from chassis.testing import deliver, outbox_events, received
from contracts import cases
from contracts.errors import Unavailable, invalid_field
from contracts.tasks import AUTOMATION_REQUESTED, BULK_ASSIGNMENT_FINISHED, STAFF_NOTICE_REQUESTED
from services.tasks import bulk_assigning, bulk_pages
from services.tasks.automation import running, runs
from services.tasks.models import BulkAssignment, CaseTask
from tests.service.automation_desk import Desk, desk
from tests.service.bulk_desk import begin, requests, state, work
from tests.service.failing_firms import fail_for
from tests.service.tasks_office import NOW, Office, database, office
from tests.service.test_tasks_automation_runs import completed, logged

__all__ = ["database", "desk", "office"]

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_pages, "PAGE_OF_CASES", 4)


def away(**_: Any) -> Any:
    raise Unavailable("service_unavailable")


def ask_for_all(office: Office) -> None:
    """Also for what other tests left."""
    while bulk_pages.ask_for_running(office.everywhere, NOW + PATIENCE):
        pass


def tasks_per_case(office: Office) -> list[int]:
    counted = select(func.count()).select_from(CaseTask).group_by(CaseTask.case_id, CaseTask.template_id)
    with office.db.read() as session:
        return list(session.scalars(counted))


def test_a_bulk_assignment_goes_on_when_its_event_was_parked(office: Office) -> None:
    for _ in range(10):
        office.cases.open()
    record = begin(office, office.template())
    (parked,) = requests(office)
    whole = office.raw_calls.answers[cases.SELECT_CASES]
    pages = iter([whole, away])
    office.raw_calls.answers[cases.SELECT_CASES] = lambda **asked: next(pages)(**asked)
    with pytest.raises(Unavailable):
        work(office, parked)
    assert state(office, record)["progress"]["done"] == 4
    moved = state(office, record)["updated_at"]
    bulk_pages.ask_for_running(office.everywhere, moved + PATIENCE - MINUTE)
    assert len(requests(office)) == 1, "an event that is tried again still is"
    bulk_pages.ask_for_running(office.everywhere, moved + PATIENCE)
    bulk_pages.ask_for_running(office.everywhere, moved + PATIENCE)
    _, again = requests(office)
    assert again.data == parked.data
    office.raw_calls.answers[cases.SELECT_CASES] = whole
    work(office, again)
    # An operator who replays what was parked does no harm.
    work(office, parked, parked, again)
    done = state(office, record)
    assert (done["state"], done["progress"], done["added"], done["left_out"]) == (
        "finished", {"done": 10, "total": 10}, 10, {},
    )  # fmt: skip
    assert tasks_per_case(office) == [1] * 10
    bulk_pages.ask_for_running(office.everywhere, utc_now() + 10 * LONGEST)
    assert len(requests(office)) == 2
    assert len(office.emitted(BULK_ASSIGNMENT_FINISHED)) == 1


@pytest.mark.parametrize("before", [{"earlier": 1}, {"attempt": 2}])
def test_an_event_that_came_before_does_one_small_page_and_asks_for_the_rest(
    office: Office, monkeypatch: pytest.MonkeyPatch, before: dict[str, int]
) -> None:
    """So what is killed, or fails, again and again meets an event of its own each time it got on: none is parked."""
    monkeypatch.setattr(bulk_pages, "PAGE_OF_CASES", 20)
    for _ in range(10):
        office.cases.open()
    record = begin(office, office.template())
    (event,) = requests(office)
    work(office, replace(event, **before))
    assert (state(office, record)["state"], state(office, record)["progress"]["done"]) == ("running", 2)
    _, following = requests(office)
    work(office, following)
    assert (state(office, record)["state"], tasks_per_case(office)) == ("finished", [1] * 10)


def test_one_that_never_gets_on_is_asked_for_ever_more_seldom(office: Office) -> None:
    office.cases.open()
    begin(office, office.template())
    asked = []
    for minutes in range(150):
        before = len(requests(office))
        bulk_pages.ask_for_running(office.everywhere, NOW + minutes * MINUTE)
        asked += [minutes] * (len(requests(office)) - before)
    assert asked == [10, 20, 40, 70, 100, 130]


def test_one_that_was_cancelled_is_asked_for_no_more(office: Office) -> None:
    record = begin(office, office.template())
    bulk_assigning.cancel_bulk_assignment(office.db, NOW, record["id"])
    bulk_pages.ask_for_running(office.everywhere, NOW + LONGEST)
    assert len(requests(office)) == 1


@pytest.mark.parametrize("failure", [Unavailable("keys_away"), ZeroDivisionError()])
def test_a_firm_that_cannot_be_asked_for_keeps_no_other_waiting(
    office: Office, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(asking_again, "_AT_ONCE", 1)
    broken = Office(office.everywhere, office.files)
    begin(broken, broken.template(), now=NOW - MINUTE)
    for _ in range(2):
        begin(office, office.template())
    fail_for(monkeypatch, broken.firm_id, failure)
    with pytest.raises(type(failure)):
        ask_for_all(office)
    assert (len(requests(broken)), len(requests(office))) == (1, 4)


def test_firms_that_fail_or_are_at_work_keep_no_other_waiting(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """And are not looked at over and over: the round ends."""
    if office.everywhere.engines.is_sqlite:
        pytest.skip("one writes at a time")
    monkeypatch.setattr(asking_again, "_AT_ONCE", 1)
    broken, busy = (Office(office.everywhere, office.files) for _ in range(2))
    begin(broken, broken.template(), now=NOW - 2 * MINUTE)
    held = begin(busy, busy.template(), now=NOW - MINUTE)
    begin(office, office.template())
    with busy.db.unit_of_work() as uow:
        bulk_assigning.load(uow.session, held["id"], lock=True)
        fail_for(monkeypatch, broken.firm_id, ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            eventlet.spawn(ask_for_all, office).wait()
    assert [len(requests(one)) for one in (broken, busy, office)] == [1, 1, 2]


def test_one_whose_page_is_at_work_is_not_asked_for(office: Office) -> None:
    if office.everywhere.engines.is_sqlite:
        pytest.skip("one writes at a time")
    record = begin(office, office.template())
    with office.db.unit_of_work() as uow:
        bulk_assigning.load(uow.session, record["id"], lock=True)
        eventlet.spawn(bulk_pages.ask_for_running, office.everywhere, NOW + PATIENCE).wait()
    assert len(requests(office)) == 1


def test_two_who_go_on_at_once_assign_everything_once(office: Office) -> None:
    """As many at once as asked for it, each by an event of its own, and let in wherever one waits."""
    for _ in range(42):
        office.cases.open()
    record = begin(office, office.template(), office.template())
    bulk_pages.ask_for_running(office.everywhere, NOW + PATIENCE)
    bulk_pages.ask_for_running(office.everywhere, NOW + 2 * PATIENCE)
    events = requests(office)
    assert len({event.id for event in events}) == 3
    whole = office.raw_calls.answers[cases.SELECT_CASES]

    def slowly(**asked: Any) -> Any:
        page = whole(**asked)
        eventlet.sleep(0)
        return page

    office.raw_calls.answers[cases.SELECT_CASES] = slowly

    def go_on(event: Any) -> None:
        with use(office.context):
            work(office, event)

    for thread in [eventlet.spawn(go_on, event) for event in events]:
        thread.wait()
    done = state(office, record)
    assert (done["state"], done["progress"], done["added"], done["left_out"]) == (
        "finished", {"done": 42, "total": 42}, 84, {},
    )  # fmt: skip
    assert tasks_per_case(office) == [1] * 84
    assert len(office.emitted(BULK_ASSIGNMENT_FINISHED)) == 1
    with office.db.read() as session:
        assert session.scalars(select(BulkAssignment)).one().ask_at is None


def test_runs_of_rules_end_when_their_event_was_parked(desk: Desk) -> None:
    case_ids, template_id = [desk.cases.open() for _ in range(3)], desk.template()
    desk.rule({"kind": "assign_task", "template_id": template_id}, desk.tell())
    deliver(desk.service, "follow_completed_tasks", *(completed(desk, case_id) for case_id in case_ids))
    parked = asked_for(desk)
    desk.calls.answers[cases.SELECT_CASES] = away
    with pytest.raises(Unavailable):
        deliver(desk.service, "run_automations", *parked)
    begun = max(run["created_at"] for run in desk.runs())
    runs.ask_for_waiting(desk.everywhere, begun + PATIENCE - MINUTE)
    assert len(asked_for(desk)) == len(parked)
    runs.ask_for_waiting(desk.everywhere, begun + PATIENCE)
    (again,) = asked_for(desk)[len(parked) :]
    assert sorted(again.data["automation_run_ids"]) == sorted(run["id"] for run in desk.runs())
    desk.calls.answers[cases.SELECT_CASES] = desk.select
    deliver(desk.service, "run_automations", again)
    deliver(desk.service, "run_automations", *parked, again)
    assert logged(desk) == [("done", None)] * 3
    assert len(desk.emitted(STAFF_NOTICE_REQUESTED)) == 3
    assert tasks_per_case(desk) == [1] * 3
    emitted = outbox_events(desk.everywhere, STAFF_NOTICE_REQUESTED)
    chains = {found.correlation_id for found in emitted if found.firm_id == desk.firm_id}
    assert chains == {run["chain_id"] for run in desk.runs()}, "each goes on in its own"
    runs.ask_for_waiting(desk.everywhere, begun + 10 * LONGEST)
    assert len(asked_for(desk)) == len(parked) + 1


def test_runs_of_more_cases_than_are_selected_at_once_are_not_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LARGEST_PAGE", 2)
    case_ids = [desk.cases.open() for _ in range(5)]
    desk.case_states[case_ids[3]] = "closed"
    desk.rule(desk.tell(), filter={"field": "state", "op": "eq", "value": "open"})
    deliver(desk.service, "follow_completed_tasks", *(completed(desk, case_id) for case_id in case_ids))

    def two_at_most(limit: int, **asked: Any) -> Any:
        if limit > 2:
            raise invalid_field("limit", "Must be 2 at most.")
        return desk.select(limit=limit, **asked)

    desk.calls.answers[cases.SELECT_CASES] = two_at_most
    deliver(desk.service, "run_automations", *asked_for(desk))
    assert sorted(logged(desk)) == [("done", None)] * 4 + [("filtered", None)]


def asked_for(desk: Desk) -> list[Any]:
    """The events that ask for runs, oldest first."""
    return [
        received(AUTOMATION_REQUESTED, of.data, firm_id=of.firm_id, event_id=of.id, correlation_id=of.correlation_id)
        for of in outbox_events(desk.everywhere, AUTOMATION_REQUESTED)
        if of.firm_id == desk.firm_id
    ]
