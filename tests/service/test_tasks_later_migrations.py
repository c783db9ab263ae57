"""What the later migrations of tasks make of the rows there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from chassis.columns import new_id, utc_now
from tests.service.old_rows import OldDatabase, old, versions_postgresql, versions_sqlite

__all__ = ["old", "versions_postgresql", "versions_sqlite"]

Old = Callable[[str, str], OldDatabase]
DAY = dt.timedelta(days=1)


def test_tasks_there_belong_to_no_form_and_passed_deadlines_were_announced(old: Old) -> None:
    database = old("tasks", "0005")
    firm_id, template_id, case_id, other_case_id = (new_id() for _ in range(4))
    staff_id = new_id()
    database.put("task_template", firm_id=firm_id, id=template_id, title="Your name", kind="short_text")

    def put(case_id: str, status: str, due_at: dt.datetime | None, **values: Any) -> str:
        task_id = new_id()
        about = {"case_id": case_id, "template_id": template_id, "title": "Your name", "kind": "short_text"}
        database.put("case_task", firm_id=firm_id, id=task_id, status=status, due_at=due_at, **about, **values)
        return task_id

    passed = put(case_id, "to_do", utc_now() - DAY, assignee_id=staff_id, version=3)
    begun = put(case_id, "in_progress", utc_now() - DAY)
    done = put(case_id, "completed", utc_now() - DAY, answer="Ann")
    coming = put(case_id, "to_do", utc_now() + DAY)
    open_ended = put(other_case_id, "to_do", None)
    database.put("case_task_change", firm_id=firm_id, case_task_id=passed, kind="due_changed", actor_kind="staff")
    before = sorted(database.columns("case_task"))
    kept = database.rows("case_task", *before)

    database.to("0006")
    assert database.rows("case_task", *before) == kept
    found = database.rows("case_task", "id", "due_at", "announced_due_at")
    told = {task_id: (due_at, announced) for task_id, due_at, announced in found}
    assert {task_id for task_id, (_, announced) in told.items() if announced is not None} == {passed, begun}
    assert all(due_at == announced for due_at, announced in told.values() if announced is not None)
    assert {*told} == {passed, begun, done, coming, open_ended}
    nothing = ("case_form_id", "item_key", "condition", "due_anchor_id", "draft", "draft_at", "overdue_handling")
    counted = ("template_version", "section_position", "position", "archived")
    assert {*database.rows("case_task", *nothing, *counted)} == {(*[None] * len(nothing), 1, 0, 0, False)}
    assert database.rows("known_case", "firm_id", "case_id", "version", "state", "archived", "linked") == sorted(
        (firm_id, known, 0, None, False, False) for known in (case_id, other_case_id)
    )

    database.back_to("0005")
    assert sorted(database.columns("case_task")) == before
    assert database.rows("case_task", *before) == kept
    assert [row for (row,) in database.rows("case_task_change", "case_task_id")] == [passed]


def test_answers_there_were_saved_by_nobody_and_are_not_asked_again(old: Old) -> None:
    database = old("tasks", "0006")
    firm_id, template_id, task_id = (new_id() for _ in range(3))
    asked = {"title": "Your name", "kind": "short_text"}
    database.put("task_template", firm_id=firm_id, id=template_id, **asked)
    about = {"case_id": new_id(), "template_id": template_id, "status": "in_progress", "draft": "An", **asked}
    database.put("case_task", firm_id=firm_id, id=task_id, **about)
    before = sorted(database.columns("case_task"))
    kept = database.rows("case_task", *before)
    database.to("0007")
    assert database.rows("case_task", "id", "draft", "draft_client_id", "reopened") == [(task_id, "An", None, None)]
    database.back_to("0006")
    assert sorted(database.columns("case_task")) == before
    assert database.rows("case_task", *before) == kept


def test_templates_there_are_in_use(old: Old) -> None:
    database = old("tasks", "0007")
    firm_id, template_id = new_id(), new_id()
    database.put("task_template", firm_id=firm_id, id=template_id, title="Your name", kind="short_text")
    database.to("0008")
    assert database.rows("task_template", "id", "title", "archived") == [(template_id, "Your name", False)]
    assert "created_at" in database.columns("form_version")
    database.back_to("0007")
    assert database.rows("task_template", "id", "title") == [(template_id, "Your name")]


def test_deadlines_are_announced_once_from_then_on(old: Old) -> None:
    database = old("tasks", "0008")
    firm_id, template_id, task_id = (new_id() for _ in range(3))
    database.put("task_template", firm_id=firm_id, id=template_id, title="Your name", kind="short_text")
    about = {"case_id": new_id(), "template_id": template_id, "title": "Your name", "kind": "short_text"}
    database.put("case_task", firm_id=firm_id, id=task_id, status="to_do", due_at=utc_now(), **about)
    change = {"firm_id": firm_id, "case_task_id": task_id, "actor_kind": "system"}
    for _ in range(2):
        database.put("case_task_change", kind="due_changed", **change)
    database.to("0009")
    assert database.rows("task_template", "id", "overdue_handling") == [(template_id, None)]
    assert database.rows("case_task", "id", "due_counted_from") == [(task_id, None)]
    assert database.rows("case_task_change", "kind", "deadline") == [("due_changed", None)] * 2
    deadline = utc_now()
    database.put("case_task_change", kind="overdue", deadline=deadline, **change)
    with pytest.raises(IntegrityError):
        database.put("case_task_change", kind="overdue", deadline=deadline, **change)
    database.back_to("0008")
    assert {*database.rows("case_task_change", "case_task_id")} == {(task_id,)}


def test_forms_of_cases_there_stay_when_their_indexes_change(old: Old) -> None:
    database = old("tasks", "0013")
    firm_id, form_id, case_id = new_id(), new_id(), new_id()
    database.put("form", firm_id=firm_id, id=form_id, title="Intake", version=1)
    database.put("form_version", firm_id=firm_id, form_id=form_id, version=1)
    about = {"case_id": case_id, "form_id": form_id, "form_version": 1, "title": "Intake"}
    for once in (form_id, None):
        database.put("case_form", firm_id=firm_id, id=new_id(), assigned_once_key=once, **about)
    columns = sorted(database.columns("case_form"))
    kept = database.rows("case_form", *columns)
    database.to("0014")
    assert database.rows("case_form", *columns) == kept
    database.back_to("0013")
    assert database.rows("case_form", *columns) == kept


def test_bulk_assignments_there_stay_and_have_left_out_what_they_counted(old: Old) -> None:
    database = old("tasks", "0014")
    firm_id, record_id = new_id(), new_id()
    copies = [{"template_id": new_id(), "title": "Your name"}]
    about = {"state": "running", "copies": copies, "left_out": {"already_assigned": 2}, "version": 3}
    database.put("bulk_assignment", firm_id=firm_id, id=record_id, **about)
    columns = sorted(database.columns("bulk_assignment"))
    kept = database.rows("bulk_assignment", *columns)
    database.to("0015")
    assert database.rows("bulk_assignment", *columns, "frozen") == [(*row, None) for row in kept]
    database.put("bulk_left_out", firm_id=firm_id, id=new_id(), bulk_assignment_id=record_id, case_id=new_id())
    database.back_to("0014")
    assert database.rows("bulk_assignment", *columns) == kept


def test_tasks_there_stay_when_their_indexes_change(old: Old) -> None:
    database = old("tasks", "0016")
    firm_id, template_id, case_id = new_id(), new_id(), new_id()
    asked = {"title": "Your name", "kind": "short_text"}
    database.put("task_template", firm_id=firm_id, id=template_id, **asked)
    about = {"firm_id": firm_id, "case_id": case_id, "template_id": template_id, "status": "to_do", **asked}
    for once in (template_id, None, None):
        database.put("case_task", id=new_id(), assigned_once_key=once, **about)
    columns = sorted(database.columns("case_task"))
    kept = database.rows("case_task", *columns)
    database.to("0017")
    assert database.rows("case_task", *columns) == kept
    with pytest.raises(IntegrityError):
        database.put("case_task", id=new_id(), assigned_once_key=template_id, **about)
    database.back_to("0016")
    assert database.rows("case_task", *columns) == kept


def test_jobs_there_that_go_on_are_asked_for_again(old: Old) -> None:
    database = old("tasks", "0019")
    firm_id, rule_id = new_id(), new_id()
    database.put("automation_rule", firm_id=firm_id, id=rule_id, name="Rule")
    jobs = {"bulk_assignment": ("running", "finished"), "automation_run": ("waiting", "done")}
    for table, states in jobs.items():
        about = {"automation_rule_id": rule_id} if table == "automation_run" else {}
        for state in states:
            chain = {} if table == "bulk_assignment" else {"chain_id": new_id(), "trigger_event_id": new_id()}
            database.put(table, firm_id=firm_id, id=new_id(), state=state, **about, **chain)
    columns = {table: sorted(database.columns(table)) for table in jobs}
    kept = {table: database.rows(table, *columns[table]) for table in jobs}
    database.to("0020")
    for table, (going, ended) in jobs.items():
        asked = dict(database.rows(table, "state", "ask_at"))
        assert (asked[going] is not None, asked[ended]) == (True, None)
    database.back_to("0019")
    assert {table: database.rows(table, *columns[table]) for table in jobs} == kept


def test_of_tasks_there_nothing_is_filled_in_and_forms_forget_that_it_should_be(old: Old) -> None:
    database = old("tasks", "0020")
    firm_id, template_id, form_id, record_id = (new_id() for _ in range(4))
    asked = {"title": "Your name", "kind": "short_text"}
    database.put("task_template", firm_id=firm_id, id=template_id, **asked)
    database.put("form", firm_id=firm_id, id=form_id, title="Intake")
    about = {"firm_id": firm_id, "case_id": new_id(), "template_id": template_id, "status": "to_do", **asked}
    database.put("case_task", id=new_id(), **about)
    columns = sorted(database.columns("case_task"))
    kept = database.rows("case_task", *columns)
    database.to("0021")
    assert database.rows("case_task", *columns, "prefill") == [(*row, False) for row in kept]

    def content(**task: Any) -> dict[str, Any]:
        return {"title": "Intake", "sections": [{"title": "You", "tasks": [{"key": "name", **task}]}]}

    def frozen(**task: Any) -> dict[str, Any]:
        return {"forms": [{"form_id": form_id, "tasks": [{"item_key": "name", **task}]}], "templates": []}

    for version, task in ((1, {"prefill": True}), (2, {})):
        database.put("form_version", firm_id=firm_id, form_id=form_id, version=version, content=content(**task))
    database.put("bulk_assignment", firm_id=firm_id, id=record_id, state="running", frozen=frozen(prefill=True))
    database.back_to("0020")
    assert database.rows("case_task", *columns) == kept
    assert database.rows("form_version", "version", "content") == [(1, content()), (2, content())]
    assert database.rows("bulk_assignment", "frozen") == [(frozen(),)]


def test_bulk_assignments_there_are_everybodys_and_cases_are_found_by_their_types(old: Old) -> None:
    database = old("tasks", "0022")
    firm_id, record_id = new_id(), new_id()
    database.put("bulk_assignment", firm_id=firm_id, id=record_id, state="running")
    database.put("known_case", firm_id=firm_id, case_id=new_id(), case_type_id=new_id())
    columns = sorted(database.columns("bulk_assignment"))
    kept = database.rows("bulk_assignment", *columns)
    database.to("0023")
    assert database.rows("bulk_assignment", *columns, "sees_only") == [(*row, None) for row in kept]
    database.back_to("0022")
    assert database.rows("bulk_assignment", *columns) == kept
