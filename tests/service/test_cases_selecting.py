"""Selectors, case lists and saved filters: what they refuse, and how they hold together."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest

from chassis.columns import new_id, utc_now
from contracts.errors import CasewireError, Conflict, Invalid, NotFound
from services.cases import case_lists, selecting
from services.cases.looking_ahead import KeptSelections
from services.cases.models import Base, Case
from services.cases.selecting import check_selector, select_cases
from tests.service.cases_office import PROBATE, Office
from tests.service.plans import counted

OPEN = {"field": "state", "op": "eq", "value": "open"}


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


@pytest.fixture
def cases(office: Office) -> list[str]:
    kind = office.case_type()
    return [office.case(kind, name=f"Case {number}")["id"] for number in range(6)]


def refusal(call: Any, *args: Any, **kwargs: Any) -> tuple[type, str, list[str]]:
    with pytest.raises(CasewireError) as refused:
        call(*args, **kwargs)
    return type(refused.value), refused.value.code, [entry["field"] for entry in refused.value.fields]


@pytest.mark.parametrize(
    ("selector", "place"),
    [
        ({}, "selector"),
        ({"exclude_case_ids": ["x"]}, "selector"),
        ({"case_ids": []}, "selector.case_ids"),
        ({"case_filter": {}}, "selector.case_filter"),
        ({"case_filter": OPEN, "case_list_ids": []}, "selector.case_list_ids"),
        ({"case_filter": OPEN, "include_case_ids": []}, "selector.include_case_ids"),
        ({"case_filter": OPEN, "exclude_case_ids": []}, "selector.exclude_case_ids"),
        ({"exclude_case_ids": []}, "selector.exclude_case_ids"),
    ],
)
def test_an_empty_selector_is_never_all(selector: dict[str, Any], place: str) -> None:
    assert refusal(check_selector, selector) == (Invalid, "empty_selector", [place])


@pytest.mark.parametrize("part", ["case_ids", "include_case_ids", "exclude_case_ids"])
def test_unknown_and_other_firms_cases_are_refused(office: Office, cases: list[str], part: str) -> None:
    neighbour = Office(office.db)
    theirs = neighbour.case(neighbour.case_type())["id"]
    for stranger in (theirs, new_id()):
        with pytest.raises(NotFound) as refused:
            office.select(**{"case_filter": OPEN, part: [cases[0], stranger]})
        assert (refused.value.code, refused.value.meta) == ("case_not_found", {"case_id": stranger})


def test_unknown_and_other_firms_lists_and_filters_are_refused(office: Office, cases: list[str]) -> None:
    neighbour = Office(office.db)
    their_list = neighbour.service.create_case_list(name="L", filter=OPEN)["id"]
    their_filter = neighbour.service.create_saved_filter("F", OPEN)["id"]
    for list_id in (their_list, new_id()):
        assert refusal(office.select, case_list_ids=[list_id])[:2] == (NotFound, "case_list_not_found")
    for filter_id in (their_filter, new_id()):
        reference = {"saved_filter_id": filter_id}
        for call in (
            lambda wire: office.select(case_filter=wire),
            lambda wire: office.service.create_saved_filter("G", wire),
            lambda wire: office.service.create_case_list(name="M", filter=wire),
        ):
            assert refusal(call, {"not": reference})[:2] == (NotFound, "saved_filter_not_found")
    service = office.service
    assert refusal(service.get_case_list, their_list)[0] is NotFound
    assert refusal(service.update_case_list, their_list, {"name": "X"}, None)[0] is NotFound
    assert refusal(service.delete_case_list, their_list)[0] is NotFound
    assert refusal(service.get_saved_filter, their_filter)[0] is NotFound
    assert refusal(service.update_saved_filter, their_filter, {"name": "X"}, None)[0] is NotFound
    assert refusal(service.delete_saved_filter, their_filter)[0] is NotFound


def test_pages_are_in_order_and_stable_while_cases_come_and_go(office: Office, cases: list[str]) -> None:
    first = office.select(limit=2, case_filter=OPEN)
    assert [row["case_id"] for row in first["data"]] == cases[:2]
    assert first["meta"]["total"] == 6
    office.service.archive_case(cases[2])
    late = office.case(office.case_type(name="Late"))["id"]
    second = office.select(limit=2, cursor=first["meta"]["next_cursor"], case_filter=OPEN)
    third = office.select(limit=2, cursor=second["meta"]["next_cursor"], case_filter=OPEN)
    assert [row["case_id"] for row in (*second["data"], *third["data"])] == cases[3:]
    assert (third["meta"]["next_cursor"], third["meta"]["total"]) == (None, 6)
    assert late in office.selected(case_filter=OPEN)
    for cursor in ("x", "bm8", first["meta"]["next_cursor"]):
        wrong = refusal(office.select, cursor=cursor, case_ids=cases)
        assert wrong == (Invalid, "invalid_cursor", ["cursor"])


def test_a_page_takes_a_constant_number_of_queries(office: Office, cases: list[str]) -> None:
    with counted(office.db) as few:
        office.select(case_ids=cases[:1])
    with counted(office.db) as many:
        selected = office.select(case_ids=cases)
    assert len(selected["data"]) == 6
    assert len(few) == len(many) == 3  # unknown ids, the page, its clients


def test_later_pages_are_looked_up_with_the_first(office: Office, cases: list[str]) -> None:
    def page(limit: int, cursor: str | None) -> tuple[list[str], str | None]:
        found = office.select(limit=limit, cursor=cursor, case_filter=OPEN)
        return [row["case_id"] for row in found["data"]], found["meta"]["next_cursor"]

    first, cursor = page(2, None)
    with counted(office.db) as statements:
        second, after = page(2, cursor)
    assert (first, second) == (cases[:2], cases[2:4])
    # Those that were archived meanwhile, and the clients of the page.
    assert len(statements) == 2
    # Asked for again, by a longer page, of a replica that has not looked ahead, and when one is archived.
    assert page(4, cursor) == (cases[2:], None)
    office.service.archive_case(cases[4])
    assert page(3, after) == ([cases[5]], None)
    office.service.kept_selections = KeptSelections()
    assert page(1, after) == ([cases[5]], None)
    assert page(2, cursor) == (cases[2:4], after)


def test_the_primary_client_comes_first(office: Office) -> None:
    ann, bob, cid = (office.client() for _ in range(3))
    roles = [(ann, "additional"), (bob, "additional"), (cid, "primary")]
    case = office.case(office.case_type(), clients=[{"client_id": id_, "role": role} for id_, role in roles])
    (row,) = office.select(case_ids=[case["id"]])["data"]
    assert row == {"case_id": case["id"], "case_type_id": case["case_type_id"], "client_ids": [cid, ann, bob]}


def test_a_total_above_the_cap_is_a_lower_bound(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "TOTAL_CAP", 40)
    kind = office.case_type()
    plain = {
        "case_type_id": kind["id"], "status": "New", "state": "open", "name": "x", "name_folded": "x",
        "created_at": utc_now(),
    }  # fmt: skip
    with office.db.unit_of_work() as uow:
        uow.insert(
            Case,
            [{**plain, "id": new_id(), "number": f"n{n}", "number_folded": f"n{n}"} for n in range(45)],
        )
    page = office.select(limit=20, case_filter=OPEN)
    assert page["meta"] == {"next_cursor": page["meta"]["next_cursor"], "total": 40, "total_is_lower_bound": True}
    ids = [row["case_id"] for row in page["data"]]
    while page["meta"]["next_cursor"]:
        page = office.select(limit=20, cursor=page["meta"]["next_cursor"], case_filter=OPEN)
        assert page["meta"]["total_is_lower_bound"]
        ids += [row["case_id"] for row in page["data"]]
    assert len(set(ids)) == 45
    counted = office.service.select_cases({"case_filter": OPEN}, limit=20, cursor=None, count_all=True)["meta"]
    assert (counted["total"], "total_is_lower_bound" in counted) == (45, False)
    page = office.select(limit=20, case_ids=ids[:40])
    assert (page["meta"]["total"], "total_is_lower_bound" in page["meta"]) == (40, False)
    assert len(office.selected(case_ids=ids[:40], exclude_case_ids=ids[:20])) == 20
    monkeypatch.setattr(case_lists, "TOTAL_CAP", 40)
    made = office.service.create_case_list(name="Half", include_ids=ids[:36], exclude_ids=ids[:16])
    assert (made["case_count"], "case_count_is_lower_bound" in made) == (20, False)
    made = office.service.create_case_list(name="All", filter=OPEN, exclude_ids=ids[:4])
    assert (made["case_count"], made["case_count_is_lower_bound"]) == (40, True)


def test_days_are_counted_from_now(office: Office) -> None:
    kind, today = office.case_type(), utc_now().date()
    hearings = {days: (today + dt.timedelta(days=days)).isoformat() for days in (-31, -30, 0, 7, 8)}
    made = {days: office.case(kind, custom_fields={"hearing": day})["id"] for days, day in hearings.items()}

    def found(op: str, days: int, later: int = 0) -> list[str]:
        wire = {"field": "custom_fields.hearing", "op": op, "value": days}
        at = utc_now() + dt.timedelta(days=later)
        page = select_cases(office.db, {"case_filter": wire}, limit=100, cursor=None, now=at)
        return [row["case_id"] for row in page["data"]]

    assert found("older_than_days", 30) == [made[-31]]
    assert found("within_next_days", 7) == [made[0], made[7]]
    assert found("within_next_days", 7, later=1) == [made[7], made[8]]


# Saved filters


def test_a_saved_filter_is_kept_as_written_and_used_wherever_a_filter_goes(office: Office, cases: list[str]) -> None:
    saved = office.service.create_saved_filter("First ones", {"field": "number", "op": "in", "value": ["000001"]})
    assert saved == office.service.get_saved_filter(saved["id"])
    assert refusal(office.service.create_saved_filter, "First ones", OPEN)[:2] == (Conflict, "name_taken")
    reference = {"saved_filter_id": saved["id"]}
    assert office.selected(case_filter=reference) == cases[:1]
    assert office.selected(case_filter={"and": [OPEN, {"not": reference}]}) == cases[1:]
    made = office.service.create_case_list(name="L", filter=reference)
    assert made["case_count"] == 1
    changes = {"filter": {"field": "number", "op": "in", "value": ["000001", "000002"]}}
    assert office.service.update_saved_filter(saved["id"], changes, 1)["version"] == 2
    assert office.service.get_case_list(made["id"])["case_count"] == 2
    assert refusal(office.service.update_saved_filter, saved["id"], changes, 1)[1] == "stale_version"
    listed = office.service.list_saved_filters(limit=5, cursor=None, sort=None)["data"]
    assert [entry["id"] for entry in listed] == [saved["id"]]


def test_a_filter_cannot_lead_back_to_itself(office: Office) -> None:
    service = office.service
    inner = service.create_saved_filter("Inner", OPEN)["id"]
    outer = service.create_saved_filter("Outer", {"not": {"saved_filter_id": inner}})["id"]
    for reference in (inner, outer):
        changes = {"filter": {"and": [OPEN, {"saved_filter_id": reference}]}}
        assert refusal(service.update_saved_filter, inner, changes, None) == (
            Invalid, "invalid_filter", ["filter.and.1.saved_filter_id"],
        )  # fmt: skip


def test_a_filter_that_is_used_cannot_be_deleted(office: Office) -> None:
    service = office.service
    inner = service.create_saved_filter("Inner", OPEN)["id"]
    outer = service.create_saved_filter("Outer", {"not": {"saved_filter_id": inner}})["id"]
    listed = service.create_case_list(name="L", filter={"saved_filter_id": outer})["id"]
    assert refusal(service.delete_saved_filter, inner)[:2] == (Conflict, "saved_filter_in_use")
    assert refusal(service.delete_saved_filter, outer)[:2] == (Conflict, "saved_filter_in_use")
    service.update_case_list(listed, {"filter": None}, None)
    service.delete_saved_filter(outer)
    service.delete_saved_filter(inner)
    assert refusal(service.get_saved_filter, inner)[0] is NotFound


def test_a_blank_is_no_name(office: Office) -> None:
    service = office.service
    saved, made = service.create_saved_filter("F", OPEN)["id"], service.create_case_list(name="L")["id"]
    for call, *given in (
        (service.create_saved_filter, " ", OPEN),
        (service.update_saved_filter, saved, {"name": " "}, None),
        (partial(service.create_case_list, name="\u2003"),),
        (service.update_case_list, made, {"name": " "}, None),
    ):
        assert refusal(call, *given) == (Invalid, "invalid_input", ["name"])


# Case lists


def test_a_case_list_is_kept_as_written(office: Office, cases: list[str]) -> None:
    service = office.service
    made = service.create_case_list(name="L", include_ids=[cases[1], cases[1]], exclude_ids=[cases[0]], filter=OPEN)
    assert (made["include_ids"], made["exclude_ids"], made["case_count"]) == ([cases[1]], [cases[0]], 5)
    assert made == service.get_case_list(made["id"])
    changed = service.update_case_list(made["id"], {"filter": None, "description": "D", "include_ids": cases[2:4]}, 1)
    assert (changed["case_count"], changed["version"], changed["exclude_ids"]) == (2, 2, [cases[0]])
    assert service.update_case_list(made["id"], {"description": "D"}, 2)["version"] == 2
    assert refusal(service.update_case_list, made["id"], {"name": "M"}, 1)[1] == "stale_version"
    assert refusal(service.create_case_list, name="L")[:2] == (Conflict, "name_taken")
    assert refusal(service.create_case_list, name="N", include_ids=[new_id()])[:2] == (NotFound, "case_not_found")
    bad = {"field": "colour", "op": "eq", "value": 1}
    assert refusal(service.create_case_list, name="N", filter=bad) == (Invalid, "invalid_filter", ["filter.field"])
    assert len(service.list_case_lists(limit=5, cursor=None, sort="-name")["data"]) == 1
    service.delete_case_list(made["id"])
    assert service.list_case_lists(limit=5, cursor=None, sort=None)["data"] == []


def test_a_page_of_case_lists_counts_the_ids_and_names_none(office: Office, cases: list[str]) -> None:
    made = office.service.create_case_list(name="A", include_ids=cases[:2], exclude_ids=cases[2:3], filter=OPEN)
    office.service.create_case_list(name="B")
    page = office.service.list_case_lists(limit=5, cursor=None, sort=None)["data"]
    assert [(row["include_count"], row["exclude_count"]) for row in page] == [(2, 1), (0, 0)]
    both = made.keys() & page[0].keys()
    assert made.keys() - both == {"include_ids", "exclude_ids"}
    assert all(page[0][name] == made[name] for name in both)


def test_a_list_whose_filter_no_longer_holds_selects_nothing_and_says_so(office: Office, cases: list[str]) -> None:
    kind = office.service.list_case_types(limit=1, cursor=None, sort=None)["data"][0]
    wire = {"field": "custom_fields.court", "op": "ne", "value": "north"}
    made = office.service.create_case_list(name="L", filter=wire, include_ids=cases[:1])
    assert made["case_count"] == 6
    without = [field for field in PROBATE["custom_fields"] if field["key"] != "court"]
    office.service.update_case_type(kind["id"], {"custom_fields": without}, None)
    assert office.service.get_case_list(made["id"])["case_count"] is None
    assert refusal(office.select, case_list_ids=[made["id"]]) == (
        Invalid, "invalid_filter", ["selector.case_list_ids.0.field"],
    )  # fmt: skip


def test_the_filters_of_lists_are_together_no_longer_than_a_statement_may_be(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [office.service.create_case_list(name=f"L{number}", filter=OPEN)["id"] for number in range(2)]
    monkeypatch.setattr(case_lists, "MOST_CONDITIONS", 1)
    assert office.selected(case_list_ids=made[:1]) == []
    refused = (Invalid, "invalid_filter", ["selector.case_list_ids"])
    assert refusal(office.select, case_list_ids=made) == refused
