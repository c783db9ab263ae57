"""Cases that are archived and brought back, and the history of a case's status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import as_owner
from contracts.cases import CASE_CHANGED
from contracts.errors import Conflict, Invalid, NotFound
from services.cases.models import Base, Case
from tests.service.cases_office import NEWEST, NOW, Office, events, listed, refusal
from tests.service.plans import plan_of, undisturbed


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def test_an_archived_case_leaves_lists_and_selections_until_it_is_brought_back(office: Office) -> None:
    kind = office.case_type()
    kept, gone = office.case(kind), office.case(kind)
    archived = office.service.archive_case(gone["id"])
    assert archived["archived_at"] is not None
    assert office.service.archive_case(gone["id"])["version"] == archived["version"] == 2
    assert [row["id"] for row in listed(office)] == [kept["id"]]
    assert [row["id"] for row in listed(office, archived=True)] == [gone["id"]]
    assert office.selected(case_ids=[kept["id"], gone["id"]]) == [kept["id"]]
    assert office.service.get_case(gone["id"])["id"] == gone["id"]

    back = office.service.unarchive_case(gone["id"])
    assert (back["archived_at"], back["status"], back["state"]) == (None, "New", "open")
    assert office.service.unarchive_case(gone["id"])["version"] == back["version"] == 3
    assert [row["id"] for row in listed(office)] == [gone["id"], kept["id"]]
    assert listed(office, archived=True) == []
    assert len(office.selected(case_ids=[kept["id"], gone["id"]])) == 2
    told = events(office, CASE_CHANGED)
    assert [(event["changed"], event["archived"], event["version"]) for event in told] == [
        (["archived_at"], True, 2), (["archived_at"], False, 3)
    ]  # fmt: skip


def test_an_archived_case_is_not_changed(office: Office) -> None:
    case = office.case(office.case_type())
    office.service.archive_case(case["id"])
    update = office.service.update_case
    for changes in ({"status": "Closed"}, {"name": "B"}, {"clients": [{"client_id": office.client()}]}):
        assert refusal(Conflict, update, case["id"], changes, None)[0] == "case_archived"
    archived = office.service.get_case(case["id"])
    assert (archived["version"], archived["name"], archived["status"]) == (2, "A case", "New")
    office.service.unarchive_case(case["id"])
    assert update(case["id"], {"name": "B"}, None)["name"] == "B"


def test_archived_cases_are_found_among_many_by_an_index_of_their_own(postgres_database: Callable[[], str]) -> None:
    office = Office(undisturbed(Base, postgres_database()))
    kind = office.case_type()
    same = {"case_type_id": kind["id"], "name": "A case", "name_folded": "a case", "status": "New", "state": "open",
            "custom_fields": {}}  # fmt: skip
    with office.db.unit_of_work() as uow:
        numbers = [f"{number:06}" for number in range(3000)]
        uow.insert(
            Case,
            [{**same, "id": new_id(), "number": number, "number_folded": number,
              "archived_at": NOW if number.endswith("999") else None} for number in numbers],
        )  # fmt: skip
    with as_owner(office.db) as connection:
        connection.exec_driver_sql("ANALYZE cases")
    assert len(listed(office, archived=True)) == 3
    assert "ix_cases_firm_id_archived" in plan_of(office.db, "SELECT cases.", lambda: listed(office, archived=True))
    office.db.engines.dispose()


def test_the_history_of_a_status_tells_who_changed_it_when(office: Office) -> None:
    kind = office.case_type()
    case, other = office.case(kind), office.case(kind)
    with office.as_staff():
        office.service.update_case(case["id"], {"status": "In court"}, None)
        office.service.update_case(case["id"], {"name": "B"}, None)
        office.service.update_case(case["id"], {"status": "In court"}, None)
    office.service.update_case(case["id"], {"status": "Closed"}, None)
    history = office.service.list_status_changes(case["id"], **NEWEST)
    moves = [(entry["from_status"], entry["to_status"], entry["actor_id"]) for entry in history["data"]]
    assert moves == [("In court", "Closed", None), ("New", "In court", office.actor_id), (None, "New", office.actor_id)]
    assert history["meta"]["total"] == 3
    assert [entry["at"] for entry in history["data"]] == sorted((e["at"] for e in history["data"]), reverse=True)

    oldest = office.service.list_status_changes(case["id"], limit=2, cursor=None, sort="at")
    following = oldest["meta"]["next_cursor"]
    rest = office.service.list_status_changes(case["id"], limit=2, cursor=following, sort="at")
    assert [*oldest["data"], *rest["data"]] == history["data"][::-1]
    assert len(office.service.list_status_changes(other["id"], **NEWEST)["data"]) == 1
    assert refusal(NotFound, office.service.list_status_changes, new_id(), **NEWEST)[0] == "case_not_found"
    colour = {**NEWEST, "sort": "colour"}
    assert refusal(Invalid, office.service.list_status_changes, case["id"], **colour) == ("invalid_sort", ["sort"])
