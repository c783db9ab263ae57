"""cases: files of cases taken in. Every event is delivered twice, and every preview says what the run does."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.database import Database
from contracts.accounts import LIST_STAFF
from contracts.cases import CASE_CREATED, CASES_IMPORTED
from contracts.clients import MATCH_PEOPLE
from contracts.errors import Forbidden, Invalid, NotFound
from contracts.importing import Import
from services.cases.activity import list_case_activity
from services.cases.imports.store import IMPORTS
from services.cases.models import Case
from tests.service.case_imports_desk import HEADER, ImportOffice, counts, failures, office, row, small_chunks
from tests.service.cases_office import NEWEST, NOW, PROBATE, events, refusal
from tests.service.one_database import on_one_database

__all__ = ["office", "small_chunks"]

FULL_HEADER = [
    "Case number", "Case name", "Practice area", "Status", "Description", "Responsible attorney", "Staff", "Source",
    "Value", "Open date", "Key dates", "Court", "Heirs", "Estate", "Contested", "Topics", "Hearing", "Client",
    "Email", "Spouse", "Spouse email", "Client 2 role", "External ID",
]  # fmt: skip
FULL = [
    "P-7", "Estate of Quimby", "probate", "in COURT", "Two wills,\none house", "ann@firm.example", "Bob Ray; Lee, Cy",
    "web", "$1,250.5", "1/31/2026", "Appeal 2026-09-01; Mediation: 2026-10-02", "North", "3", "1,000", "yes",
    "tax; will", "02/03/2026", "Zoë Quimby", "zoe@example.org", "Max Quimby", "max@example.org", "spouse", "M-1",
]  # fmt: skip


def test_a_row_becomes_a_case_with_all_that_it_says(office: ImportOffice) -> None:
    office.case_type()
    ann, bob, cy = (
        office.colleague(name, f"{name.split()[0].lower()}@firm.example") for name in ("Ann Poe", "Bob Ray", "Cy Lee")
    )
    made = office.upload([FULL_HEADER, FULL])
    assert set(made["suggested_mapping"]) == set(FULL_HEADER)
    found = office.import_all([FULL_HEADER, FULL, ["", "Second", *[""] * 15, "Zoë", "zoe@example.org", *[""] * 4]])
    assert (counts(found), found["clients_created"], Import().validate(Import().dump(found))) == ((2, 0, 0, 0), 2, {})
    case, second = office.by_name()["Estate of Quimby"], office.by_name()["Second"]
    zoe, max_ = list(office.people)
    assert (case["number"], case["status"], case["state"], case["value"]) == (
        "P-7",
        "In court",
        "open",
        Decimal("1250.50"),
    )
    assert (case["description"], case["source"]) == ("Two wills,\none house", "web")
    assert (case["responsible_staff_id"], case["staff_ids"]) == (ann, [bob, cy])
    assert (case["external_source"], case["external_source_id"]) == ("import", "M-1")
    assert case["clients"] == [
        {"client_id": zoe, "role": "primary", "label": None},
        {"client_id": max_, "role": "additional", "label": "spouse"},
    ]
    assert case["key_dates"] == [
        {"label": "Opened", "day": dt.date(2026, 1, 31)}, {"label": "Appeal", "day": dt.date(2026, 9, 1)},
        {"label": "Mediation", "day": dt.date(2026, 10, 2)},
    ]  # fmt: skip
    appeal = {"field": "key_dates.appeal", "op": "eq", "value": "2026-09-01"}
    assert office.selected(case_filter=appeal) == [case["id"]]
    assert case["custom_fields"] == {
        "court": "north", "heirs": 3, "estate": "1000.00", "contested": True, "topics": ["will", "tax"],
        "hearing": "2026-02-03",
    }  # fmt: skip
    assert (second["number"], second["status"], second["clients"][0]["client_id"]) == ("000001", "New", zoe)
    # One call for the clients of a chunk, in the preview and in the run; one event for its cases, and no other.
    assert len(office.calls.asked(MATCH_PEOPLE)) == 2
    [told] = events(office, CASES_IMPORTED)
    assert [(case["case_id"], case["client_ids"]) for case in told["cases"]] == [
        (one["id"], [client["client_id"] for client in one["clients"]])
        for one in sorted((case, second), key=lambda one: one["id"])
    ]
    assert events(office, CASE_CREATED) == []
    [entered] = office.service.list_status_changes(case["id"], **NEWEST)["data"]
    assert (entered["to_status"], entered["actor_id"]) == ("In court", office.actor_id)
    [entry] = list_case_activity(office.db, case_id=case["id"], **NEWEST)["data"]
    assert (entry["facts"]["import_id"], entry["facts"]["actor_id"]) == (found["id"], office.actor_id)


def test_of_two_types_with_names_alike_the_one_is_meant_that_is_written_so(office: ImportOffice) -> None:
    types = [office.case_type(name=name) for name in ("Notaría", "Notaria")]
    found = office.import_all([[*HEADER, "Type"], [*row(1), "Notaria"], [*row(2), "Notaría"], [*row(3), "NOTARIA"]])
    assert counts(found) == (3, 0, 0, 0)
    cases = office.by_name()
    assert [cases[f"Case {number}"]["case_type_id"] for number in (1, 2, 3)] == [
        types[place]["id"] for place in (1, 0, 0)
    ]


def test_rows_that_fail_come_back_with_what_is_wrong(office: ImportOffice) -> None:
    office.case_type(
        custom_fields=[{**field, "required": field["key"] == "heirs"} for field in PROBATE["custom_fields"]]
    )
    office.case_type(name="Old", archived=True)
    for email in ("a@firm.example", "b@firm.example"):
        office.colleague("Ann Poe", email)
    both = office.person(email="twice@x.org"), office.person(email="twice@x.org")
    assert len(both) == 2
    header = [*HEADER, "Type", "Status", "Responsible", "Value", "Open date", "Court", "Heirs"]
    good = ["", "", "", "", "", "", "1"]
    rows = [
        [*row(1), *good], [*row(2, Name=""), *good], [*row(3, Client="", Email=""), *good],
        [*row(4), "Divorce", *good[1:]], [*row(5), "Old", *good[1:]], [*row(6), "", "Won", *good[2:]],
        [*row(7), "", "", "Ann Poe", *good[3:]], [*row(8), "", "", "Zed", "many", "31/31/2026", *good[5:]],
        [*row(9), *good[:5], "west", "two"], [*row(10), *good[:6], ""], [*row(11, Email="no"), *good],
        [*row(12, Email="twice@x.org"), *good], row(13), [*row(14, Name="x" * 201), *good],
    ]  # fmt: skip
    found = office.import_all([header, *rows], default_values={"case_type": "Probate"})
    assert counts(found) == (1, 0, 0, 13)
    assert failures(found) == [
        ["required:name"], ["required:client"], ["unknown_case_type:case_type"], ["case_type_archived:case_type"],
        ["unknown_status:status"], ["several_staff:responsible_staff"],
        ["unknown_staff:responsible_staff", "invalid_number:value", "invalid_date:key_dates.Opened"],
        ["not_an_option:custom_fields.court", "wrong_type:custom_fields.heirs"], ["required:custom_fields.heirs"],
        ["invalid_email:client.email"], ["several_matches:client"], ["row_too_short:row"], ["too_long:name"],
    ]  # fmt: skip
    kept = office.error_file(found["id"])
    assert (len(kept), kept[0][-1], kept[6][-1]) == (14, "errors", "several_staff: Responsible")
    # For what failed nobody was made.
    assert (found["clients_created"], len(office.people)) == (1, 3)


POLICIES: dict[str, tuple[tuple[int, int, int, int], dict[str, Any]]] = {
    "skip": ((1, 0, 1, 0), {"description": "old", "source": None}),
    "update": ((1, 1, 0, 0), {"description": "new", "source": "web"}),
    "merge": ((1, 1, 0, 0), {"description": "old", "source": "web"}),
    "create": ((1, 0, 0, 1), {"description": "old", "source": None}),
}


@pytest.mark.parametrize("policy", list(POLICIES))
def test_what_becomes_of_a_case_that_is_there_already(office: ImportOffice, policy: str) -> None:
    kind = office.case_type()
    primary, other = office.person(email="a@x.org"), office.person(email="b@x.org")
    known = office.case(
        kind, number="N1", name="Known", description="old", clients=[{"client_id": primary}],
        key_dates=[{"label": "Old", "day": NOW.date()}], custom_fields={"court": "south"},
    )  # fmt: skip
    header = [*HEADER, "Description", "Source", "Client 2", "Client 2 email", "Court", "Contested", "key_dates.New"]
    rows = [
        ["N1", "Known", "", "a@x.org", "new", "web", "", "b@x.org", "north", "no", "2026-05-06"],
        ["N2", "Other", "", "a@x.org", *[""] * 7],
    ]
    header = [{"Client 2 email": "client_2.email"}.get(name, name) for name in header]
    found = office.import_all([header, *rows], duplicates=policy)
    expected, values = POLICIES[policy]
    assert counts(found) == expected
    if policy == "create":
        assert failures(found) == [["number_taken:number"]]
    after = office.by_name()["Known"]
    assert {name: after[name] for name in ("description", "source")} == {
        name: values[name] for name in ("description", "source")
    }
    changed = policy in ("update", "merge")
    assert after["version"] == (2 if changed else 1)
    court = "north" if policy == "update" else "south"
    assert after["custom_fields"] == {"court": court, **({"contested": False} if changed else {})}
    assert [client["client_id"] for client in after["clients"]] == ([primary, other] if changed else [primary])
    assert [date["label"] for date in after["key_dates"]] == (["Old", "New"] if changed else ["Old"])
    told = {case["case_id"]: case["changed"] for event in events(office, CASES_IMPORTED) for case in event["cases"]}
    assert (known["id"] in told) is changed
    # The same file once more changes nothing.
    again = office.import_all([header, *rows], duplicates=policy)
    assert (counts(again)[0], counts(again)[1]) == (0, 0)


def test_the_same_case_twice_in_a_file_is_seen_across_chunks(office: ImportOffice, small_chunks: None) -> None:
    office.case_type()
    rows = [
        row(1), row(2), row(1, Name="Again"), row(3), row(2, Name="Twice"), row(4),
        # By the email address alone: of a client whom an earlier row makes.
        row(5, Client="", Email="a1@x.org"), row(1, Name="Again"),
    ]  # fmt: skip
    assert counts(office.import_all([HEADER, *rows], duplicates="update")) == (5, 2, 1, 0)
    names = {case["number"]: name for name, case in office.by_name().items()}
    assert names == {"N1": "Again", "N2": "Twice", "N3": "Case 3", "N4": "Case 4", "N5": "Case 5"}
    assert len(office.people) == 4
    assert counts(office.import_all([HEADER, row(6), row(6)], duplicates="create")) == (1, 0, 0, 1)
    assert counts(office.import_all([HEADER, row(7), row(8), row(9), row(7)])) == (3, 0, 1, 0)


@on_one_database
def test_an_update_moves_clears_and_refuses(office: ImportOffice) -> None:
    kind, other = office.case_type(), office.case_type(name="Closing", custom_fields=[])
    first, second = office.person(email="a@x.org"), office.person(email="b@x.org")
    moved = office.case(kind, number="N1", name="Moved", source="web", value=Decimal(5), custom_fields={"notes": "x"},
                        clients=[{"client_id": first}])  # fmt: skip
    office.case(other, number="N2", name="Differs")
    shut = office.case(kind, number="N3", name="Shut")
    office.service.archive_case(shut["id"])
    header = ["Number", "Type", "Status", "Source", "Value", "Notes", "Email", "Archived"]
    header[5] = "custom_fields.notes"
    rows = [
        ["N1", "", "closed", "", "", "", "b@x.org", "yes"], ["N2", "Probate", "", "", "", "", "", ""],
        ["N3", "", "", "web", "", "", "", ""],
    ]  # fmt: skip
    found = office.import_all([header, *rows], duplicates="update", clear_empty=True)
    assert failures(found) == [["case_type_differs:case_type"], ["case_archived:row"]]
    after = office.service.get_case(moved["id"])
    assert (after["status"], after["state"], after["source"], after["value"]) == ("Closed", "closed", None, None)
    assert (after["custom_fields"], after["archived_at"] is not None) == ({}, True)
    assert [client["client_id"] for client in after["clients"]] == [second]
    [told] = [case for event in events(office, CASES_IMPORTED) for case in event["cases"]]
    assert (told["previous_status"], told["archived"]) == ("New", True)
    back = office.import_all([["Number", "Archived"], ["N3", "no"]], duplicates="update")
    assert (counts(back), office.by_name()["Shut"]["archived_at"]) == ((0, 1, 0, 0), None)


@on_one_database
def test_which_columns_and_settings_are_refused(office: ImportOffice) -> None:
    office.case_type(custom_fields=[{"key": "secret", "label": "Secret", "type": "text", "sensitive": True}])
    rows = [["Number", "Name", "Secret"], ["1", "A", "x"]]
    assert refusal(Invalid, office.preview, rows, mapping={"Number": "name", "Name": "name"}) == (
        "invalid_mapping", ["mapping.Name"],
    )  # fmt: skip
    for mapping in ({"Other": "name"}, {"Name": "colour"}, {"Name": "custom_fields.none"}):
        assert refusal(Invalid, office.preview, rows, mapping=mapping)[0] == "invalid_mapping"
    assert refusal(Invalid, office.preview, rows, default_values={"colour": "x"}) == (
        "invalid_mapping", ["default_values.colour"],
    )  # fmt: skip
    refused = ("permission_denied", ["mapping.Secret"])
    assert refusal(Forbidden, office.preview, rows, sees=False) == refused
    previewed = office.preview(rows)
    with use(Context(firm_id=office.firm_id, actor_id=office.actor_id, actor_kind="staff", sees_sensitive=False)):
        assert refusal(Forbidden, office.service.run_import, previewed["id"]) == refused
    made, stranger = office.upload(rows), Database(office.db.url, office.db.base, firm_id=new_id())
    assert refusal(NotFound, IMPORTS.get, stranger, made["id"])[0] == "import_not_found"
    assert office.calls.asked(LIST_STAFF) == []


@on_one_database
def test_failed_rows_with_what_is_sensitive_are_for_those_who_may_see_it(office: ImportOffice) -> None:
    kind = office.case_type(custom_fields=[{"key": "secret", "label": "Secret", "type": "text", "sensitive": True}])
    found = office.import_all([["Number", "Name", "Secret", "Value"], ["1", "A", "x", "much"]])
    assert (len(failures(found)), office.error_file(found["id"])[1][:3]) == (1, ["1", "A", "x"])
    opened = office.import_all([["Number", "Name", "Value"], ["1", "A", "much"]])
    office.service.update_case_type(kind["id"], changes={"custom_fields": []}, expected_version=None)
    with use(Context(firm_id=office.firm_id, actor_id=office.actor_id, actor_kind="staff", sees_sensitive=False)):
        for form in ("csv", "xlsx"):
            refused = refusal(Forbidden, office.service.get_import_errors, import_id=found["id"], form=form)
            assert refused == ("permission_denied", ["mapping.Secret"])
        assert office.error_file(opened["id"])[1][:3] == ["1", "A", "much"]


def test_what_is_sensitive_is_sealed(office: ImportOffice) -> None:
    office.case_type(custom_fields=[
        {"key": "secret", "label": "Secret", "type": "choices", "options": ["quarrel", "debt"], "sensitive": True}
    ])  # fmt: skip
    rows = [[*HEADER, "Secret"], [*row(1), "quarrel; debt"], [*row(2), ""]]
    assert counts(office.import_all(rows)) == (2, 0, 0, 0)
    with office.db.read() as session:
        stored = session.scalars(select(Case.custom_fields).order_by(Case.number)).all()
    assert ["sealed" in values.get("secret", {}) for values in stored] == [True, False]
    assert office.by_name()["Case 1"]["custom_fields"] == {"secret": ["quarrel", "debt"]}
    changed = [[*HEADER, "Secret"], [*row(1), "debt"]]
    assert counts(office.import_all(changed, duplicates="update")) == (0, 1, 0, 0)
    assert office.by_name()["Case 1"]["custom_fields"] == {"secret": ["debt"]}


def test_numbers_of_a_series_pass_over_those_of_the_file(office: ImportOffice) -> None:
    kind = office.case_type(number_prefix="P-", number_digits=3)
    office.case(kind, number="P-002")
    rows = [row(1, Number=""), row(2, Number="P-003"), row(3, Number=""), row(4, Number="")]
    assert counts(office.import_all([HEADER, *rows])) == (4, 0, 0, 0)
    by_name = office.by_name()
    assert [by_name[f"Case {number}"]["number"] for number in (1, 2, 3, 4)] == ["P-001", "P-003", "P-004", "P-005"]
    assert office.case(kind)["number"] == "P-006"
