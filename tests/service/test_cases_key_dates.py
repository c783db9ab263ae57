"""Days that matter in a case. (The filter over them is held to its model with the others, in test_cases_filters.)"""

from __future__ import annotations

import base64
import datetime as dt
from functools import partial
from typing import Any

import orjson
import pytest

from chassis.columns import new_id, utc_now
from chassis.firm_days import CACHE_SECONDS, Zones
from contracts.accounts import GET_FIRM
from contracts.cases import CASE_CHANGED, CREATE_CASE
from contracts.errors import Invalid, NotFound, Unavailable
from services.cases.data_exports import export_client_data
from services.cases.looking_ahead import KeptSelections
from services.cases.models import Base
from tests.service.cases_office import Office, events, listed, refusal
from tests.service.test_cases_erasing import erase

HEARING, DEADLINE = dt.date(2027, 1, 8), dt.date(2027, 2, 28)
DATES = [{"label": "Hearing", "day": HEARING}, {"label": "Deadline", "day": DEADLINE}]


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def test_key_dates_are_kept_in_their_order_and_replaced_as_a_whole(office: Office) -> None:
    kind = office.case_type()
    case, other = office.case(kind, key_dates=DATES), office.case(kind)
    assert (case["key_dates"], other["key_dates"]) == (DATES, [])
    assert {row["id"]: row["key_dates"] for row in listed(office)} == {case["id"]: DATES, other["id"]: []}
    update = office.service.update_case
    assert update(case["id"], {"key_dates": DATES}, None)["version"] == 1
    assert update(case["id"], {"key_dates": DATES[::-1]}, None)["key_dates"] == DATES[::-1]
    assert update(case["id"], {"name": "B"}, None)["key_dates"] == DATES[::-1]
    assert update(case["id"], {"key_dates": []}, None)["key_dates"] == []
    assert [event["changed"] for event in events(office, CASE_CHANGED)] == [["key_dates"], ["name"], ["key_dates"]]


def test_cases_are_found_by_any_of_their_key_dates(office: Office) -> None:
    kind = office.case_type()
    today = utc_now().date()
    near = office.case(kind, key_dates=[{"label": "H", "day": today + dt.timedelta(days=days)} for days in (-9, 3)])
    office.case(kind, key_dates=[{"label": "H", "day": today + dt.timedelta(days=30)}])
    none = office.case(kind)
    soon = {"field": "key_dates", "op": "within_next_days", "value": 7}
    assert office.selected(case_filter=soon) == [near["id"]]
    assert office.selected(case_filter={"field": "key_dates", "op": "is_empty"}) == [none["id"]]


def days_away(*days: int, label: str = "Hearing") -> list[dict[str, Any]]:
    return [{"label": label, "day": utc_now().date() + dt.timedelta(days=number)} for number in days]


def test_cases_are_found_by_the_key_dates_under_a_label(office: Office) -> None:
    kind = office.case_type()
    hearing = office.case(kind, key_dates=[*days_away(3, label=" Hearing "), *days_away(40, label="Deadline")])
    deadline = office.case(kind, key_dates=[*days_away(40), *days_away(3, label="Deadline")])
    none = office.case(kind)

    def found(label: str, op: str, value: Any = None) -> list[str]:
        return office.selected(case_filter={"field": f"key_dates.{label}", "op": op, "value": value})

    assert found("Hearing", "within_next_days", 7) == found("hearing", "within_next_days", 7) == [hearing["id"]]
    assert found("Deadline", "within_next_days", 7) == [deadline["id"]]
    assert found("Deadline", "is_empty") == [none["id"]]
    assert found("Filing, by post", "is_not_empty") == []
    assert len(found("Filing, by post", "ne", "2026-01-01")) == 3
    office.service.update_case(hearing["id"], {"key_dates": days_away(3, label="Deadline")}, None)
    assert found("Hearing", "within_next_days", 7) == []
    for name in ("", "  ", "x" * 121, "\x00"):
        wire = {"field": f"key_dates.{name}", "op": "is_empty"}
        assert refusal(Invalid, office.select, case_filter=wire) == ("invalid_filter", ["selector.case_filter.field"])


