"""Assigning one task to one case, its due date, and changes of an assigned task."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.idempotency import AlreadyAnswered, KeyedRequest, answering
from contracts.accounts import GET_FIRM
from contracts.errors import Conflict, Invalid, NotFound
from contracts.tasks import TASKS_ASSIGNED
from services.tasks import answers, assigning, templates, views
from services.tasks.models import CaseTaskChange
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

END_OF_TODAY = dt.datetime(2026, 11, 22, 4, 59, 59, tzinfo=dt.UTC)


def update(office: Office, case_task_id: str, version: int | None = None, **changes: Any) -> dict[str, Any]:
    return assigning.update_case_task(
        office.db,
        office.calls,
        NOW + dt.timedelta(days=2),
        case_task_id=case_task_id,
        changes=changes,
        expected_version=version,
    )


def relative(days: int, business: bool = False) -> dict[str, Any]:
    return {"mode": "relative", "days": days, "business": business, "at": None}


def test_a_case_task_is_a_copy_of_its_template_as_it_was(office: Office) -> None:
    template_id = office.template(title="Court", kind="one_choice", options=["north"], required=True)
    task = office.assign(template_id=template_id, assignee_id=office.staff_id)
    templates.update_template(
        office.db,
        office.calls,
        NOW,
        task_template_id=template_id,
        changes={"title": "Which court", "options": ["south"], "mapping": {"target": "case", "field": "court"}},
        expected_version=None,
    )
    kept = views.get_case_task(office.db, NOW, task["id"])
    assert (kept["title"], kept["options"], kept["required"]) == ("Court", ["north"], True)
    assert (kept["status"], kept["assignee_id"], kept["answer_version"]) == ("to_do", office.staff_id, 0)
    assert kept["mapping"] == {"target": "case", "field": "court"}, "the mapping alone is the template's as it is now"
    assert office.emitted(TASKS_ASSIGNED) == [
        {"case_task_ids": [task["id"]], "case_ids": [task["case_id"]], "template_id": template_id}
    ]


def test_a_template_can_be_assigned_to_a_case_a_second_time(office: Office) -> None:
    case_id, template_id = office.cases.open(), office.template()
    assert office.assign(case_id, template_id)["id"] != office.assign(case_id, template_id)["id"]


@pytest.mark.parametrize(
    ("due", "due_at"),
    [
        (None, None),
        ({"mode": "fixed", "at": NOW, "days": None}, NOW),
        (relative(0), END_OF_TODAY),
        (relative(7), END_OF_TODAY + dt.timedelta(days=7)),
        # Monday to Wednesday, the holiday left out, Friday
        (relative(4, business=True), END_OF_TODAY + dt.timedelta(days=6)),
    ],
)
def test_a_due_date_follows_the_firms_calendar(office: Office, due: Any, due_at: dt.datetime | None) -> None:
    task = office.assign(due=due)
    assert views.get_case_task(office.db, NOW, task["id"])["due_at"] == due_at
    assert bool(office.calls.asked(GET_FIRM)) == (due is not None and due["mode"] == "relative")


def test_what_is_not_the_firms_cannot_be_assigned(office: Office) -> None:
    template_id = office.template()
    with pytest.raises(NotFound, match="case_not_found"):
        office.assign(new_id(), template_id)
    with pytest.raises(NotFound, match="task_template_not_found"):
        office.assign(office.cases.open(), new_id())
    with pytest.raises(NotFound, match="staff_not_found"):
        office.assign(office.cases.open(), template_id, assignee_id=new_id())
    office.staff[office.staff_id] = False
    with pytest.raises(Invalid, match="staff_inactive"):
        office.assign(office.cases.open(), template_id, assignee_id=office.staff_id)
    with pytest.raises(Invalid, match="incomplete_due_rule"):
        office.assign(due={"mode": "relative", "days": None, "at": None})
    assert office.emitted(TASKS_ASSIGNED) == []


def test_a_repeated_request_adds_one_task(office: Office) -> None:
    case_id, template_id = office.cases.open(), office.template()
    request = KeyedRequest("assign_task", new_id(), "0" * 64, lambda answer: {"id": answer["id"]})
    with answering(request):
        first = office.assign(case_id, template_id)
    with answering(request), pytest.raises(AlreadyAnswered) as again:
        office.assign(case_id, template_id)
    assert again.value.answer == {"id": first["id"]}
    assert len(office.emitted(TASKS_ASSIGNED)) == 1


def test_a_moved_due_date_counts_from_the_assignment_and_is_kept_as_history(office: Office) -> None:
    task = office.assign(due=relative(0))
    moved = update(office, task["id"], due=relative(3), status="in_progress", assignee_id=office.staff_id)
    assert moved["due_at"] == END_OF_TODAY + dt.timedelta(days=3)
    assert (moved["status"], moved["assignee_id"], moved["version"]) == ("in_progress", office.staff_id, 2)
    assert update(office, task["id"], due=None)["due_at"] is None
    with office.db.read() as session:
        changes = session.scalars(select(CaseTaskChange).order_by(CaseTaskChange.id)).all()
    assert [(change.kind, change.facts, change.actor_id) for change in changes] == [
        ("due_changed", {"from": "2026-11-22T04:59:59Z", "to": "2026-11-25T04:59:59Z"}, office.staff_id),
        ("due_changed", {"from": "2026-11-25T04:59:59Z", "to": None}, office.staff_id),
    ]


def test_two_changes_of_one_version_are_one_too_many(office: Office) -> None:
    task = office.assign()
    update(office, task["id"], 1, status="in_progress")
    with pytest.raises(Conflict, match="stale_version"):
        update(office, task["id"], 1, status="to_do")
    assert views.get_case_task(office.db, NOW, task["id"])["status"] == "in_progress"


def test_only_an_open_task_is_started_by_hand(office: Office) -> None:
    task = office.assign()
    answers.submit_answer(
        office.db, office.calls, NOW, case_task_id=task["id"], answer="", client_id=None, link_id=None
    )
    with pytest.raises(Conflict, match="task_not_open"):
        update(office, task["id"], status="in_progress")
    with pytest.raises(NotFound, match="case_task_not_found"):
        assigning.update_case_task(
            office.foreign_db, office.calls, NOW, case_task_id=task["id"], changes={}, expected_version=None
        )
