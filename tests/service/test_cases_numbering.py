"""Series of case numbers: the firm's, and those of types of case, by year in the firm's zone."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest
from sqlalchemy import event

from chassis.columns import new_id
from contracts.accounts import GET_FIRM
from contracts.cases import CREATE_CASE_TYPE
from contracts.errors import Conflict, Unavailable
from services.cases.models import Base, Case
from services.cases.records import add_case, create_case
from tests.service.cases_office import NOW, Office, refusal
from tests.service.one_database import on_one_database
from tests.service.races import until_held_up


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def in_zone(office: Office, zone: str) -> None:
    office.calls.answers[GET_FIRM] = lambda: {"time_zone": zone}


def numbers(office: Office, kind: dict[str, Any], count: int = 2) -> list[str]:
    return [office.case(kind)["number"] for _ in range(count)]


def created(office: Office, kind: dict[str, Any], at: str) -> str:
    """The number of a case that is created at a moment."""
    command = {"case_type_id": kind["id"], "name": "A case", "clients": [{"client_id": office.client()}]}
    return create_case(office.db, office.calls, command, actor_id=None, now=dt.datetime.fromisoformat(at))["number"]


@on_one_database
def test_types_with_a_beginning_of_their_own_have_a_series_of_their_own(office: Office) -> None:
    plain = office.case_type()
    probate = office.case_type(name="Probates", number_prefix="PR-", number_digits=4)
    shared = office.case_type(name="Estates", number_prefix="PR-", number_digits=3)
    assert numbers(office, plain) == ["000001", "000002"]
    assert numbers(office, probate) == ["PR-0001", "PR-0002"]
    assert numbers(office, shared) == ["PR-003", "PR-004"]
    assert numbers(office, plain, 1) == ["000003"]
    assert office.calls.asked(GET_FIRM) == []


def test_a_series_passes_over_numbers_that_were_given_by_hand_and_never_gives_one_again(office: Office) -> None:
    kind = office.case_type(number_prefix="PR-")
    assert office.case(kind, number="PR-000002")["number"] == "PR-000002"
    assert numbers(office, kind) == ["PR-000001", "PR-000003"]
    assert refusal(Conflict, office.case, kind, number="PR-000003") == ("number_taken", ["number"])
    office.service.update_case_type(kind["id"], {"number_prefix": None}, None)
    assert numbers(office, kind, 1) == ["000001"]
    office.service.update_case_type(kind["id"], {"number_prefix": "PR-"}, None)
    assert numbers(office, kind, 1) == ["PR-000004"]


@on_one_database
def test_the_year_turns_when_it_does_in_the_firms_zone(office: Office) -> None:
    kind = office.case_type(number_prefix="PR-", number_yearly=True, number_digits=3)
    in_zone(office, "America/New_York")
    assert created(office, kind, "2027-01-01T04:59:59+00:00") == "PR-2026-001"
    assert created(office, kind, "2027-01-01T05:00:00+00:00") == "PR-2027-001"
    assert created(office, kind, "2026-12-31T12:00:00+00:00") == "PR-2026-002"
    in_zone(office, "Pacific/Auckland")
    assert created(office, kind, "2026-12-31T12:00:00+00:00") == "PR-2027-002"


def test_nothing_is_made_while_nobody_knows_the_firms_year(office: Office) -> None:
    kind = office.case_type(number_yearly=True)

    def away() -> Any:
        raise Unavailable("unavailable")

    office.calls.answers[GET_FIRM] = away
    assert refusal(Unavailable, office.case, kind)[0] == "unavailable"
    assert refusal(Unavailable, office.case, kind, new_client={"first_name": "Ann"})[0] == "unavailable"
    assert office.case(kind, number="by hand")["number"] == "by hand"
    in_zone(office, "UTC")
    assert office.case(kind, new_client={"first_name": "Ann"})["number"].endswith("-000001")


def test_two_series_give_each_number_once_to_cases_made_at_once(office: Office) -> None:
    kinds = [office.case_type(name=prefix, number_prefix=prefix) for prefix in ("A-", "B-")]
    made = eventlet.GreenPool(10).imap(lambda index: office.case(kinds[index % 2])["number"], range(40))
    assert sorted(made) == sorted(f"{prefix}{number:06}" for prefix in ("A-", "B-") for number in range(1, 21))


def test_a_firm_that_brought_its_cases_along_goes_on_after_them_at_once(office: Office) -> None:
    kind = office.case_type(number_prefix="PR-")
    numbers = [f"PR-{number:06}" for number in range(1, 3001) if number != 2500]
    same = {"case_type_id": kind["id"], "name": "Old", "name_folded": "old", "status": "New", "state": "open",
            "custom_fields": {}}  # fmt: skip
    with office.db.unit_of_work() as uow:
        uow.insert(Case, [{**same, "id": new_id(), "number": number, "number_folded": number} for number in numbers])
    ran: list[str] = []
    event.listen(office.db.engines.write, "before_cursor_execute", lambda *sent: ran.append(sent[2]))
    assert [office.case(kind)["number"] for _ in range(2)] == ["PR-002500", "PR-003001"]
    assert sum("FROM cases" in statement and "cases.number" in statement for statement in ran) < 40


def test_who_is_given_no_number_gets_another_if_the_next_one_is_taken_by_hand_at_this_moment(office: Office) -> None:
    kind = office.case_type()
    with office.db.unit_of_work() as uow:
        command = {"case_type_id": kind["id"], "name": "By hand", "number": "000001"}
        add_case(uow, command, [], actor_id=None, now=NOW)
        uow.session.flush()
        counting = eventlet.spawn(office.case, kind)
        until_held_up(office.db, counting)
    assert counting.wait()["number"] == "000002"


@pytest.mark.parametrize(
    "wrong",
    [
        {"number_prefix": "pr-"}, {"number_prefix": "P R"}, {"number_prefix": ""}, {"number_prefix": "P" * 11},
        {"number_prefix": "PR\n"}, {"number_digits": 2}, {"number_digits": 10}, {"number_digits": 4.0},
        {"number_yearly": "yes"}, {"archived": True},
    ],
)  # fmt: skip
def test_what_a_series_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    command = {"name": "Probate", "statuses": [{"name": "New"}], **wrong}
    assert list(CREATE_CASE_TYPE.request().validate(command)) == list(wrong)
