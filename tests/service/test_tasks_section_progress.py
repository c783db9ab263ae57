"""How far the sections of cases are, for the client's page."""

from __future__ import annotations

from services.tasks import form_tasks, views
from tests.service import forms_desk
from tests.service.tasks_office import NOW, Office, database, office
from tests.service.test_tasks_drafts import send

__all__ = ["database", "office"]


def test_each_section_counts_what_is_done_of_what_is_not_hidden(office: Office) -> None:
    one, other, untold = (office.cases.open() for _ in range(3))
    template_id = office.template()
    placed = [(one, "About you", "completed"), (one, "About you", "to_do"), (one, "About you", "skipped"),
              (one, "Your house", "skipped"), (one, None, "completed"), (other, "About you", "in_progress"),
              (untold, "About you", "to_do")]  # fmt: skip
    for case_id, section, status in placed:
        task_id = office.assign(case_id, template_id)["id"]
        if status == "completed":
            send(office, task_id, "+12125550123")
        with office.db.unit_of_work() as uow:
            task = views.load_case_task(uow.session, task_id)
            task.section, task.status = section, status
    found = views.list_open_tasks(office.db, NOW, [one, other])
    assert len(found["case_tasks"]) == 2
    said = {(entry["case_id"], entry["section"]): (entry["completed"], entry["total"]) for entry in found["progress"]}
    assert said == {(one, "About you"): (1, 2), (one, None): (1, 1), (other, "About you"): (0, 1)}
    assert len(found["progress"]) == 3
    assert views.list_open_tasks(office.foreign_db, NOW, [one])["progress"] == []


def test_two_sections_of_one_title_are_told_apart_by_their_place(office: Office) -> None:
    parts = [[forms_desk.task(office, key) for key in keys] for keys in (("name", "born"), ("other",))]
    form = forms_desk.make(office, *(forms_desk.section("About you", *part) for part in parts))
    case_form = forms_desk.assign(office, form)
    first = forms_desk.tasks_of(office, case_form["id"])[0].id
    send(office, first, "Ann", calendar=forms_desk.calendar(office))
    found = form_tasks.list_form_tasks(office.db, NOW, case_form["id"])
    assert [(task["section"], task["section_position"]) for task in found["case_tasks"]] == [
        ("About you", 0), ("About you", 0), ("About you", 1)
    ]  # fmt: skip
    counts = {entry["section_position"]: (entry["completed"], entry["total"]) for entry in found["progress"]}
    assert counts == {0: (1, 2), 1: (0, 1)}
    alone = office.assign(case_form["case_id"])
    progress = views.list_open_tasks(office.db, NOW, [case_form["case_id"]])["progress"]
    assert (alone["section_position"], {entry["section_position"] for entry in progress}) == (None, {None, 0, 1})
