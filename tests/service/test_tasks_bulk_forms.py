"""Forms in bulk: as one by one, tried before, and what was left out and why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id, utc_now
from contracts.cases import GET_CASE_FACTS, SELECT_CASES
from contracts.errors import Conflict, Invalid, NotFound
from contracts.tasks import BulkAssignment as Wire
from contracts.tasks import Due, LeftOutEntry
from services.tasks import answers, bulk_left_out, bulk_pages, forms
from services.tasks.models import CaseTask
from tests.service.bulk_desk import ALL, begin, left_out, requests, state, work
from tests.service.forms_desk import assign, calendar, intake, make, section, task, tasks_of, when
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

WEEK = {"mode": "relative", "days": 7}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_pages, "PAGE_OF_CASES", 4)
    monkeypatch.setattr("services.tasks.selecting.LARGEST_PAGE", 4)


def full_form(office: Office) -> dict[str, Any]:
    """Tasks that say everything a form can say of them, and some that say nothing."""
    after = {**Due().load(WEEK), "mode": "after_task", "days": 2, "business": True}
    return make(
        office,
        section(
            "About you",
            task(office, "name", template={"required": True}, required=False),
            task(office, "wish", template={"kind": "yes_no"}, due=Due().load({**WEEK, "days": 3, "business": True})),
            task(office, "told", due={**after, "task": "wish", "from_": "due"}, assignee_id=office.staff_id),
            task(office, "done", due={**after, "task": "wish", "from_": "finished"}),
        ),
        section(
            "The will",
            task(office, "where", due={**after, "task": "told", "from_": "due"}),
            task(office, "none", condition=when("where", "nowhere")),
            condition=when("wish", True),
        ),
        section("Last", task(office, "no", condition=when("wish", False)), task(office, "ever")),
        title="In full",
    )


def seen(office: Office, case_id: str) -> list[dict[str, Any]]:
    """A case's tasks as a client or colleague sees them, but for ids and times of their making."""
    differ = {"id", "case_id", "case_form_id", "created_at", "updated_at", "template"}
    of_case = [found for found in tasks_of(office) if found.case_id == case_id]
    keys = {found.id: found.item_key for found in of_case}
    columns = [name for name in CaseTask.__mapper__.column_attrs.keys() if name not in differ]  # noqa: SIM118
    told = []
    for found in of_case:
        values = {name: getattr(found, name) for name in columns}
        values["due_anchor_id"] = keys.get(found.due_anchor_id or "")
        values["due_rule"] = found.due_rule and Due().load(found.due_rule)
        values.pop("assigned_once_key")
        told.append(values)
    return sorted(told, key=lambda values: (values["item_key"] or "", values["title"]))


def test_one_in_bulk_is_as_one_by_one(office: Office) -> None:
    form, second, template_id = full_form(office), intake(office), office.template(required=True)
    in_bulk, one_by_one = office.cases.open(), office.cases.open()
    colleague = office.colleague()
    due = {"mode": "relative", "days": 5, "business": True}
    record = begin(
        office, template_id, selector={"case_ids": [in_bulk]}, due=due, form_ids=[form["id"], second["id"]],
        assignee_id=colleague,
    )  # fmt: skip
    work(office)
    assert (state(office, record)["state"], state(office, record)["added"]) == ("finished", 13)
    given = {"due": Due().load(due), "assignee_id": colleague}
    for each in (form, second):
        assign(office, each, one_by_one, **given)
    office.assign(one_by_one, template_id, **given)
    assert seen(office, in_bulk) == seen(office, one_by_one)
    # They have the same life ahead.
    for case_id in (in_bulk, one_by_one):
        keys = {found.item_key: found.id for found in tasks_of(office) if found.case_id == case_id}
        for key, answer in (("wish", True), ("where", "nowhere"), ("told", "x")):
            answers.submit_answer(
                office.db, office.calls, NOW, case_task_id=keys[key], answer=answer, client_id=None, link_id=None,
                calendar=calendar(office),
            )  # fmt: skip
    assert seen(office, in_bulk) == seen(office, one_by_one)
    assert {found["status"] for found in seen(office, in_bulk)} == {"to_do", "completed", "skipped"}


