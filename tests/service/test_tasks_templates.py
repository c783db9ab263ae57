"""Task templates: what fits together, and where an answer may go."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.cases import CHECK_MAPPING
from contracts.errors import Conflict, Invalid, NotFound
from services.tasks import forms, templates
from tests.service import forms_desk
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]

LATER = NOW + dt.timedelta(hours=1)


def create(office: Office, **facts: Any) -> dict[str, Any]:
    return templates.create_template(
        office.db, office.calls, NOW, **{"title": "A question", "kind": "short_text", **facts}
    )


def update(office: Office, template_id: str, version: int | None = None, **changes: Any) -> dict[str, Any]:
    return templates.update_template(
        office.db, office.calls, LATER, task_template_id=template_id, changes=changes, expected_version=version
    )


def test_a_template_is_kept_as_it_was_given(office: Office) -> None:
    made = create(
        office,
        kind="date",
        instructions="As in your passport.",
        required=True,
        checks={"earliest": dt.date(1900, 1, 1), "latest": None},
    )
    assert templates.get_template(office.db, made["id"]) == made
    assert made["checks"] == {"earliest": dt.date(1900, 1, 1)}
    assert (made["version"], made["mapping"], made["options"]) == (1, None, [])


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"title": "  "}, "title"),
        ({"kind": "one_choice"}, "options"),
        ({"kind": "number", "options": ["1"]}, "options"),
        ({"kind": "one_choice", "options": ["Red", "Red"]}, "options"),
        ({"kind": "one_choice", "options": ["Red", " "]}, "options"),
        ({"kind": "number", "checks": {"max_length": 5}}, "checks.max_length"),
        ({"kind": "yes_no", "checks": {"minimum": 1.0}}, "checks.minimum"),
        ({"kind": "number", "checks": {"minimum": 2.0, "maximum": 1.0}}, "checks.minimum"),
        (
            {"kind": "date", "checks": {"earliest": dt.date(2026, 2, 1), "latest": dt.date(2026, 1, 1)}},
            "checks.earliest",
        ),
        ({"kind": "one_choice", "options": ["a"], "checks": {"max_choices": 1}}, "checks.max_choices"),
        (
            {"kind": "several_choices", "options": ["a", "b"], "checks": {"min_choices": 2, "max_choices": 1}},
            "checks.min_choices",
        ),
        ({"kind": "several_choices", "options": ["a"], "checks": {"min_choices": 2}}, "checks.min_choices"),
        ({"kind": "short_text", "checks": {"min_length": 501}}, "checks.min_length"),
        ({"kind": "number", "checks": {"minimum": 1e18}}, "checks.minimum"),
        ({"kind": "number", "checks": {"maximum": -1e18}}, "checks.maximum"),
        ({"kind": "phone", "checks": {"region": "XX"}}, "checks.region"),
        ({"kind": "signature", "checks": {"max_files": 1}}, "checks.max_files"),
        ({"kind": "phone", "checks": {"region": "us"}}, "checks.region"),
        ({"mapping": {"target": "client", "field": "date_of_birth"}}, "mapping.field"),
        ({"kind": "email", "mapping": {"target": "client", "field": "phone"}}, "mapping.field"),
        ({"kind": "phone", "mapping": {"target": "client", "field": "first_name"}}, "mapping.field"),
        ({"mapping": {"target": "case", "field": "judge"}}, "mapping.field"),
        ({"mapping": {"target": "case", "field": "court"}}, "mapping.field"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(office: Office, facts: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        create(office, **facts)
    assert [entry["field"] for entry in refused.value.fields] == [field]
    assert templates.list_templates(office.db, limit=10, cursor=None, sort=None)["data"] == []


@pytest.mark.parametrize(
    ("kind", "target", "field"),
    [
        ("phone", "client", "phone"),
        ("email", "client", "email"),
        ("short_text", "client", "last_name"),
        ("one_choice", "case", "court"),
    ],
)
def test_a_mapping_that_fits_is_kept(office: Office, kind: str, target: str, field: str) -> None:
    options = ["north", "south"] if kind == "one_choice" else []
    mapping = {"target": target, "field": field}
    assert create(office, kind=kind, options=options, mapping=mapping)["mapping"] == mapping
    assert len(office.calls.asked(CHECK_MAPPING)) == (target == "case")


def test_a_change_is_checked_together_with_what_stays(office: Office) -> None:
    made = create(office, kind="phone", mapping={"target": "client", "field": "phone"})
    with pytest.raises(Invalid, match="mapping_kind_mismatch"):
        update(office, made["id"], kind="number")
    changed = update(office, made["id"], kind="number", mapping=None, checks={"minimum": 1.0})
    assert (changed["kind"], changed["mapping"], changed["version"]) == ("number", None, 2)
    assert (changed["created_at"], changed["updated_at"]) == (NOW, LATER)
    assert update(office, made["id"], title="Renamed")["checks"] == {"minimum": 1.0}


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "several_choices", "options": ["a", "b"], "checks": {"min_choices": 1, "max_choices": 2}},
        {"kind": "phone", "checks": {"region": "MX"}},
        {"kind": "file_upload", "checks": {"file_types": ["pdf", "jpg"], "max_files": 20, "max_size": 25 * 2**20}},
    ],
)
def test_limits_of_each_kind_are_kept(office: Office, facts: dict[str, Any]) -> None:
    made = create(office, **facts)
    assert templates.get_template(office.db, made["id"])["checks"] == facts["checks"]


def test_other_options_are_checked_against_the_field_that_they_are_mapped_to(office: Office) -> None:
    made = create(office, kind="one_choice", options=["north"], mapping={"target": "case", "field": "court"})
    asked = len(office.calls.asked(CHECK_MAPPING))
    update(office, made["id"], title="Renamed")
    assert len(office.calls.asked(CHECK_MAPPING)) == asked
    update(office, made["id"], options=["north", "south"])
    assert office.calls.asked(CHECK_MAPPING)[-1] == {
        "field": "court", "question_kind": "one_choice", "options": ["north", "south"]
    }  # fmt: skip


def test_an_archived_template_is_listed_apart_and_can_come_back(office: Office) -> None:
    made = create(office)
    gone = update(office, made["id"], archived=True)
    assert (gone["archived"], gone["version"], gone["title"]) == (True, 2, made["title"])
    page: dict[str, Any] = {"limit": 10, "cursor": None, "sort": None}
    assert templates.list_templates(office.db, **page)["data"] == []
    assert templates.list_templates(office.db, **page, archived=True)["data"] == [gone]
    assert update(office, made["id"], title="Renamed")["archived"], "what is not named stays"
    assert not update(office, made["id"], archived=False)["archived"]


def test_a_copy_is_a_template_of_its_own_in_use(office: Office) -> None:
    mapping = {"target": "client", "field": "phone"}
    made = create(office, kind="phone", mapping=mapping, checks={"region": "MX"}, required=True)
    update(office, made["id"], archived=True)
    copied = templates.copy_template(office.db, LATER, task_template_id=made["id"], title="Your other number")
    own = {"id", "title", "archived", "version", "created_at", "updated_at"}
    assert {name: copied[name] for name in copied.keys() - own} == {name: made[name] for name in made.keys() - own}
    assert (copied["title"], copied["archived"], copied["version"]) == ("Your other number", False, 1)
    assert copied["id"] != made["id"]
    with pytest.raises(NotFound, match="task_template_not_found"):
        templates.copy_template(office.foreign_db, LATER, task_template_id=made["id"], title="x")
    with pytest.raises(Invalid):
        templates.copy_template(office.db, LATER, task_template_id=made["id"], title=" ")


def test_a_stale_version_is_refused(office: Office) -> None:
    made = create(office)
    update(office, made["id"], 1, title="Second")
    with pytest.raises(Conflict, match="stale_version"):
        update(office, made["id"], 1, title="Third")
    assert templates.get_template(office.db, made["id"])["title"] == "Second"


def test_templates_are_listed_by_title_in_pages(office: Office) -> None:
    for title in ("Passport", "Address", "Mobile"):
        create(office, title=title)
    first = templates.list_templates(office.db, limit=2, cursor=None, sort=None)
    rest = templates.list_templates(office.db, limit=2, cursor=first["meta"]["next_cursor"], sort=None)
    assert [entry["title"] for entry in first["data"] + rest["data"]] == ["Address", "Mobile", "Passport"]
    assert (first["meta"]["total"], rest["meta"]["next_cursor"]) == (3, None)
    with pytest.raises(Invalid):
        templates.list_templates(office.db, limit=2, cursor=None, sort="mapping")


def test_another_firm_sees_and_changes_nothing(office: Office) -> None:
    made = create(office)
    with pytest.raises(NotFound, match="task_template_not_found"):
        templates.get_template(office.foreign_db, made["id"])
    with pytest.raises(NotFound, match="task_template_not_found"):
        templates.update_template(
            office.foreign_db, office.calls, NOW, task_template_id=made["id"], changes={}, expected_version=None
        )
    assert templates.list_templates(office.foreign_db, limit=10, cursor=None, sort=None)["data"] == []


# What conditions of forms look at


COLOURS = {"kind": "one_choice", "options": ["Red", "Blue", "Green"]}


def asking(office: Office, *values: Any, **facts: Any) -> tuple[dict[str, Any], str]:
    """A form whose second section wants these answers to a question, one for each of its tasks; and its template."""
    first = forms_desk.task(office, "colour", template={**COLOURS, **facts})
    rest = [
        forms_desk.task(office, f"t{number}", condition=forms_desk.when("colour", value))
        for number, value in enumerate(values)
    ]
    form = forms_desk.make(office, forms_desk.section("A", first), forms_desk.section("B", *rest))
    return form, first["template_id"]


@pytest.mark.parametrize(
    ("changes", "field", "tasks"),
    [
        ({"options": ["Blue", "Green"]}, "options", [0]),
        ({"options": ["Green", "red"]}, "options", [0, 1]),
        ({"kind": "yes_no", "options": []}, "kind", [0, 1]),
    ],
)
def test_what_a_condition_of_a_form_names_stays(
    office: Office, changes: dict[str, Any], field: str, tasks: list[int]
) -> None:
    form, template_id = asking(office, "Red", "Blue")
    other = forms_desk.make(office, *form["sections"])
    before = templates.get_template(office.db, template_id)
    with pytest.raises(Conflict) as refused:
        update(office, template_id, **changes)
    ids = sorted([form["id"], other["id"]])
    assert (refused.value.code, refused.value.meta["form_ids"]) == ("template_in_condition", ", ".join(ids))
    assert [(entry["field"], entry["message"].partition(" needs")[0]) for entry in refused.value.fields] == [
        (field, f"sections.1.tasks.{task}.condition of the form {id_}") for id_ in ids for task in tasks
    ]
    assert templates.get_template(office.db, template_id) == before


def test_what_no_condition_of_a_form_in_use_names_can_go(office: Office) -> None:
    form, template_id = asking(office, "Red")
    assert update(office, template_id, options=["Yellow", "Red"])["options"] == ["Yellow", "Red"]
    assert update(office, template_id, kind="several_choices")["kind"] == "several_choices"
    sections = [form["sections"][0], {**form["sections"][1], "tasks": []}]
    changed = {"form_id": form["id"], "expected_version": None}
    forms.update_form(office.db, office.calls, LATER, changes={"sections": sections}, **changed)
    assert update(office, template_id, options=["Yellow"])["options"] == ["Yellow"], "an earlier version named it"


def test_a_form_that_is_archived_holds_nothing_up_and_is_looked_at_when_it_comes_back(office: Office) -> None:
    form, template_id = asking(office, "Red")

    def change(**changes: Any) -> dict[str, Any]:
        return forms.update_form(
            office.db, office.calls, LATER, form_id=form["id"], changes=changes, expected_version=None
        )

    change(archived=True)
    update(office, template_id, options=["Blue"])
    for coming_back in (
        lambda: change(archived=False),
        lambda: forms.copy_form(office.db, LATER, form_id=form["id"], title="Copy"),
    ):
        with pytest.raises(Invalid, match="invalid_filter") as refused:
            coming_back()
        assert refused.value.fields[0]["field"] == "sections.1.tasks.0.condition.value"
    update(office, template_id, options=["Blue", "Red"])
    assert change(archived=False)["archived"] is False


def test_a_condition_that_fits_no_more_since_long_refuses_no_change(office: Office) -> None:
    _, template_id = asking(office, "Red", "Blue")
    with office.db.unit_of_work() as uow:
        templates.load_template(uow.session, template_id).options = ["Blue", "Green"]
    assert update(office, template_id, options=["Blue"])["options"] == ["Blue"]
    with pytest.raises(Conflict, match="template_in_condition") as refused:
        update(office, template_id, options=["Green"])
    assert [entry["message"].partition(" of ")[0] for entry in refused.value.fields] == ["sections.1.tasks.1.condition"]
