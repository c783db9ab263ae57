"""What happened in a case: its own changes, and what other services tell of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.testing import as_owner, deliver, received
from contracts import cases, messaging, tasks
from contracts.base import Event
from contracts.errors import Invalid, NotFound
from services.cases.models import Base, CaseActivity
from tests.service.cases_office import NEWEST, Office, refusal
from tests.service.one_database import on_one_database
from tests.service.plans import plan_of, undisturbed

EARLIER = dt.datetime(2026, 11, 20, 9, 0, tzinfo=dt.UTC)
TASK, CLIENT = new_id(), new_id()


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def hear(office: Office, handler: str, event: Event, data: dict[str, Any]) -> None:
    """Twice, as the bus may."""
    told = received(event, {**event.example, **data}, firm_id=office.firm_id, time=EARLIER)
    deliver(office.service, handler, told)
    deliver(office.service, handler, told)


def activity(office: Office, case_id: str, **query: Any) -> list[dict[str, Any]]:
    wanted = {"kind": [], "since": None, "until": None, **NEWEST, **query}
    page = office.service.list_case_activity(case_id=case_id, **wanted)
    cases.LIST_CASE_ACTIVITY.response().dump(page)
    rows: list[dict[str, Any]] = page["data"]
    return rows


def test_its_own_changes_are_told_with_who_made_them(office: Office) -> None:
    kind = office.case_type()
    case, other = office.case(kind), office.case(kind)
    with office.as_staff():
        office.service.update_case(case["id"], {"status": "Closed", "name": "Oxenfree v. Quimby"}, None)
    office.service.archive_case(case["id"])
    archived, moved, created = activity(office, case["id"])
    assert [entry["kind"] for entry in (archived, moved, created)] == [
        "case.changed.v1", "case.changed.v1", "case.created.v1"
    ]  # fmt: skip
    by = {"actor_kind": "staff", "actor_id": office.actor_id}
    assert created["facts"] == {"changed": [], "status": "New", "state": "open", "archived": False, **by}
    assert moved["facts"] == {
        "changed": ["name", "status"], "status": "Closed", "previous_status": "New", "state": "closed",
        "archived": False, **by,
    }  # fmt: skip
    assert (archived["facts"]["archived"], archived["facts"]["actor_kind"]) == (True, "system")
    assert moved["at"] == office.service.list_status_changes(case["id"], **NEWEST)["data"][0]["at"]
    assert len(activity(office, other["id"])) == 1
    # Names of fields, never what is in them.
    with office.db.read() as session:
        assert "Oxenfree" not in str([row.facts for row in session.scalars(select(CaseActivity))])


@on_one_database
def test_a_change_of_many_cases_is_told_of_each(office: Office) -> None:
    kind = office.case_type()
    made = [office.case(kind) for _ in range(3)]
    statuses = [{"name": "Open", "was": "New", "closed": False}, *kind["statuses"][1:]]
    office.service.update_case_type(kind["id"], {"statuses": statuses}, None)
    for case in made:
        newest = activity(office, case["id"])[0]
        assert (newest["kind"], newest["facts"]["changed"], newest["facts"]["status"]) == (
            "case.changed.v1", ["status"], "Open"
        )  # fmt: skip


@pytest.mark.parametrize(
    ("handler", "event", "data", "facts"),
    [
        ("apply_answers", tasks.TASK_COMPLETED, {"answered_by": "client", "client_id": CLIENT, "mapped": None},
         {"case_task_id": TASK, "answered_by": "client"}),
        ("record_reopened_tasks", tasks.TASK_REOPENED, {}, {"case_task_id": TASK}),
        ("record_overdue_tasks", tasks.TASK_OVERDUE, {"due_at": EARLIER, "assignee_id": None}, {"case_task_id": TASK}),
        ("record_sent_deliveries", messaging.DELIVERY_SENT, {"at": EARLIER, "state": "sent", "client_id": CLIENT},
         {"case_task_id": TASK, "state": "sent"}),
        ("record_failed_deliveries", messaging.DELIVERY_FAILED, {"at": EARLIER, "state": "failed", "reason": "30003"},
         {"case_task_id": TASK, "state": "failed", "reason": "30003"}),
    ],
)  # fmt: skip
def test_what_other_services_tell_is_there_once(
    office: Office, handler: str, event: Event, data: dict[str, Any], facts: dict[str, Any]
) -> None:
    kind = office.case_type()
    case, other = office.case(kind), office.case(kind)
    hear(office, handler, event, {"case_id": case["id"], "case_task_id": TASK, **data})
    entry, created = activity(office, case["id"], sort="at")
    assert (entry["kind"], entry["at"], created["kind"]) == (event.name, EARLIER, "case.created.v1")
    assert facts.items() <= entry["facts"].items()
    assert len(activity(office, other["id"])) == 1
    # Nobody has to be forgotten here.
    with office.db.read() as session:
        assert CLIENT not in str([row.facts for row in session.scalars(select(CaseActivity))])


def test_tasks_that_were_assigned_to_many_cases_are_told_of_each(office: Office) -> None:
    kind = office.case_type()
    first, second, other = (office.case(kind)["id"] for _ in range(3))
    form_id = new_id()
    data = {"case_task_ids": [new_id() for _ in range(4)], "case_ids": [first, second], "form_id": form_id,
            "template_id": None}  # fmt: skip
    hear(office, "record_assigned_tasks", tasks.TASKS_ASSIGNED, data)
    for case_id in (first, second):
        (entry,) = activity(office, case_id, kind=["tasks.assigned.v1"])
        assert entry["facts"] == {"form_id": form_id}
    assert activity(office, other, kind=["tasks.assigned.v1"]) == []


def test_a_message_about_no_case_is_nobodys(office: Office) -> None:
    hear(office, "record_sent_deliveries", messaging.DELIVERY_SENT, {"case_id": None, "at": EARLIER})
    with office.db.read() as session:
        assert session.scalars(select(CaseActivity)).all() == []


def test_it_is_narrowed_by_kind_and_time(office: Office) -> None:
    case_id = office.case(office.case_type())["id"]
    hear(office, "record_reopened_tasks", tasks.TASK_REOPENED, {"case_id": case_id})
    kinds = {"created": ["case.created.v1"], "reopened": ["task.reopened.v1"]}
    assert [entry["kind"] for entry in activity(office, case_id, kind=kinds["reopened"])] == kinds["reopened"]
    assert [entry["kind"] for entry in activity(office, case_id, since=EARLIER + dt.timedelta(1))] == kinds["created"]
    assert [entry["kind"] for entry in activity(office, case_id, until=utc_now() - dt.timedelta(1))] == kinds[
        "reopened"
    ]
    assert activity(office, case_id, until=EARLIER) == []


def test_a_case_of_another_firm_and_a_wrong_order_are_refused(office: Office) -> None:
    case_id = office.case(office.case_type())["id"]
    assert refusal(NotFound, activity, Office(office.db), case_id)[0] == "case_not_found"
    assert refusal(Invalid, activity, office, case_id, sort="kind")[1] == ["sort"]


def test_a_page_is_read_by_its_index(postgres_database: Callable[[], str]) -> None:
    office = Office(undisturbed(Base, postgres_database()))
    kind = office.case_type()
    case_id = office.case(kind)["id"]
    with office.db.unit_of_work() as uow:
        same = {"at": EARLIER, "kind": "task.reopened.v1", "facts": {}}
        uow.insert(CaseActivity, [{**same, "id": new_id(), "case_id": new_id()} for _ in range(3000)])
    with as_owner(office.db) as connection:
        connection.exec_driver_sql("ANALYZE case_activity")
    plan = plan_of(office.db, "SELECT case_activity.", lambda: activity(office, case_id))
    assert "ix_case_activity_case" in plan
    office.db.engines.dispose()
