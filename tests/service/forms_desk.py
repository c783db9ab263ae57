"""Forms for the tests of tasks: made of templates as they are needed, and assigned to cases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from services.tasks import case_forms, forms, views
from services.tasks.due_dates import Calendar
from services.tasks.models import CaseTask
from tests.service.tasks_office import NOW, Office


def task(office: Office, key: str, **given: Any) -> dict[str, Any]:
    """A task of a form, with a template of its own unless one is named; `template` are that one's facts."""
    facts = {"title": key.title(), "kind": "short_text", **given.pop("template", {})}
    nothing = {"required": None, "condition": None, "due": None, "assignee_id": None}
    template_id = given.pop("template_id", None) or office.template(**facts)
    return {"key": key, "template_id": template_id, **nothing, **given}


def section(title: str, *tasks: dict[str, Any], condition: Any = None) -> dict[str, Any]:
    return {"title": title, "condition": condition, "tasks": list(tasks)}


def when(key: str, value: Any) -> dict[str, Any]:
    """A condition: the answer to another task is this."""
    return {"field": f"answers.{key}", "op": "eq", "value": value}


def make(office: Office, *sections: dict[str, Any], title: str = "Intake") -> dict[str, Any]:
    return forms.create_form(office.db, office.calls, NOW, title=title, description=None, sections=list(sections))


def intake(office: Office) -> dict[str, Any]:
    """Two sections; the second asks only those who have a will, and one task of it only those who know where it is."""
    return make(
        office,
        section(
            "About you",
            task(office, "phone", template={"kind": "phone", "mapping": {"target": "client", "field": "phone"}}),
            task(office, "will", template={"kind": "yes_no", "required": True}),
        ),
        section(
            "The will",
            task(office, "known", template={"kind": "yes_no"}),
            task(office, "place", condition=when("known", True)),
            condition=when("will", True),
        ),
    )


def calendar(office: Office) -> Calendar:
    """The firm's."""
    found = office.service.firms.get(office.firm_id, office.calls)
    assert found is not None
    return found


def assign(office: Office, form: dict[str, Any], case_id: str | None = None, **given: Any) -> dict[str, Any]:
    command = {"answers": {}, "due": None, "assignee_id": None, "start": None, **given}
    return case_forms.assign_form(
        office.db,
        office.calls,
        command.pop("now", NOW),
        case_id=case_id or office.cases.open(),
        form_id=form["id"],
        calendar=calendar(office),
        **command,
    )


def tasks_of(office: Office, case_form_id: str | None = None) -> list[CaseTask]:
    """All case tasks, or those of a case's form, in order."""
    ordered = select(CaseTask).order_by(
        CaseTask.case_id, CaseTask.case_form_id, CaseTask.section_position, CaseTask.position
    )
    with office.db.read() as session:
        if case_form_id is not None:
            ordered = ordered.where(CaseTask.case_form_id == case_form_id)
        return list(session.scalars(ordered))


def statuses(office: Office, case_form_id: str) -> dict[str, str]:
    """Of the tasks of a case's form, by key."""
    return {str(found.item_key): found.status for found in tasks_of(office, case_form_id)}


def listed(office: Office, case_id: str) -> list[dict[str, Any]]:
    """The case's forms."""
    page = case_forms.list_case_forms(office.db, office.calls, case_id=case_id, limit=50, cursor=None, sort=None)
    data: list[dict[str, Any]] = page["data"]
    return data


def open_keys(office: Office, case_id: str) -> list[str]:
    """What is open on a case, in the order in which a client sees it."""
    return [found["item_key"] for found in views.list_open_tasks(office.db, NOW, [case_id])["case_tasks"]]