def test_days_are_those_of_the_firms_zone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = office.case_type()
    # On 8 January in Auckland, on 7 January elsewhere.
    evening = dt.datetime(2027, 1, 7, 13, 0, tzinfo=dt.UTC)
    monkeypatch.setattr("services.cases.dependencies.utc_now", lambda: evening)
    eighth = office.case(kind, key_dates=[DATES[0]])
    today = {"field": "key_dates.Hearing", "op": "within_next_days", "value": 0}
    saved = {"saved_filter_id": office.service.create_saved_filter("Today", today)["id"]}
    asked = [{"case_filter": today}, {"case_filter": saved}]
    asked.append({"case_list_ids": [office.service.create_case_list(name="Today", filter=saved)["id"]]})
    for zone, expected in (("America/New_York", []), ("Pacific/Auckland", [eighth["id"]])):
        office.time_zone, office.service.zones = zone, Zones()
        assert [office.selected(**selector) for selector in asked] == [expected] * 3
        assert [row["id"] for row in listed(office, filter=saved)] == expected
        assert office.service.get_case_list(asked[2]["case_list_ids"][0])["case_count"] == len(expected)


def made_at(office: Office, monkeypatch: pytest.MonkeyPatch, at: dt.datetime) -> str:
    monkeypatch.setattr("services.cases.entrypoints.records.utc_now", lambda: at)
    case: str = office.case(office.case_type(name=f"At {at}"))["id"]
    return case


def test_an_instant_is_compared_by_its_day_in_the_firms_zone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    # On 8 January in Auckland, on 7 January elsewhere.
    evening = dt.datetime(2027, 1, 7, 13, 0, tzinfo=dt.UTC)
    case = made_at(office, monkeypatch, evening)
    monkeypatch.setattr("services.cases.dependencies.utc_now", lambda: evening + dt.timedelta(days=1))
    on_it = {"field": "created_at", "op": "eq", "value": "2027-01-08"}
    before = {"field": "created_at", "op": "older_than_days", "value": 0}
    for zone, expected in (("America/New_York", []), ("Pacific/Auckland", [case])):
        office.time_zone, office.service.zones = zone, Zones()
        assert office.selected(case_filter=on_it) == [row["id"] for row in listed(office, filter=on_it)] == expected
        assert office.selected(case_filter=before) == [case]
    office.service.zones = Zones()
    office.select(case_filter={"field": "created_at", "op": "gt", "value": evening.isoformat()})
    office.select(case_filter={"field": "key_dates", "op": "eq", "value": "2027-01-08"})
    assert len(office.calls.asked(GET_FIRM)) == 2  # once for each zone, and not where no day of the firm's is asked for


