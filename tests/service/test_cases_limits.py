"""A member who is limited to some types of cases finds and changes no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.testing import as_owner
from contracts.errors import Conflict, Forbidden, Invalid, NotFound
from services.cases.activity import list_case_activity
from services.cases.client_summaries import summarize_client_cases
from services.cases.data_exports import export_client_data
from services.cases.models import Base, Case
from services.cases.reading import list_types_of_cases
from tests.service.cases_office import NEWEST, Office, listed, refusal
from tests.service.plans import plan_of, undisturbed

ANY = {"field": "state", "op": "in", "value": ["open", "closed"]}


@pytest.fixture
def office(database: Any) -> Office:
    return Office(database)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Any:
    """One for all tests, each of which has a firm of its own."""
    return request.getfixturevalue(f"emptied_{request.param}")(Base)


@pytest.fixture
def types(office: Office) -> tuple[dict[str, Any], dict[str, Any]]:
    """One that the member may see, and another."""
    return office.case_type(name=new_id()), office.case_type(name=new_id())


def limited(office: Office, *case_types: dict[str, Any]) -> Any:
    kinds = tuple(sorted(kind["id"] for kind in case_types))
    return use(Context(firm_id=office.firm_id, actor_id=office.actor_id, actor_kind="staff", sees_only=kinds))


def ids(found: list[dict[str, Any]]) -> set[str]:
    return {entry["id"] for entry in found}


def test_a_case_of_another_type_is_not_there(office: Office, types: Any) -> None:
    ours, others = types
    seen, hidden = office.case(ours), office.case(others)
    service = office.service
    with limited(office, ours):
        assert service.get_case(seen["id"]) == seen
        for call in (
            lambda: service.get_case(hidden["id"]),
            lambda: service.update_case(hidden["id"], {"name": "Mine"}, None),
            lambda: service.archive_case(hidden["id"]),
            lambda: service.unarchive_case(hidden["id"]),
            lambda: service.list_status_changes(hidden["id"], **NEWEST),
            lambda: list_case_activity(office.db, case_id=hidden["id"], **NEWEST),
        ):
            assert refusal(NotFound, call) == ("case_not_found", [])
        facts = service.get_case_facts([hidden["id"], seen["id"]])["cases"]
        assert [entry["case_id"] for entry in facts] == [seen["id"]]
        assert service.update_case(seen["id"], {"name": "Ours"}, None)["name"] == "Ours"
    assert service.get_case(hidden["id"]) == hidden


def test_lists_and_selections_leave_it_out_and_do_not_count_it(office: Office, types: Any) -> None:
    ours, others = types
    client = {"clients": [{"client_id": office.client()}]}
    seen, hidden = office.case(ours, **client), office.case(others, **client)
    everything = {seen["id"], hidden["id"]}
    assert ids(listed(office)) == set(office.selected(case_filter=ANY)) == everything
    with limited(office, ours):
        for query in ({}, {"q": "case"}, {"filter": ANY}, {"client_id": client["clients"][0]["client_id"]}):
            assert ids(listed(office, **query)) == {seen["id"]}
        assert listed(office, case_type_id=others["id"]) == []
        selection = office.select(case_filter=ANY)
        assert ([row["case_id"] for row in selection["data"]], selection["meta"]["total"]) == ([seen["id"]], 1)
        for part in ("case_ids", "include_case_ids"):
            assert refusal(NotFound, office.select, **{part: [seen["id"], hidden["id"]]})[0] == "case_not_found"
        summary = summarize_client_cases(office.db, client_id=client["clients"][0]["client_id"])
        assert (summary["open"], summary["open_case_ids"], ids(summary["cases"])) == (1, [seen["id"]], {seen["id"]})
    with limited(office, ours, others):
        assert ids(listed(office)) == everything
    with limited(office):
        assert listed(office) == office.selected(case_filter=ANY) == []
    assert ids(listed(office)) == everything


def test_what_was_looked_up_ahead_for_another_is_not_shown(office: Office, types: Any) -> None:
    ours, others = types
    seen = sorted(office.case(ours)["id"] for _ in range(3))
    for _ in range(3):
        office.case(others)
    first = office.select(limit=1, case_filter=ANY)
    with limited(office, ours):
        found, cursor = [], first["meta"]["next_cursor"]
        while cursor is not None:
            page = office.select(limit=1, cursor=cursor, case_filter=ANY)
            found += [row["case_id"] for row in page["data"]]
            cursor = page["meta"]["next_cursor"]
        assert found == [id_ for id_ in seen if id_ > first["data"][0]["case_id"]]


def test_a_case_list_with_other_cases_is_not_deleted(office: Office, types: Any) -> None:
    ours, others = types
    seen, hidden = office.case(ours)["id"], office.case(others)["id"]
    mixed = office.service.create_case_list(name=new_id(), include_ids=[seen], exclude_ids=[hidden])["id"]
    own = office.service.create_case_list(name=new_id(), include_ids=[seen])["id"]
    with limited(office, ours):
        assert refusal(Forbidden, office.service.delete_case_list, mixed)[0] == "limited_to_case_types"
        office.service.delete_case_list(own)
    office.service.delete_case_list(mixed)


def test_a_case_list_shows_its_own_part_and_keeps_the_other(office: Office, types: Any) -> None:
    ours, others = types
    first, second, hidden = office.case(ours)["id"], office.case(ours)["id"], office.case(others)["id"]
    kept = office.service.create_case_list(name=new_id(), include_ids=[first, hidden])
    with limited(office, ours):
        shown = office.service.get_case_list(kept["id"])
        assert (shown["include_ids"], shown["case_count"]) == ([first], 1)
        in_page = office.service.list_case_lists(limit=1, cursor=None, sort="-created_at")["data"][0]
        assert (in_page["id"], in_page["include_count"]) == (kept["id"], 1)
        assert office.selected(case_list_ids=[kept["id"]]) == [first]
        changed = office.service.update_case_list(kept["id"], {"include_ids": [second]}, None)
        assert (changed["include_ids"], changed["case_count"]) == ([second], 1)
        refused = refusal(NotFound, office.service.update_case_list, kept["id"], {"include_ids": [hidden]}, None)
        assert refused[0] == "case_not_found"
    whole = office.service.get_case_list(kept["id"])
    assert (set(whole["include_ids"]), whole["case_count"]) == ({second, hidden}, 2)


def test_types_are_read_by_all_and_used_and_changed_by_those_who_may(office: Office, types: Any) -> None:
    ours, others = types
    service = office.service
    with limited(office, ours):
        assert service.get_case_type(others["id"]) == others
        assert service.update_case_type(ours["id"], {"number_digits": 5}, None)["number_digits"] == 5
        refused = refusal(Forbidden, service.update_case_type, others["id"], {"number_digits": 5}, None)
        assert refused == ("case_type_not_allowed", [])
        assert refusal(Forbidden, office.case_type, name=new_id()) == ("limited_to_case_types", [])
        made = {"clients": [{"client_id": office.client()}], "name": "A", "new_client": None}
        assert service.create_case(case_type_id=ours["id"], **made)["case_type_id"] == ours["id"]
        refused = refusal(Forbidden, service.create_case, case_type_id=others["id"], **made)
        assert refused == ("case_type_not_allowed", [])
        refused = refusal(Forbidden, export_client_data, office.db, client_id=made["clients"][0]["client_id"])
        assert refused == ("limited_to_case_types", [])


def test_a_limit_names_types_that_the_firm_has(office: Office, types: Any, database: Any) -> None:
    ours, others = types
    office.service.update_case_type(others["id"], {"archived": True}, None)
    known = [ours["id"], others["id"]]
    assert office.service.check_case_types(known) == {}
    elsewhere = Office(database).case_type()["id"]
    refused = refusal(Invalid, office.service.check_case_types, [new_id(), *known, elsewhere])
    assert refused == ("unknown_case_type", ["case_type_ids.0", "case_type_ids.3"])


def test_a_hidden_case_s_number_is_passed_over_and_taken(office: Office, types: Any) -> None:
    ours, others = types
    with limited(office, ours):
        made = {"clients": [{"client_id": office.client()}], "name": "A", "new_client": None}
        number = office.service.create_case(case_type_id=ours["id"], **made)["number"]
    following = f"{number[:-1]}{int(number[-1]) + 1}"
    office.case(others, number=following)
    with limited(office, ours):
        assert office.service.create_case(case_type_id=ours["id"], **made)["number"] not in (number, following)
        refused = refusal(Conflict, office.service.create_case, case_type_id=ours["id"], number=following, **made)
        assert refused == ("number_taken", ["number"])


def test_a_service_that_begins_to_follow_cases_is_told_of_all_there_are(database: Any) -> None:
    made = {}
    for firm in (Office(database), Office(database)):
        cases = [firm.case(firm.case_type(name=new_id())) for _ in range(3)]
        cases[0] = firm.service.archive_case(cases[0]["id"])
        made |= {(firm.firm_id, case["id"]): (case["case_type_id"], case["version"]) for case in cases}
    reading, told, page = Office(database).service, [], {}
    while found := reading.list_types_of_cases(**page, limit=2)["cases"]:
        told += found
        page = {f"after_{name}": found[-1][name] for name in ("firm_id", "case_id")}
    keys = [(case["firm_id"], case["case_id"]) for case in told]
    assert keys == sorted(set(keys))
    types = {(case["firm_id"], case["case_id"]): (case["case_type_id"], case["version"]) for case in told}
    assert made.items() <= types.items()


def test_a_page_of_all_cases_there_are_is_read_by_their_key(postgres_database: Callable[[], str]) -> None:
    office = Office(undisturbed(Base, postgres_database()))
    kind = office.case_type()
    same = {"case_type_id": kind["id"], "name": "A case", "name_folded": "a case", "status": "New", "state": "open",
            "custom_fields": {}}  # fmt: skip
    numbers = [f"{number:06}" for number in range(3000)]
    with office.db.unit_of_work() as uow:
        uow.insert(Case, [{**same, "id": new_id(), "number": number, "number_folded": number} for number in numbers])
    with as_owner(office.db) as connection:
        connection.exec_driver_sql("ANALYZE cases")
    after = {"after_firm_id": office.firm_id, "after_case_id": new_id()}
    across = office.db.across_firms("a test looks how they are read")
    for page in ({}, after):
        assert "using pk_cases" in plan_of(
            across, "SELECT cases", lambda page=page: list_types_of_cases(across, **page)
        )
    office.db.engines.dispose()
