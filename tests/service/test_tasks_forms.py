"""Forms: what fits together, their versions, copies, and what is out of use."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.idempotency import AlreadyAnswered, KeyedRequest, answering
from contracts.accounts import GET_STAFF_FACTS
from contracts.errors import Conflict, Invalid, NotFound
from services.tasks import forms, templates
from tests.service.forms_desk import intake, make, section, task, when
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

LATER = NOW + dt.timedelta(hours=1)
PAGE = {"limit": 10, "cursor": None, "sort": None}


def update(office: Office, form_id: str, version: int | None = None, **changes: Any) -> dict[str, Any]:
    return forms.update_form(office.db, office.calls, LATER, form_id=form_id, changes=changes, expected_version=version)


def listed(office: Office, archived: bool = False, **paging: Any) -> list[str]:
    return [form["title"] for form in forms.list_forms(office.db, archived=archived, **{**PAGE, **paging})["data"]]


def test_a_form_is_kept_as_it_was_given(office: Office) -> None:
    fixed = {"mode": "fixed", "at": NOW, "days": None, "business": False}
    first = section("First", task(office, "name", required=True, due=fixed, assignee_id=office.staff_id))
    made = make(office, first, section("Second", task(office, "age"), condition=when("name", "Ann")))
    assert forms.get_form(office.db, made["id"]) == made
    assert made["sections"][0]["title"] == "First"
    kept = made["sections"][0]["tasks"][0]
    assert (kept["key"], kept["required"], kept["assignee_id"]) == ("name", True, office.staff_id)
    assert (kept["due"]["mode"], kept["due"]["at"]) == ("fixed", NOW)
    assert made["sections"][1]["condition"] == when("name", "Ann")
    assert (made["version"], made["archived"], made["description"]) == (1, False, None)


def wrong_forms(office: Office) -> dict[str, tuple[list[dict[str, Any]], str, str]]:
    """By what is wrong: the sections, the code, and the place."""
    archived = office.template()
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=archived, changes={"archived": True}, expected_version=None
    )
    gone = new_id()
    office.staff[gone] = False
    a, b = task(office, "a"), task(office, "b")
    return {
        "blank section": ([section(" ", a)], "invalid_input", "sections.0.title"),
        "key twice": ([section("A", a), section("B", b, {**b, "key": "a"})], "duplicate_key", "sections.0.tasks.0.key"),
        "too many": (
            [section("A", *({**a, "key": f"k{number}"} for number in range(301)))], "too_many_tasks", "sections"
        ),
        "template unknown": (
            [section("A", a), section("B", b, task(office, "c", template_id=new_id()))],
            "template_not_found", "sections.1.tasks.1.template_id",
        ),
        "template archived": (
            [section("A", task(office, "c", template_id=archived))], "template_archived",
            "sections.0.tasks.0.template_id",
        ),
        "staff unknown": (
            [section("A", {**a, "assignee_id": new_id()})], "unknown_staff", "sections.0.tasks.0.assignee_id"
        ),
        "staff left": ([section("A", {**a, "assignee_id": gone})], "inactive_staff", "sections.0.tasks.0.assignee_id"),
        "later task": (
            [section("A", {**a, "condition": when("b", "x")}, b)], "condition_on_later_task",
            "sections.0.tasks.0.condition.field",
        ),
        "own section": (
            [section("A", a, b, condition=when("a", "x"))], "condition_on_later_task", "sections.0.condition.field"
        ),
        "unknown key": (
            [section("A", a, {**b, "condition": when("z", "x")})], "invalid_filter",
            "sections.0.tasks.1.condition.field",
        ),
        "due after nothing": (
            [section("A", {**a, "due": {"mode": "after_task", "days": 1, "task": "z"}})], "unknown_due_task",
            "sections.0.tasks.0.due.task",
        ),
        "due round": (
            [
                section("A", {**a, "due": {"mode": "after_task", "days": 1, "task": "b"}}),
                section("B", {**b, "due": {"mode": "after_task", "days": 1, "task": "a"}}),
            ],
            "due_cycle", "sections.0.tasks.0.due.task",
        ),
        "due lacks days": (
            [section("A", {**a, "due": {"mode": "relative", "days": None, "at": None}})], "incomplete_due_rule",
            "sections.0.tasks.0.due.days",
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    "what",
    [
        "blank section", "key twice", "too many", "template unknown", "template archived", "staff unknown",
        "staff left", "later task", "own section", "unknown key", "due lacks days", "due after nothing", "due round",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place_and_nothing_is_kept(office: Office, what: str) -> None:
    sections, code, place = wrong_forms(office)[what]
    with pytest.raises(Invalid) as refused:
        make(office, *sections)
    assert (refused.value.code, refused.value.fields[0]["field"]) == (code, place)
    whole = make(office, section("A", task(office, "a")))
    with pytest.raises(Invalid) as refused:
        update(office, whole["id"], sections=sections)
    assert (refused.value.code, refused.value.fields[0]["field"]) == (code, place)
    assert listed(office) == ["Intake"]
    assert forms.get_form(office.db, whole["id"])["version"] == 1


def test_all_places_of_a_key_that_is_there_twice_are_named(office: Office) -> None:
    a = task(office, "a")
    with pytest.raises(Invalid) as refused:
        make(office, section("A", a, task(office, "b")), section("B", a))
    assert [entry["field"] for entry in refused.value.fields] == ["sections.0.tasks.0.key", "sections.1.tasks.0.key"]


def test_a_change_makes_a_version_and_the_ones_before_stay(office: Office) -> None:
    made = intake(office)
    renamed = update(office, made["id"], 1, title="Intake of 2027")
    assert (renamed["version"], renamed["title"], renamed["sections"]) == (2, "Intake of 2027", made["sections"])
    shorter = update(office, made["id"], sections=made["sections"][:1])
    assert (shorter["version"], len(shorter["sections"]), shorter["title"]) == (3, 1, "Intake of 2027")
    assert forms.get_form(office.db, made["id"], 1) == made
    assert forms.get_form(office.db, made["id"], 2) == renamed
    assert forms.get_form(office.db, made["id"]) == shorter
    first = forms.list_form_versions(office.db, form_id=made["id"], limit=2, cursor=None, sort=None)
    rest = forms.list_form_versions(
        office.db, form_id=made["id"], limit=2, cursor=first["meta"]["next_cursor"], sort=None
    )
    assert [(entry["version"], entry["title"], entry["tasks"]) for entry in first["data"] + rest["data"]] == [
        (3, "Intake of 2027", 2), (2, "Intake of 2027", 4), (1, "Intake", 4),
    ]  # fmt: skip
    assert (first["meta"]["total"], rest["meta"]["next_cursor"], rest["data"][0]["created_at"]) == (3, None, NOW)
    with pytest.raises(NotFound, match="form_version_not_found"):
        forms.get_form(office.db, made["id"], 4)
    with pytest.raises(Invalid, match="invalid_sort"):
        forms.list_form_versions(office.db, form_id=made["id"], limit=2, cursor=None, sort="title")


def test_what_changes_nothing_is_no_version(office: Office) -> None:
    made = intake(office)
    assert update(office, made["id"], title="Intake", sections=made["sections"]) == made
    assert update(office, made["id"], archived=False)["version"] == 1


def test_a_stale_version_is_refused(office: Office) -> None:
    made = intake(office)
    update(office, made["id"], 1, title="Second")
    with pytest.raises(Conflict, match="stale_version"):
        update(office, made["id"], 1, title="Third")
    assert forms.get_form(office.db, made["id"])["title"] == "Second"


def test_a_change_while_another_is_being_checked_is_not_overwritten(office: Office) -> None:
    made = make(office, section("A", task(office, "a")))
    told = office.calls.answers[GET_STAFF_FACTS]

    def overtaken(staff_ids: list[str]) -> Any:
        update(office, made["id"], title="Faster")
        return told(staff_ids)

    office.calls.answers[GET_STAFF_FACTS] = overtaken
    with pytest.raises(Conflict, match="stale_version"):
        update(office, made["id"], sections=[section("A", task(office, "a", assignee_id=office.staff_id))])
    assert forms.get_form(office.db, made["id"])["title"] == "Faster"


def test_a_template_or_colleague_that_left_since_may_stay_where_it_is(office: Office) -> None:
    colleague = new_id()
    office.staff[colleague] = True
    made = make(office, section("A", task(office, "a", assignee_id=colleague)))
    template_id = made["sections"][0]["tasks"][0]["template_id"]
    templates.update_template(
        office.db, office.calls, NOW, task_template_id=template_id, changes={"archived": True}, expected_version=None
    )
    office.staff[colleague] = False
    asked = len(office.calls.asked(GET_STAFF_FACTS))
    longer = [*made["sections"], section("B", task(office, "b"))]
    assert update(office, made["id"], sections=longer)["version"] == 2
    assert len(office.calls.asked(GET_STAFF_FACTS)) == asked, "nobody new is named"


def test_a_copy_has_the_same_keys_and_a_life_of_its_own(office: Office) -> None:
    made = intake(office)
    copied = forms.copy_form(office.db, LATER, form_id=made["id"], title="Intake, short")
    assert (copied["sections"], copied["version"], copied["title"]) == (made["sections"], 1, "Intake, short")
    assert copied["id"] != made["id"]
    update(office, copied["id"], sections=made["sections"][:1])
    assert forms.get_form(office.db, made["id"]) == made
    with pytest.raises(NotFound, match="form_not_found"):
        forms.copy_form(office.db, LATER, form_id=new_id(), title="x")
    with pytest.raises(Invalid):
        forms.copy_form(office.db, LATER, form_id=made["id"], title=" ")


def test_an_archived_form_is_listed_apart_and_can_come_back(office: Office) -> None:
    for title in ("Probate", "Closing", "Adoption"):
        make(office, title=title)
    made = make(office, title="Old")
    gone = update(office, made["id"], archived=True)
    assert (gone["archived"], gone["version"]) == (True, 2)
    assert (listed(office), listed(office, archived=True)) == (["Adoption", "Closing", "Probate"], ["Old"])
    facts = forms.get_form_facts(office.db, [made["id"], new_id()])["forms"]
    assert facts == [{"form_id": made["id"], "title": "Old", "version": 2, "archived": True}]
    update(office, made["id"], archived=False)
    assert listed(office, sort="created_at") == ["Probate", "Closing", "Adoption", "Old"]


def test_a_repeated_request_makes_one_form(office: Office) -> None:
    request = KeyedRequest("create_form", new_id(), "0" * 64, lambda answer: {"id": answer["id"]})
    with answering(request):
        made = make(office)
    with answering(request), pytest.raises(AlreadyAnswered) as again:
        make(office)
    assert again.value.answer == {"id": made["id"]}
    assert listed(office) == ["Intake"]


def test_another_firm_sees_and_changes_nothing(office: Office) -> None:
    made = intake(office)
    with pytest.raises(NotFound, match="form_not_found"):
        forms.get_form(office.foreign_db, made["id"])
    with pytest.raises(NotFound, match="form_not_found"):
        forms.get_form(office.foreign_db, made["id"], 1)
    with pytest.raises(NotFound, match="form_not_found"):
        forms.list_form_versions(office.foreign_db, form_id=made["id"], **PAGE)
    with pytest.raises(NotFound, match="form_not_found"):
        forms.copy_form(office.foreign_db, NOW, form_id=made["id"], title="x")
    with pytest.raises(NotFound, match="form_not_found"):
        forms.update_form(office.foreign_db, office.calls, NOW, form_id=made["id"], changes={}, expected_version=None)
    assert forms.list_forms(office.foreign_db, archived=False, **PAGE)["data"] == []
    assert forms.get_form_facts(office.foreign_db, [made["id"]]) == {"forms": []}
    with pytest.raises(Invalid, match="template_not_found"):
        forms.create_form(
            office.foreign_db, office.calls, NOW, title="x", description=None, sections=made["sections"][:1]
        )