def test_each_page_of_a_selection_has_days_of_one_zone_in_winter_as_in_summer(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half past midnight in the summer time of New York, which is an hour before midnight by its clocks in winter.
    made = sorted(
        made_at(office, monkeypatch, dt.datetime(2026, 7, 1, 4, 30, second, tzinfo=dt.UTC)) for second in (1, 2)
    )
    monkeypatch.setattr("services.cases.dependencies.utc_now", lambda: dt.datetime(2027, 1, 7, 13, 0, tzinfo=dt.UTC))
    in_july = {"case_filter": {"field": "created_at", "op": "gte", "value": "2026-07-01"}}
    first = office.select(**in_july, limit=1)
    office.service.kept_selections = KeptSelections()
    second = office.select(**in_july, limit=1, cursor=first["meta"]["next_cursor"])
    assert [row["case_id"] for row in first["data"] + second["data"]] == made
    packed = orjson.loads(base64.b64decode(first["meta"]["next_cursor"] + "=="))
    for zone in ("Mars/Olympus", "../etc/passwd", "America", "", 7):
        cursor = base64.urlsafe_b64encode(orjson.dumps([*packed[:4], zone])).decode()
        assert refusal(Invalid, office.select, cursor=cursor, **in_july)[0] == "invalid_cursor"


def test_a_zone_is_asked_for_where_days_are_counted_and_kept_for_a_moment(office: Office) -> None:
    office.case(office.case_type())
    office.select(case_filter={"field": "key_dates", "op": "is_empty"})
    assert office.calls.asked(GET_FIRM) == []
    soon = {"field": "key_dates", "op": "within_next_days", "value": 7}
    first = office.service.zones
    for _ in range(2):
        office.select(case_filter={"not": soon})
    assert len(office.calls.asked(GET_FIRM)) == 1

    def away() -> Any:
        raise Unavailable("accounts_unavailable")

    office.calls.answers[GET_FIRM] = away
    first._fresh.clear()  # as after CACHE_SECONDS
    assert CACHE_SECONDS > 0
    office.select(case_filter=soon)
    office.service.zones = Zones()
    assert refusal(Unavailable, office.select, case_filter=soon)[0] == "accounts_unavailable"


def test_lists_are_shown_and_changed_while_accounts_is_away_unless_they_count_days(office: Office) -> None:
    service = office.service
    soon = {"field": "key_dates", "op": "within_next_days", "value": 7}
    counting = service.create_case_list(name="Soon", filter=soon)["id"]
    plain = service.create_case_list(name="Plain", filter={"field": "key_dates", "op": "is_empty"})["id"]
    assert len(office.calls.asked(GET_FIRM)) == 1

    def away() -> Any:
        raise Unavailable("accounts_unavailable")

    office.calls.answers[GET_FIRM] = away
    service.zones = Zones()
    assert service.get_case_list(plain)["case_count"] == 0
    assert service.update_case_list(plain, {"name": "Plainer"}, None)["name"] == "Plainer"
    assert service.list_case_lists(limit=1, cursor=None, sort="name")["data"][0]["id"] == plain
    assert office.selected(case_list_ids=[plain]) == []
    for call in (
        partial(service.get_case_list, counting),
        partial(service.update_case_list, counting, {"name": "Sooner"}, None),
        partial(service.update_case_list, plain, {"filter": soon}, None),
        partial(service.list_case_lists, limit=2, cursor=None, sort="name"),
        partial(office.select, case_list_ids=[plain, counting]),
    ):
        assert refusal(Unavailable, call)[0] == "accounts_unavailable"
    assert refusal(NotFound, service.update_case_list, new_id(), {}, None)[0] == "case_list_not_found"


@pytest.mark.parametrize(
    ("dates", "place"),
    [([*DATES, DATES[0]], "key_dates.2"), ([{"label": "  ", "day": HEARING}], "key_dates.0.label")],
)
def test_a_date_twice_or_without_a_name_is_refused(office: Office, dates: list[dict[str, Any]], place: str) -> None:
    kind = office.case_type()
    assert refusal(Invalid, office.case, kind, key_dates=dates) == ("invalid_input", [place])
    case = office.case(kind)
    assert refusal(Invalid, office.service.update_case, case["id"], {"key_dates": dates}, None)[1] == [place]
    assert office.service.get_case(case["id"]) == case


@pytest.mark.parametrize(
    "dates",
    [
        [{"label": f"D{number}", "day": "2027-01-08"} for number in range(51)], [{"label": "H", "day": "8 January"}],
        [{"label": "H"}], [{"day": "2027-01-08"}], [{"label": "H" * 121, "day": "2027-01-08"}], [None], None,
    ],
)  # fmt: skip
def test_what_is_no_list_of_up_to_fifty_dates_is_refused(dates: Any) -> None:
    command = {**CREATE_CASE.example, "key_dates": dates}
    assert list(CREATE_CASE.request().validate(command)) == ["key_dates"]


def test_key_dates_are_handed_out_and_go_with_the_person_they_are_about(office: Office) -> None:
    client_id = office.client()
    case = office.case(office.case_type(), clients=[{"client_id": client_id}], key_dates=DATES)
    pages = export_client_data(office.db, client_id=client_id)["entries"]
    told = [entry["data"] for entry in pages if entry["kind"] == "case_key_date"]
    assert all("label_folded" not in entry for entry in told)
    assert sorted((entry["label"], entry["day"]) for entry in told) == [
        ("Deadline", "2027-02-28"), ("Hearing", "2027-01-08")
    ]  # fmt: skip
    office.service.update_case(case["id"], {"name": case["number"]}, None)
    erase(office, client_id)
    assert office.service.get_case(case["id"])["key_dates"] == []
    assert "key_dates" in events(office, CASE_CHANGED)[-1]["changed"]
