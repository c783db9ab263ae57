"""Statuses of a case type that are renamed while cases are in them, and types that are archived."""

from __future__ import annotations

from typing import Any

import eventlet
import pytest
from sqlalchemy import select

from contracts.cases import CASE_CHANGED, CASE_STATUS_RENAMED
from contracts.errors import Conflict, Invalid
from services.cases.case_types import find_case_type
from services.cases.models import Base, Case, CaseStatus, FormerStatus
from services.cases.reading import find_case
from services.cases.records import add_case, change_status
from services.cases.type_statuses import replace_statuses
from tests.service.cases_office import NEWEST, NOW, Office, events, refusal
from tests.service.one_database import on_one_database
from tests.service.races import until_held_up


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def statuses(*entries: tuple[str, str | None, bool]) -> dict[str, Any]:
    return {"statuses": [{"name": name, "was": was, "closed": closed} for name, was, closed in entries]}


def test_a_renamed_status_takes_its_cases_along(office: Office) -> None:
    kind, other = office.case_type(), office.case_type(name="Closing")
    moved, archived = office.case(kind, status="In court"), office.case(kind, status="In court")
    still, foreign = office.case(kind), office.case(other, status="In court")
    office.service.archive_case(archived["id"])
    told = len(events(office, CASE_CHANGED))
    changes = statuses(("Hearing", "In court", False), ("New", "New", False), ("Closed", None, True))
    changed = office.service.update_case_type(kind["id"], changes, None)
    assert changed["statuses"] == [
        {"name": "Hearing", "closed": False}, {"name": "New", "closed": False}, {"name": "Closed", "closed": True}
    ]  # fmt: skip
    assert changed["version"] == 2
    read = office.service.get_case
    assert [read(case["id"])["status"] for case in (moved, archived, still, foreign)] == [
        "Hearing", "Hearing", "New", "In court"
    ]  # fmt: skip
    assert [read(case["id"])["version"] for case in (moved, archived, still, foreign)] == [2, 3, 1, 1]
    assert office.selected(case_filter={"field": "status", "op": "eq", "value": "Hearing"}) == [moved["id"]]
    said = events(office, CASE_CHANGED)[told:]
    assert {(e["case_id"], e["status"], e["state"], *e["changed"]) for e in said} == {
        (case["id"], "Hearing", "open", "status") for case in (moved, archived)
    }
    assert {e["previous_status"] for e in said} == {None}
    assert events(office, CASE_STATUS_RENAMED) == [
        {"case_type_id": kind["id"], "was": "In court", "name": "Hearing", "elsewhere": True}
    ]
    # It has not moved: its history is what it was.
    assert len(office.service.list_status_changes(moved["id"], **NEWEST)["data"]) == 1


def found(office: Office, op: str, value: Any) -> set[str]:
    return set(office.selected(case_filter={"field": "status", "op": op, "value": value}))


def test_filters_that_name_a_status_as_it_was_called_go_on_to_mean_it(office: Office) -> None:
    kind, other = office.case_type(), office.case_type(name="Closing")
    moved, foreign = office.case(kind, status="In court")["id"], office.case(other, status="In court")["id"]
    new = office.case(kind)["id"]
    # Another type has a status of the new name, which was never meant.
    office.service.update_case_type(other["id"], statuses(("In court", None, False), ("Hearing", None, False)), None)
    hearing = office.case(other, status="Hearing")["id"]
    wire = {"field": "status", "op": "eq", "value": "In court"}
    made = office.service.create_case_list(name="L", filter={"not": {"not": wire}})
    rename = office.service.update_case_type
    rename(kind["id"], statuses(("New", None, False), ("Hearing", "In court", False), ("Closed", None, True)), None)
    assert set(office.selected(case_list_ids=[made["id"]])) == found(office, "eq", "In court") == {moved, foreign}
    assert office.service.get_case_list(made["id"])["case_count"] == 2
    assert found(office, "in", ["In court", "New"]) == {moved, foreign, new}
    assert found(office, "ne", "In court") == {new, hearing}
    assert found(office, "eq", "Hearing") == {moved, hearing}
    # Once more, and back again: every name it had means it.
    rename(kind["id"], statuses(("New", None, False), ("Trial", "Hearing", False), ("Closed", None, True)), None)
    assert found(office, "eq", "In court") == {moved, foreign}
    assert found(office, "eq", "Hearing") == {moved, hearing}
    rename(kind["id"], statuses(("New", None, False), ("In court", "Trial", False), ("Closed", None, True)), None)
    assert found(office, "eq", "Trial") == {moved}
    assert found(office, "eq", "In court") == {moved, foreign}
    neighbour = Office(office.db)
    assert found(neighbour, "ne", "Trial") == set()