def test_a_dry_run_says_what_would_be_and_writes_nothing(office: Office) -> None:
    form, template_id = intake(office), office.template()
    with_form, with_task = assign(office, form)["case_id"], office.assign(template_id=template_id)["case_id"]
    for _ in range(9):
        office.cases.open()
    before = len(tasks_of(office))
    tried = begin(office, template_id, form_ids=[form["id"]], dry_run=True)
    assert Wire().validate(Wire().dump(tried)) == {}
    assert (tried["id"], tried["dry_run"], tried["state"]) == (None, True, "finished")
    assert (tried["added"], tried["left_out"]) == (10 * 4 + 10, {"already_assigned": 2})
    of_form = {"case_id": with_form, "template_id": None, "form_id": form["id"], "reason": "already_assigned"}
    of_task = {"case_id": with_task, "template_id": template_id, "form_id": None, "reason": "already_assigned"}
    assert sorted(tried["examples"], key=str) == sorted([of_form, of_task], key=str)
    assert (len(tasks_of(office)), requests(office)) == (before, [])
    record = begin(office, template_id, form_ids=[form["id"]])
    assert record["dry_run"] is False
    work(office)
    done = state(office, record)
    for name in ("added", "left_out", "progress"):
        assert done[name] == tried[name]
    assert sorted(done["examples"], key=str) == sorted(tried["examples"], key=str)
    assert len(tasks_of(office)) == before + done["added"]
    again = begin(office, template_id, form_ids=[form["id"]], dry_run=True)
    assert (again["added"], again["left_out"]) == (0, {"already_assigned": 22})


def test_what_was_left_out_is_listed_by_case(office: Office) -> None:
    form, template_id = intake(office), office.template(title="Sign")
    cases = sorted(office.cases.open() for _ in range(6))
    begin(office, template_id, selector={"case_ids": cases[:3]}, form_ids=[form["id"]])
    work(office)
    archived, pending, excluded = office.cases.open(), office.cases.open(), office.cases.open()
    for case_id, of_case in ((archived, "archived"), (pending, "pending"), (excluded, "archived")):
        office.cases.told[case_id] = {"state": of_case}
    named = {"case_ids": [*cases, archived, pending, excluded], "exclude_case_ids": [excluded]}
    tried = begin(office, template_id, selector=named, form_ids=[form["id"]], dry_run=True)
    record = begin(office, template_id, selector=named, form_ids=[form["id"]])
    assert record["left_out"] == {"case_archived": 1, "case_pending": 1}
    work(office)
    work(office)
    done = state(office, record)
    counts = {"case_archived": 1, "case_pending": 1, "already_assigned": 6}
    assert (done["added"], done["left_out"]) == (tried["added"], tried["left_out"]) == (15, counts)
    there = [
        {"case_id": case_id, "template_id": template, "form_id": of_form, "title": title, "reason": "already_assigned"}
        for case_id in cases[:3]
        for template, of_form, title in ((template_id, None, "Sign"), (None, form["id"], "Intake"))
    ]
    nothing = {"template_id": None, "form_id": None, "title": None}
    there += [{"case_id": archived, "reason": "case_archived", **nothing}]
    there += [{"case_id": pending, "reason": "case_pending", **nothing}]
    found: list[dict[str, Any]] = []
    cursor = None
    while not found or cursor:
        page = left_out(office, record, limit=3, cursor=cursor)
        assert page["meta"]["total"] == 8
        assert all(LeftOutEntry().validate(LeftOutEntry().dump(entry)) == {} for entry in page["data"])
        found += page["data"]
        cursor = page["meta"]["next_cursor"]
    assert [entry["case_id"] for entry in found] == sorted(entry["case_id"] for entry in there)
    without_ids = [{name: value for name, value in entry.items() if name != "id"} for entry in found]
    assert sorted(without_ids, key=str) == sorted(there, key=str)
    only = left_out(office, record, reason="case_archived")["data"]
    assert [entry["case_id"] for entry in only] == [archived]
    with pytest.raises(NotFound, match="bulk_assignment_not_found"):
        bulk_left_out.list_left_out(
            office.foreign_db, bulk_assignment_id=record["id"], reason=None, limit=5, cursor=None, sort=None
        )


