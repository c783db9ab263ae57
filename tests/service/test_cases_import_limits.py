"""Imports of members who are limited to some types of cases: what they make, change, take back and look at."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.context import Context, use
from chassis.imports import errors
from contracts.cases import IMPORT_REQUESTED
from contracts.errors import NotFound
from services.cases.imports.store import IMPORTS
from tests.service.case_imports_desk import SETTINGS, ImportOffice, office, row
from tests.service.cases_office import refusal

__all__ = ["office"]

HEADER = ["Number", "Name", "Client", "Email", "Type"]


def limited(office: ImportOffice, *case_types: dict[str, Any]) -> Any:
    kinds = tuple(sorted(kind["id"] for kind in case_types))
    return use(Context(firm_id=office.firm_id, actor_id=office.actor_id, actor_kind="staff", sees_only=kinds))


def listed(office: ImportOffice) -> list[str]:
    found = office.service.list_imports()
    assert found["meta"]["total"] == len(found["data"])
    return [entry["id"] for entry in found["data"]]


@pytest.fixture
def types(office: ImportOffice) -> tuple[dict[str, Any], dict[str, Any]]:
    return office.case_type(name="Ours"), office.case_type(name="Theirs")


def test_a_limited_import_makes_and_changes_cases_of_its_types_alone(office: ImportOffice, types: Any) -> None:
    ours, theirs = types
    office.case(ours, number="N1", name="Seen")
    hidden = office.case(theirs, number="N2", name="Hidden")
    rows = [HEADER, [*row(1), ""], [*row(2), ""], [*row(3), "Ours"], [*row(4), "Theirs"], [*row(5), ""]]
    with limited(office, ours):
        made = office.upload(rows)
        previewed = office.service.preview_import(import_id=made["id"], **{**SETTINGS, "duplicates": "update"})
        office.service.run_import(made["id"])
    office.hear("continue_import", IMPORT_REQUESTED, {"import_id": made["id"]})
    found = IMPORTS.get(office.db, made["id"])
    assert (found["state"], found["counts"]) == ("finished", previewed["counts"])
    assert found["counts"] == {"read": 5, "created": 2, "updated": 1, "skipped": 0, "failed": 2}
    assert found["rows"] == previewed["rows"] == [
        {"row": 2, "errors": ["number_taken:number"]}, {"row": 4, "errors": ["unknown_case_type:case_type"]},
    ]  # fmt: skip
    cases = office.by_name()
    assert cases.keys() == {"Case 1", "Hidden", "Case 3", "Case 5"}
    assert {case["case_type_id"] for name, case in cases.items() if name != "Hidden"} == {ours["id"]}
    assert cases["Hidden"] == hidden


def test_an_import_is_there_for_those_who_see_all_that_it_may_be_about(office: ImportOffice, types: Any) -> None:
    ours, theirs = types
    with limited(office, ours):
        mine = office.upload([HEADER, [*row(1), "Ours"]])
    everybodys = office.import_all([HEADER, [*row(2), "Theirs"]])
    service, many = office.service, errors.get_import_errors
    for kinds, hidden in (((ours,), everybodys), ((theirs,), mine), ((theirs,), everybodys)):
        with limited(office, *kinds):
            for call in (
                lambda hidden: service.get_import(hidden["id"]),
                lambda hidden: service.undo_import(hidden["id"]),
                lambda hidden: service.cancel_import(hidden["id"]),
                lambda hidden: service.run_import(hidden["id"]),
                lambda hidden: many(office.db, office.files, IMPORTS, import_id=hidden["id"]),
            ):
                assert refusal(NotFound, call, hidden) == ("import_not_found", [])
    for kinds in ((ours,), (ours, theirs)):
        with limited(office, *kinds):
            assert service.get_import(mine["id"])["id"] == mine["id"]
    for kinds, shown in (((theirs,), []), ((ours,), [mine]), ((ours, theirs), [mine])):
        with limited(office, *kinds):
            assert listed(office) == [entry["id"] for entry in shown]
    assert listed(office) == [everybodys["id"], mine["id"]]
    with limited(office, ours):
        service.preview_import(import_id=mine["id"], **SETTINGS)
        service.run_import(mine["id"])
    office.hear("continue_import", IMPORT_REQUESTED, {"import_id": mine["id"]})
    with limited(office, ours):
        taken_back = office.take_back(mine["id"])
    assert taken_back["undo"]["counts"]["removed"] == 1
    assert office.by_name().keys() == {"Case 2"}