def test_a_name_that_is_given_anew_means_the_new_status_and_that_of_a_removed_one_no_case(office: Office) -> None:
    kind = office.case_type()
    moved = office.case(kind, status="In court")["id"]
    change = office.service.update_case_type
    change(kind["id"], statuses(("New", None, False), ("Hearing", "In court", False)), None)
    entries = statuses(("New", None, False), ("Hearing", None, False), ("In court", None, False))
    change(kind["id"], entries, None)
    again = office.case(kind, status="In court")["id"]
    assert (found(office, "eq", "In court"), found(office, "eq", "Hearing")) == ({again}, {moved})
    office.service.update_case(again, {"status": "New"}, None)
    change(kind["id"], statuses(("New", None, False), ("Hearing", None, False)), None)
    assert found(office, "eq", "In court") == found(office, "in", ["In court", "Nothing"]) == set()
    assert found(office, "ne", "In court") == {moved, again}
    office.service.update_case(moved, {"status": "New"}, None)
    change(kind["id"], statuses(("New", None, False)), None)
    with office.db.read() as session:
        assert session.scalars(select(FormerStatus.name)).all() == []


def test_a_status_may_be_renamed_and_closed_at_once_and_what_waits_for_a_client_goes_along(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind, status="In court")
    with office.db.unit_of_work() as uow:
        command = {"case_type_id": kind["id"], "name": "W", "status": "In court"}
        waiting = add_case(uow, command, [], actor_id=None, now=NOW, pending=True).id
    office.service.update_case_type(
        kind["id"], statuses(("New", None, False), ("Done", "In court", True), ("Closed", None, True)), None
    )
    (event,) = events(office, CASE_CHANGED)
    assert (event["case_id"], event["changed"], event["state"]) == (case["id"], ["status", "state"], "closed")
    assert [told["elsewhere"] for told in events(office, CASE_STATUS_RENAMED)] == [False]
    with office.db.read() as session:
        rows = session.execute(select(Case.id, Case.status, Case.state)).all()
        assert {tuple(row) for row in rows} == {(case["id"], "Done", "closed"), (waiting, "Done", "pending")}
        assert set(session.scalars(select(CaseStatus.name))) == {"New", "Done", "Closed"}


@on_one_database
@pytest.mark.parametrize(
    ("entries", "code", "place"),
    [
        ([("New", None, False), ("Hearing", "Trial", False)], "unknown_status", "statuses.1.was"),
        ([("Closed", "In court", False), ("New", None, False)], "status_exists", "statuses.0.name"),
        ([("New", "In court", False), ("In court", "New", False)], "invalid_input", "statuses.0.was"),
        ([("In court", None, False), ("Hearing", "In court", False)], "invalid_input", "statuses.1.was"),
        ([("Hearing", "In court", False), ("Trial", "In court", False)], "invalid_input", "statuses.1.was"),
    ],
)
def test_a_wrong_new_name_is_refused_and_nothing_is_half_done(
    office: Office, entries: list[tuple[str, str | None, bool]], code: str, place: str
) -> None:
    kind = office.case_type()
    case = office.case(kind, status="In court")
    update = office.service.update_case_type
    assert refusal(Invalid, update, kind["id"], statuses(*entries), None) == (code, [place])
    assert office.service.get_case_type(kind["id"]) == kind
    assert office.service.get_case(case["id"]) == case