def test_cases_that_are_all_selected_are_not_asked_for_one_by_one(office: Office) -> None:
    chosen = [office.cases.open() for _ in range(3)]
    begin(office, office.template(), selector={"case_ids": chosen})
    begin(office, office.template())
    assert office.raw_calls.asked(GET_CASE_FACTS) == []
    begin(office, office.template(), selector={**ALL, "include_case_ids": chosen})
    assert office.raw_calls.asked(GET_CASE_FACTS) == []
    begin(office, office.template(), selector={**ALL, "case_ids": chosen})
    assert office.raw_calls.asked(GET_CASE_FACTS) == [{"case_ids": sorted(chosen)}]


def test_the_list_is_let_go_30_days_after_the_end(office: Office) -> None:
    template_id, archived = office.template(), office.cases.open()
    office.cases.told[archived] = {"state": "archived"}
    office.assign(template_id=template_id)
    record = begin(office, template_id)
    work(office)
    running = begin(office, template_id, selector={"case_ids": [archived]})
    for days, kept in ((29, 1), (31, 0)):
        while bulk_left_out.let_go(office.everywhere, utc_now() + dt.timedelta(days=days)):
            pass
        assert (len(left_out(office, record)["data"]), len(left_out(office, running)["data"])) == (kept, 1)
    assert state(office, record)["left_out"] == {"already_assigned": 1}


def test_what_cannot_be_assigned_in_bulk(office: Office) -> None:
    form, empty, template_id = intake(office), make(office, section("Nothing yet")), office.template()
    office.cases.open()

    def refused(*template_ids: str, **given: Any) -> tuple[str, str]:
        for dry_run in (True, False):
            with pytest.raises(Invalid) as error:
                begin(office, *template_ids, dry_run=dry_run, **given)
        return error.value.code, error.value.fields[0]["field"]

    assert refused() == ("nothing_to_assign", "template_ids")
    assert refused(template_id, form_ids=[empty["id"]]) == ("form_empty", "form_ids")
    assert refused(template_id, assignee_id=new_id()) == ("unknown_staff", "assignee_id")
    assert refused(template_id, assignee_id=office.colleague(active=False)) == ("inactive_staff", "assignee_id")
    after = {"mode": "after_task", "task": "will", "days": 1}
    assert refused(form_ids=[form["id"]], due=after) == ("due_needs_one_case", "due.mode")
    long = section("Long", *(task(office, f"t{number}", template_id=template_id) for number in range(300)))
    forms_ = [make(office, long)["id"] for _ in range(4)]
    assert refused(form_ids=forms_) == ("too_many_tasks", "form_ids")
    with pytest.raises(NotFound, match="form_not_found"):
        begin(office, form_ids=[form["id"], new_id()])
    forms.update_form(
        office.db, office.calls, NOW, form_id=form["id"], changes={"archived": True}, expected_version=None
    )
    with pytest.raises(Conflict, match="form_archived"):
        begin(office, form_ids=[form["id"]])
    assert (tasks_of(office), requests(office)) == ([], [])


def test_progress_counts_all_there_are(office: Office) -> None:
    office.cases.open()
    begin(office, office.template())
    asked = office.calls.asked(SELECT_CASES)[-1]
    assert asked == {"selector": ALL, "limit": 1, "cursor": None, "count_all": True, "to_keep": True}
