"""With whom a task can be shared, and that it was."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from contracts import cases
from contracts.errors import Conflict, Invalid, NotFound
from services.tasks import sharing, views
from services.tasks.models import CaseTaskChange
from tests.service.tasks_office import NOW, Office, database, office
from tests.service.test_tasks_drafts import send

__all__ = ["database", "office"]


def check(office: Office, task_id: str, client_id: str | None = None) -> str:
    found = sharing.prepare_sharing(office.db, office.calls, case_task_id=task_id, client_id=client_id)
    assert found["case_task_id"] == task_id
    return str(found["client_id"])


def test_it_is_shared_with_the_primary_client_or_with_another_of_the_case(office: Office) -> None:
    case_id = office.cases.open(clients=2)
    primary, spouse = office.cases.clients[case_id]
    task_id = office.assign(case_id)["id"]
    assert check(office, task_id) == primary
    assert check(office, task_id, spouse) == spouse
    with pytest.raises(Invalid, match="client_not_on_case") as refused:
        check(office, task_id, new_id())
    assert refused.value.fields[0]["field"] == "client_id"
    office.cases.clients[case_id] = []
    with pytest.raises(Invalid, match="case_without_client"):
        check(office, task_id)


def test_only_what_is_open_is_shared_overdue_too(office: Office) -> None:
    due = {"mode": "fixed", "at": NOW - dt.timedelta(days=1), "days": None, "business": False}
    overdue, done, hidden = office.assign(due=due)["id"], office.assign()["id"], office.assign()["id"]
    assert check(office, overdue)
    send(office, done, "+12125550123")
    with office.db.unit_of_work() as uow:
        views.load_case_task(uow.session, hidden).status = "skipped"
    for task_id in (done, hidden):
        with pytest.raises(Conflict, match="task_not_open"):
            check(office, task_id)


def test_a_task_of_an_archived_case_and_of_another_firm_is_not_shared(office: Office) -> None:
    task_id = office.assign()["id"]
    with pytest.raises(NotFound, match="case_task_not_found"):
        sharing.prepare_sharing(office.foreign_db, office.calls, case_task_id=task_id, client_id=None)
    known = office.calls.answers[cases.GET_CASE_FACTS]
    office.calls.answers[cases.GET_CASE_FACTS] = lambda case_ids: {
        "cases": [{**case, "state": "archived"} for case in known(case_ids=case_ids)["cases"]]
    }
    with pytest.raises(Conflict, match="case_archived"):
        check(office, task_id)


def test_what_was_shared_is_in_the_history(office: Office) -> None:
    task = office.assign()
    message_id, link_id = new_id(), new_id()
    for channel, made in (("sms", {"message_id": message_id}), ("copy", {"link_id": link_id})):
        ids = {"message_id": None, "link_id": None, **made}
        told = sharing.record_sharing(office.db, NOW, case_task_id=task["id"], channel=channel, **ids)
        assert told == task
    with office.db.read() as session:
        changes = session.scalars(select(CaseTaskChange).where(CaseTaskChange.case_task_id == task["id"])).all()
    assert {change.kind for change in changes} == {"shared"}
    assert {change.actor_id for change in changes} == {office.staff_id}
    told = {change.facts["channel"]: change.facts for change in changes}
    assert told == {
        "sms": {"channel": "sms", "message_id": message_id}, "copy": {"channel": "copy", "link_id": link_id}
    }  # fmt: skip
    with pytest.raises(NotFound):
        sharing.record_sharing(
            office.foreign_db, NOW, case_task_id=task["id"], channel="copy", message_id=None, link_id=link_id
        )
