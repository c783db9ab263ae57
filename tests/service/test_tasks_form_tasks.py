"""The tasks of forms, for the pages behind links to one form or to all that is open."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from contracts.errors import NotFound
from contracts.tasks import LIST_FORM_TASKS
from services.tasks import form_tasks, views
from services.tasks.models import CaseForm, Form, FormVersion
from tests.service import forms_desk
from tests.service.tasks_office import NOW, Office, database, office
from tests.service.test_tasks_drafts import send

__all__ = ["database", "office"]


def form_on(office: Office, case_id: str) -> str:
    form_id, case_form_id = new_id(), new_id()
    with office.db.unit_of_work() as uow:
        uow.session.add(Form(id=form_id, title="Intake"))
        uow.session.flush()
        uow.session.add(FormVersion(form_id=form_id, version=1, content={"sections": []}))
        uow.session.flush()
        uow.session.add(CaseForm(id=case_form_id, case_id=case_id, form_id=form_id, form_version=1, title="Intake"))
    return case_form_id


def test_all_but_what_is_hidden_is_there_in_the_forms_order(office: Office) -> None:
    case_id, template_id = office.cases.open(), office.template()
    case_form_id, other_form_id = form_on(office, case_id), form_on(office, case_id)
    placed = [("C", 1, 0, "to_do"), ("B", 0, 1, "completed"), ("A", 0, 0, "in_progress"), ("D", 1, 1, "skipped")]
    for title, section, position, status in placed:
        task_id = office.assign(case_id, template_id)["id"]
        if status == "completed":
            send(office, task_id, "+12125550123")
        with office.db.unit_of_work() as uow:
            task = views.load_case_task(uow.session, task_id)
            task.case_form_id, task.title, task.status = case_form_id, title, status
            task.section, task.section_position, task.position = f"Part {section}", section, position
    office.assign(case_id, template_id)
    found = form_tasks.list_form_tasks(office.db, NOW, case_form_id)
    assert [task["title"] for task in found["case_tasks"]] == ["A", "B", "C"]
    assert found["case_id"] == case_id
    counts = {entry["section"]: (entry["completed"], entry["total"]) for entry in found["progress"]}
    assert counts == {"Part 0": (1, 2), "Part 1": (0, 1)}
    assert LIST_FORM_TASKS.response().validate(LIST_FORM_TASKS.response().dump(found)) == {}
    assert form_tasks.list_form_tasks(office.db, NOW, other_form_id)["case_tasks"] == []
    for db, id_ in ((office.foreign_db, case_form_id), (office.db, new_id())):
        with pytest.raises(NotFound, match="case_form_not_found"):
            form_tasks.list_form_tasks(db, NOW, id_)


def test_among_what_is_open_a_client_sees_what_they_answered_of_a_form_until_it_is_done(office: Office) -> None:
    case_id, me, other = office.cases.open(), new_id(), new_id()
    names = ("known", "mine", "theirs", "last")
    form = forms_desk.make(office, forms_desk.section("Only", *(forms_desk.task(office, name) for name in names)))
    case_form = forms_desk.assign(office, form, case_id, answers={"known": "Ann"})
    ids = {task.item_key: task.id for task in forms_desk.tasks_of(office, case_form["id"])}
    alone = office.assign(case_id, office.template())["id"]

    def sent(task_id: str, answer: str, client_id: str) -> None:
        send(office, task_id, answer, client_id, calendar=forms_desk.calendar(office))

    sent(alone, "+12125550123", me)
    sent(ids["mine"], "North", me)
    sent(ids["theirs"], "South", other)

    def seen(client_id: str | None) -> list[tuple[str | None, Any]]:
        found = views.list_open_tasks(office.db, NOW, [case_id], client_id)["case_tasks"]
        return [(task["item_key"], task["answer"]) for task in found]

    assert seen(me) == [("known", "Ann"), ("mine", "North"), ("last", None)]
    assert seen(other) == [("known", "Ann"), ("theirs", "South"), ("last", None)]
    assert seen(None) == [("last", None)]
    sent(ids["last"], "East", me)
    assert seen(me) == []