def test_a_rename_that_comes_with_a_removal_in_use_is_not_done(office: Office) -> None:
    kind = office.case_type()
    case, closed = office.case(kind, status="In court"), office.case(kind, status="Closed")
    changes = statuses(("New", None, False), ("Hearing", "In court", False))
    assert refusal(Conflict, office.service.update_case_type, kind["id"], changes, None)[0] == "status_in_use"
    assert office.service.get_case_type(kind["id"]) == kind
    assert [office.service.get_case(entry["id"]) for entry in (case, closed)] == [case, closed]
    assert events(office, CASE_CHANGED) == []


def test_no_case_is_made_of_an_archived_type_and_those_there_go_on(office: Office) -> None:
    kind, other = office.case_type(), office.case_type(name="Closing")
    case = office.case(kind)
    archived = office.service.update_case_type(kind["id"], {"archived": True}, None)
    assert (archived["archived"], archived["version"], other["archived"]) == (True, 2, False)
    for command in ({}, {"new_client": {"first_name": "Ann", "last_name": "Lee"}}):
        assert refusal(Conflict, office.case, kind, **command)[0] == "case_type_archived"
    assert office.service.update_case(case["id"], {"status": "Closed"}, None)["status"] == "Closed"
    listed = office.service.list_case_types
    assert [row["id"] for row in listed(archived=False, **NEWEST)["data"]] == [other["id"]]
    assert [row["id"] for row in listed(archived=True, **NEWEST)["data"]] == [kind["id"]]
    office.service.update_case_type(kind["id"], {"archived": False}, None)
    assert office.case(kind)["status"] == "New"


RENAMED = statuses(("New", None, False), ("Hearing", "In court", False), ("Closed", None, True))


def test_a_case_that_enters_a_status_while_it_is_renamed_goes_along(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind)
    with office.db.unit_of_work() as uow:
        assert change_status(uow, find_case(uow.session, case["id"], lock=True), "In court", None, NOW)
        uow.session.flush()
        renaming = eventlet.spawn(office.service.update_case_type, kind["id"], RENAMED, None)
        until_held_up(office.db, renaming)
    renaming.wait()
    assert office.service.get_case(case["id"])["status"] == "Hearing"


def test_who_moves_a_case_to_the_old_name_at_this_moment_is_told_that_it_is_gone(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind)
    with office.db.unit_of_work() as uow:
        replace_statuses(uow, kind["id"], RENAMED["statuses"], NOW)
        moving = eventlet.spawn(office.service.update_case, case["id"], {"status": "In court"}, None)
        until_held_up(office.db, moving)
    assert refusal(Invalid, moving.wait) == ("unknown_status", ["status"])
    assert office.service.get_case(case["id"])["status"] == "New"


CLOSED = statuses(("New", None, False), ("In court", None, True), ("Closed", None, True))


def test_a_case_that_enters_a_status_while_it_is_closed_is_closed_with_it(office: Office) -> None:
    kind = office.case_type()
    case = office.case(kind)
    with office.db.unit_of_work() as uow:
        found = find_case(uow.session, case["id"], lock=True)
        assert change_status(uow, found, "In court", None, NOW)
        uow.session.flush()
        closing = eventlet.spawn(office.service.update_case_type, kind["id"], CLOSED, None)
        until_held_up(office.db, closing)
    closing.wait()
    assert office.service.get_case(case["id"])["state"] == "closed"


@pytest.mark.parametrize("new", [False, True])
def test_who_moves_a_case_into_a_status_that_is_being_closed_waits_for_it(office: Office, new: bool) -> None:
    kind = office.case_type()
    case = office.case(kind)
    with office.db.unit_of_work() as uow:
        find_case_type(uow.session, kind["id"], lock=True)
        replace_statuses(uow, kind["id"], CLOSED["statuses"], NOW)
        if new:
            moving = eventlet.spawn(office.case, kind, status="In court")
        else:
            moving = eventlet.spawn(office.service.update_case, case["id"], {"status": "In court"}, None)
        until_held_up(office.db, moving)
    assert (moving.wait()["status"], moving.wait()["state"]) == ("In court", "closed")
