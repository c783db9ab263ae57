"""cases: an import taken back, and what is left of one. Every event is delivered twice."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.imports import keeping
from contracts.cases import CASE_IMPORT_UNDONE, CASES_IMPORTED, IMPORT_REQUESTED
from contracts.errors import Conflict, Unavailable
from contracts.importing import Import
from contracts.tasks import TASKS_ASSIGNED
from services.cases.data_exports import export_client_data
from services.cases.imports import lists, previewing, undo
from services.cases.imports.store import IMPORTS
from services.cases.models import CaseImport, CaseImportChange, CaseImportClient
from tests.service.case_imports_desk import HEADER, ImportOffice, counts, office, row, small_chunks
from tests.service.cases_office import events, refusal
from tests.service.merges import Merge
from tests.service.one_database import on_one_database
from tests.service.test_cases_erasing import erase

__all__ = ["office", "small_chunks"]


def undone(found: dict[str, Any]) -> tuple[int, int, int, int]:
    """removed, restored, conflicts, gone"""
    assert Import().validate(Import().dump(found)) == {}
    return tuple(found["undo"]["counts"][name] for name in ("removed", "restored", "conflicts", "gone"))


def test_cases_that_it_made_go_with_their_clients_and_can_come_again(office: ImportOffice, small_chunks: None) -> None:
    office.case_type()
    known = office.person(email="kin@x.org")
    rows = [
        HEADER,
        *(row(number) for number in range(4)),
        row(5, Email="kin@x.org"),
        row(6, Number="", Email="a1@x.org"),
    ]
    found = office.import_all(rows)
    assert (counts(found), found["clients_created"]) == ((6, 0, 0, 0), 4)
    assert undone(office.take_back(found["id"])) == (6, 0, 0, 0)
    assert office.by_name() == {}
    given_back = [client_id for event in events(office, CASE_IMPORT_UNDONE) for client_id in event["client_ids"]]
    assert sorted(given_back) == sorted(id_ for id_ in office.people if id_ != known)
    assert all(case["archived"] for event in events(office, CASES_IMPORTED)[2:] for case in event["cases"])
    assert refusal(Conflict, office.service.undo_import, found["id"])[0] == "import_undone"
    # The same file can be taken in again, under the same numbers.
    assert counts(office.import_all(rows)) == (6, 0, 0, 0)
    assert {"N0", "N1", "N2", "N3", "N5"} < {case["number"] for case in office.by_name().values()}


def test_cases_that_were_changed_or_have_tasks_stay(office: ImportOffice) -> None:
    office.case_type()
    found = office.import_all([HEADER, *(row(number) for number in range(3))])
    by_name = office.by_name()
    changed, with_tasks = by_name["Case 1"]["id"], by_name["Case 2"]["id"]
    office.service.update_case(changed, {"description": "Ours now"}, None)
    assigned = {"case_ids": [with_tasks], "case_task_ids": [new_id()], "template_id": new_id()}
    office.hear("record_assigned_tasks", TASKS_ASSIGNED, assigned)
    back = office.take_back(found["id"])
    assert undone(back) == (1, 0, 2, 0)
    assert {entry["case_id"]: entry["kept"] for entry in back["undo"]["conflicts"]} == {
        changed: ["id"], with_tasks: ["tasks"],
    }  # fmt: skip
    assert set(office.by_name()) == {"Case 1", "Case 2"}
    [told] = events(office, CASE_IMPORT_UNDONE)
    assert told["client_ids"] == [by_name["Case 0"]["clients"][0]["client_id"]]


def test_cases_that_it_changed_get_their_earlier_values_as_far_as_nobody_changed_them_since(
    office: ImportOffice,
) -> None:
    fields = [{"key": "diagnosis", "label": "Diagnosis", "type": "text", "sensitive": True},
              {"key": "heirs", "label": "Heirs", "type": "number"}]  # fmt: skip
    kind = office.case_type(custom_fields=fields)
    person, other, staff = office.person(email="a@x.org"), office.person(email="b@x.org"), office.colleague("Ann Poe")
    before = {
        number: office.case(
            kind, number=number, name=number, source="web", value=Decimal("5.00"), clients=[{"client_id": person}],
            key_dates=[{"label": "Hearing", "day": dt.date(2026, 1, 2)}],
            custom_fields={"diagnosis": "colds", "heirs": 2},
        )
        for number in ("N1", "N2")
    }  # fmt: skip
    header = [
        "Number",
        "Name",
        "Status",
        "Source",
        "Value",
        "Responsible",
        "key_dates.Hearing",
        "Diagnosis",
        "Heirs",
        "Email",
    ]
    rows = [
        [number, "New", "Closed", "friend", "7", "Ann Poe", "2026-03-04", "quimbyism", "3", "b@x.org"]
        for number in before
    ]
    found = office.import_all([header, *rows], duplicates="update")
    assert counts(found) == (0, 2, 0, 0)
    after = office.service.get_case(before["N1"]["id"])
    assert (after["status"], after["responsible_staff_id"], after["clients"][0]["client_id"]) == (
        "Closed",
        staff,
        other,
    )
    with office.db.read() as session:
        assert not any("quimbyism" in values for values in session.scalars(select(CaseImportChange.values)))
    office.service.update_case(before["N2"]["id"], {"source": "ours", "custom_fields": {"heirs": 9}}, None)
    back = office.take_back(found["id"])
    assert undone(back) == (0, 1, 1, 0)
    assert back["undo"]["conflicts"] == [{"case_id": before["N2"]["id"], "kept": ["custom_fields.heirs", "source"]}]
    first, second = (office.service.get_case(before[number]["id"]) for number in ("N1", "N2"))
    stamps = ("version", "updated_at")
    assert {**first, **{name: before["N1"][name] for name in stamps}} == before["N1"]
    assert (second["source"], second["custom_fields"], second["name"]) == (
        "ours",
        {"diagnosis": "colds", "heirs": 9},
        "N2",
    )
    told = events(office, CASES_IMPORTED)[-1]["cases"]
    assert {case["previous_status"] for case in told} == {"Closed"}


@pytest.mark.parametrize("since", ["merged", "erased"])
def test_whom_a_case_gets_back_was_merged_or_erased_since(office: ImportOffice, since: str) -> None:
    kind = office.case_type()
    person, other = office.person(email="a@x.org"), office.person(email="b@x.org")
    case = office.case(
        kind, number="N1", name="N1", clients=[{"client_id": person, "role": "primary", "label": None}]
    )  # fmt: skip
    found = office.import_all([["Number", "Email"], ["N1", "b@x.org"]], duplicates="update")
    assert [entry["client_id"] for entry in office.service.get_case(case["id"])["clients"]] == [other]
    survivor = new_id()
    if since == "merged":
        Merge(office.service, office.firm_id, survivor, person).told()
        assert undone(office.take_back(found["id"])) == (0, 1, 0, 0)
    else:
        erase(office, person)
        assert undone(office.take_back(found["id"])) == (0, 0, 1, 0)
    (entry,) = office.service.get_case(case["id"])["clients"]
    assert entry["client_id"] == (survivor if since == "merged" else other)


def test_what_another_case_has_taken_since_stays_and_all_else_is_given_back(office: ImportOffice) -> None:
    fields = [{"key": "court", "label": "Court", "type": "choice", "options": ["A", "B"]}]
    kind = office.case_type(custom_fields=fields)
    clients = [{"client_id": office.person(email="a@x.org")}]
    given = {"clients": clients, "external_source": "old", "external_source_id": "1", "custom_fields": {"court": "A"}}
    case = office.case(kind, number="N1", name="One", source="web", **given)
    header = ["Number", "External id", "External source", "Name", "Source", "Court"]
    found = office.import_all([header, ["N7", "1", "old", "Uno", "friend", "B"]], duplicates="update")
    assert counts(found) == (0, 1, 0, 0)
    office.case(kind, number="N1", name="Another", clients=clients)
    without = [{**fields[0], "options": ["B"]}]
    office.service.update_case_type(kind["id"], {"custom_fields": without}, None)
    back = office.take_back(found["id"])
    assert undone(back) == (0, 0, 1, 0)
    assert back["undo"]["conflicts"] == [{"case_id": case["id"], "kept": ["custom_fields.court", "number"]}]
    now = office.service.get_case(case["id"])
    assert (now["number"], now["name"], now["source"]) == ("N7", "One", "web")


def person_in(client_id: str, name: str = "", **more: list[str]) -> dict[str, Any]:
    return {"client_id": client_id, "name": name, "numbers": [], "emails": [], "ids": [], **more}


@on_one_database
def test_a_list_goes_with_the_first_who_is_erased_of_it(office: ImportOffice, small_chunks: None) -> None:
    office.case_type()
    done = office.import_all([HEADER, row(1), row(2)])
    office.error_file(done["id"])
    waiting = office.upload([HEADER, row(3, Client="Zerelda Oxenfree")])
    other = office.upload([HEADER, row(4)])
    running = office.start([HEADER, row(5), row(6)])
    sought = [person_in(new_id(), emails=["A1@x.org"]), person_in(new_id(), "Oxenfree, Zerelda"),
              person_in(new_id(), emails=["a5@x.org"])]  # fmt: skip
    # One that is taken in reads its list to the end.
    asked = {"people": sought, "after": None}
    assert refusal(Unavailable, office.service.forget_lists, **asked)[0] == "import_running"
    office.hear("continue_import", IMPORT_REQUESTED, {"import_id": running["id"]})
    # A call looks at lists for some time, and says where to go on.
    after, calls = None, 0
    while (
        after := lists.forget_lists(office.db, office.files, people=sought, after=after, budget=0)["after"]
    ) is not None:
        calls += 1
    assert (calls, office.service.forget_lists(**asked)) == (4, {"after": None})
    left = [*office.files.keys("uploads"), *office.files.keys("imports")]
    with office.db.read() as session:
        assert left == [session.scalars(select(CaseImport.file_key).where(CaseImport.id == other["id"])).one()]
    states = [IMPORTS.get(office.db, made["id"])["state"] for made in (done, waiting, other, running)]
    assert states == ["finished", "cancelled", "uploaded", "finished"]


@pytest.mark.parametrize("state", ["uploaded", "running"])
def test_nor_is_a_list_taken_from_another_import_of_it(office: ImportOffice, state: str) -> None:
    office.case_type()
    first = office.import_all([HEADER, row(1)])
    with office.db.read() as session:
        key = session.scalars(select(CaseImport.file_key)).one()
    other = previewing.create_import(office.db, office.files, file_key=key, filename="cases.csv")
    with office.db.unit_of_work() as uow:
        IMPORTS.find(uow.session, other["id"]).state = state
    asked = {"people": [person_in(new_id(), emails=["A1@x.org"])], "after": None}
    if state == "running":
        assert refusal(Unavailable, office.service.forget_lists, **asked)[0] == "import_running"
        assert office.files.exists(key)
        return
    office.service.forget_lists(**asked)
    assert not office.files.exists(key)
    states = [IMPORTS.get(office.db, made["id"])["state"] for made in (first, other)]
    assert states == ["finished", "cancelled"]


def handed_out(office: ImportOffice, client_id: str) -> list[tuple[str, Any]]:
    entries = export_client_data(office.db, client_id=client_id)["entries"]
    return [(e["kind"], e["data"].get("values")) for e in entries if e["kind"].startswith("import_")]


def test_of_each_import_that_changed_a_case_its_own_values_are_handed_out(office: ImportOffice) -> None:
    kind = office.case_type()
    known = office.person(email="kin@x.org")
    office.case(kind, number="N1", name="Old", clients=[{"client_id": known}])
    for name in ("Wurlitzer", "Steinway"):
        office.import_all([HEADER, ["N1", name, "", "kin@x.org"]], duplicates="update")
    names = [("Old", "Wurlitzer"), ("Wurlitzer", "Steinway")]
    assert handed_out(office, known) == [("import_change", {"name": pair}) for pair in names]


def test_what_an_import_keeps_of_a_client_is_handed_out_and_forgotten(office: ImportOffice) -> None:
    kind = office.case_type()
    known = office.person(email="kin@x.org")
    office.case(kind, number="N1", name="Old", clients=[{"client_id": known}])
    found = office.import_all([HEADER, ["N1", "Wurlitzer", "", "kin@x.org"], row(2, Client="Ann")], duplicates="update")
    made = next(id_ for id_ in office.people if id_ != known)
    assert handed_out(office, known) == [("import_change", {"name": ("Old", "Wurlitzer")})]
    assert handed_out(office, made) == [("import_change", None), ("import_client", None)]
    erase(office, known, made)
    with office.db.read() as session:
        assert set(session.scalars(select(CaseImportChange.values))) == {None}
        assert session.scalars(select(CaseImportClient.client_id)).all() == []
    assert undone(office.take_back(found["id"])) in {(0, 1, 1, 0), (1, 1, 0, 0)}


@on_one_database
def test_files_and_earlier_values_go_after_thirty_days(office: ImportOffice) -> None:
    office.case(office.case_type(), number="N1", name="Old")
    found = office.import_all([HEADER, row(1), row(2)], duplicates="update")
    days = dt.timedelta(days=31)
    office.service.empty_imports()
    assert list(office.files.keys("uploads")) != []
    keeping.empty_due(office.db, office.files, IMPORTS, utc_now() + days)
    assert list(office.files.keys("uploads")) == []
    with office.db.read() as session:
        assert set(session.scalars(select(CaseImportChange.values))) == {None}
    with pytest.raises(Conflict, match="import_too_old"):
        undo.undo_import(office.db, utc_now() + days, import_id=found["id"])


@on_one_database
def test_a_list_of_cases_that_no_import_names_goes_after_a_day(office: ImportOffice) -> None:
    keys = [
        f"imports/{target}/{office.db.firm_id}/{name}"
        for target, name in (("cases", "a"), ("clients", "a"), ("cases", "b"))
    ]
    two_days_ago = (utc_now() - dt.timedelta(days=2)).timestamp()
    for key in keys:
        office.files.put(key, b"x")
    for key in keys[:2]:
        os.utime(office.files._path(key), (two_days_ago, two_days_ago))
    office.service.tidy_left_lists()
    assert sorted(office.files.keys("imports")) == sorted(keys[1:])
