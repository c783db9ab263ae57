"""What follows a deadline that has passed: who is told, who is reminded, and what is written down where nobody is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts.errors import Invalid
from contracts.messaging import SAVE_CONTENT
from contracts.tasks import (
    BULK_ASSIGNMENT_REQUESTED,
    NOTIFICATION_REQUESTED,
    STAFF_NOTICE_REQUESTED,
    BulkAssign,
    CreateTaskTemplate,
    OverdueHandling,
)
from services.tasks import bulk_assigning, history, overdue, templates
from services.tasks.models import CaseTask, NotificationChunk, NotificationRequest
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

DUE = NOW - dt.timedelta(days=2)
FIXED = {"mode": "fixed", "at": DUE, "days": None}
WORDS = {"body": "Please: {{ task.link }}"}
REMINDER = {"channels": ["sms", "email"], "fallback": True, "message": WORDS}


def handling(**given: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = OverdueHandling().load(given)
    return loaded


def late(office: Office, *, assignee_id: str | None = None, case_id: str | None = None, **given: Any) -> dict[str, Any]:
    """A task whose time has passed, with a template that says what is to be done then."""
    template_id = office.template(overdue=handling(**given))
    return office.assign(case_id, template_id, due=FIXED, assignee_id=assignee_id)


def sweep(office: Office) -> None:
    overdue.announce_due(office.everywhere, office.calls, NOW)


def outcomes(office: Office, task: dict[str, Any]) -> dict[str, str]:
    (entry,) = history.list_case_task_changes(office.db, case_task_id=task["id"], limit=9, cursor=None, sort=None)[
        "data"
    ]
    found: dict[str, str] = entry["facts"]["outcomes"]
    return found


def notices(office: Office) -> list[tuple[str, list[str]]]:
    return [(data["kind"], data["staff_ids"]) for data in office.emitted(STAFF_NOTICE_REQUESTED)]


def test_those_who_are_named_and_the_assignee_get_one_notice_and_the_supervisor_another(office: Office) -> None:
    boss, bea, gone = office.colleague(), office.colleague(), office.colleague()
    ann = office.colleague(supervisor=boss)
    task = late(office, assignee_id=ann, notify_staff_ids=[bea, ann, gone], notify_assignee=True, escalate=True)
    office.staff[gone] = False
    sweep(office)
    sweep(office)
    assert notices(office) == [("task_overdue", [bea, ann]), ("task_escalated", [boss])]
    told = office.emitted(STAFF_NOTICE_REQUESTED)[0]
    assert (told["title"], told["about"]) == (task["title"], {"case_task_id": task["id"], "case_id": task["case_id"]})
    assert told["once"] == f"task_overdue:{task['id']}:2026-11-19T15:00:00Z"
    assert outcomes(office, task) == {"notify_staff": "done", "notify_assignee": "done", "escalate": "done"}


def test_where_nobody_is_assigned_or_works_here_any_more_the_responsible_is_told(office: Office) -> None:
    boss = office.colleague()
    bob, left = office.colleague(supervisor=boss), office.colleague()
    case_id = office.cases.open()
    office.cases.told[case_id] = {"responsible_staff_id": bob}
    assigned = late(office, case_id=case_id, assignee_id=left, notify_assignee=True, escalate=True)
    free = late(office, case_id=case_id, notify_assignee=True)
    office.staff[left] = False
    sweep(office)
    assert sorted(notices(office)) == [("task_escalated", [boss]), ("task_overdue", [bob]), ("task_overdue", [bob])]
    assert {**outcomes(office, assigned), **outcomes(office, free)} == {"notify_assignee": "done", "escalate": "done"}


def test_what_reaches_nobody_is_written_down(office: Office) -> None:
    gone = office.colleague()
    office.supervisors[office.staff_id] = gone
    case_id = office.cases.open(clients=0)
    given = {"notify_staff_ids": [gone], "escalate": True, "remind_client": REMINDER}
    task = late(office, case_id=case_id, assignee_id=office.staff_id, **given)
    free = late(office, case_id=case_id, notify_assignee=True)
    office.staff[gone] = False
    sweep(office)
    assert outcomes(office, task) == {"notify_staff": "nobody", "escalate": "no_supervisor", "remind_client": "nobody"}
    assert outcomes(office, free) == {"notify_assignee": "nobody"}
    assert notices(office) == office.emitted(NOTIFICATION_REQUESTED) == []


def test_clients_are_reminded_by_requests_like_any_other(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    template_id = office.template(overdue=handling(remind_client=REMINDER))
    tasks = [office.assign(id_, template_id, due=FIXED) for id_ in (case_id, office.cases.open(), office.cases.open())]
    other = late(office, remind_client={**REMINDER, "fallback": False})
    sweep(office)
    sweep(office)
    asked = sorted(office.emitted(NOTIFICATION_REQUESTED), key=lambda data: -data["accepted"])
    assert [(data["accepted"], data["chunk"], data["chunks"]) for data in asked] == [(3, 1, 1), (1, 1, 1)]
    assert {item["case_task_id"]: item["client_ids"] for item in asked[0]["items"]} == {
        task["id"]: office.cases.clients[task["case_id"]] for task in tasks
    }
    assert (asked[0]["channels"], asked[0]["fallback"], asked[0]["statuses"]) == (["sms", "email"], True, ["overdue"])
    assert (asked[0]["requested_by"], asked[0]["allow_repeat"]) == (None, False)
    assert [item["case_task_id"] for item in asked[1]["items"]] == [other["id"]]
    assert office.calls.asked(SAVE_CONTENT)[0] == {
        "message": {"template_id": None, "body": WORDS["body"], "subject": None, "html": None},
        "channels": ["sms", "email"],
    }
    assert len(office.messaging.contents) == 2, "words are kept when the template is saved, not when they are sent"
    with office.db.read() as session:
        assert len(session.scalars(select(NotificationRequest)).all()) == 2
        assert sum(len(chunk.case_task_ids) for chunk in session.scalars(select(NotificationChunk))) == 4


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"state": "closed"}, "case_closed"),
        ({"state": "pending"}, "case_pending"),
        ({"state": "archived"}, "case_archived"),
        (None, "case_gone"),
    ],
)
def test_nothing_is_done_about_a_case_that_is_not_open(
    office: Office, told: dict[str, Any] | None, outcome: str
) -> None:
    everything = {"notify_staff_ids": [office.staff_id], "notify_assignee": True, "escalate": True}
    task = late(office, assignee_id=office.staff_id, remind_client=REMINDER, **everything)
    if told is None:
        del office.cases.clients[task["case_id"]]
    else:
        office.cases.told[task["case_id"]] = told
    sweep(office)
    assert {*outcomes(office, task).values()} == {outcome}
    assert len(outcomes(office, task)) == 4
    assert notices(office) == office.emitted(NOTIFICATION_REQUESTED) == []


def test_a_task_keeps_what_its_template_said_when_it_was_assigned(office: Office) -> None:
    task = late(office, remind_client=REMINDER)
    change(office, task["template_id"], overdue=None)
    with office.db.read() as session:
        kept = session.scalars(select(CaseTask)).one().overdue_handling or {}
    assert kept["remind_client"].keys() == {"channels", "fallback", "content_id"}, "the words are messaging's"
    sweep(office)
    assert outcomes(office, task) == {"remind_client": "done"}


def test_tasks_that_are_assigned_to_many_cases_have_it_too(office: Office) -> None:
    template_id = office.template(overdue=handling(notify_staff_ids=[office.staff_id]))
    wire = {"selector": {"case_ids": [office.cases.open()]}, "template_ids": [template_id]}
    command = BulkAssign().load({**wire, "due": {"mode": "fixed", "at": DUE.isoformat()}})
    bulk_assigning.bulk_assign(office.db, office.calls, office.raw_calls, NOW, **command)
    (request,) = office.emitted(BULK_ASSIGNMENT_REQUESTED)
    event = received(BULK_ASSIGNMENT_REQUESTED, request, firm_id=office.firm_id)
    deliver(office.service, "continue_bulk_assignment", event)
    sweep(office)
    assert notices(office) == [("task_overdue", [office.staff_id])]


def change(office: Office, template_id: str, **changes: Any) -> dict[str, Any]:
    return templates.update_template(
        office.db, office.calls, NOW, task_template_id=template_id, changes=changes, expected_version=None
    )


def test_a_template_shows_what_it_was_given_and_keeps_words_once(office: Office) -> None:
    given = handling(notify_staff_ids=[office.staff_id], remind_client=REMINDER)
    template_id = office.template(overdue=given)
    assert templates.get_template(office.db, template_id)["overdue"] == given
    change(office, template_id, title="Another title")
    change(office, template_id, overdue={**given, "escalate": True})
    assert len(office.messaging.contents) == 1
    reminder = {
        **given["remind_client"],
        "message": {**given["remind_client"]["message"], "body": "Now: {{ task.link }}"},
    }
    changed = change(office, template_id, overdue={**given, "remind_client": reminder})
    assert (changed["overdue"]["remind_client"], len(office.messaging.contents)) == (reminder, 2)
    assert change(office, template_id, overdue=handling())["overdue"] is None


def test_who_has_left_stays_named_until_somebody_names_them_anew(office: Office) -> None:
    gone = office.colleague()
    template_id = office.template(overdue=handling(notify_staff_ids=[gone]))
    office.staff[gone] = False
    assert change(office, template_id, overdue=handling(notify_staff_ids=[gone], escalate=True))["overdue"]["escalate"]
    with pytest.raises(Invalid, match="inactive_staff"):
        office.template(overdue=handling(notify_staff_ids=[gone]))


def test_what_cannot_be_done_is_refused_when_it_is_saved(office: Office) -> None:
    with pytest.raises(Invalid, match="unknown_staff") as refused:
        office.template(overdue=handling(notify_staff_ids=[office.staff_id, new_id()]))
    assert refused.value.fields[0]["field"] == "overdue.notify_staff_ids.1"
    bad = {**REMINDER, "message": {"body": "{{ nobody.knows }}"}}
    with pytest.raises(Invalid, match="unknown_variable") as refused:
        office.template(overdue=handling(remind_client=bad))
    assert refused.value.fields[0]["field"] == "overdue.remind_client.message.body"
    command = {"title": "A", "kind": "phone"}
    for wrong in ({"channels": []}, {"channels": ["fax"]}, {"channels": ["sms"], "message": None}):
        given = {**command, "overdue": {"remind_client": {**REMINDER, **wrong}}}
        assert CreateTaskTemplate().validate(given).keys() == {"overdue"}
    assert CreateTaskTemplate().validate({**command, "overdue": {"notify_staff_ids": [new_id()] * 21}})
