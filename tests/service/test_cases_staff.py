"""Who is named on a case must work at the firm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.database import Database
from contracts.accounts import GET_STAFF_FACTS
from contracts.cases import CASE_CHANGED, CASE_CREATED
from contracts.clients import CREATE_CLIENT
from contracts.errors import Invalid, NotFound, Unavailable
from services.cases.models import Base
from tests.service.cases_office import Office, events, listed, refusal


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


@pytest.fixture
def small_office(emptied_sqlite: Callable[[Any], Database]) -> Office:
    """On SQLite only: for what is refused before SQL could differ."""
    return Office(emptied_sqlite(Base))


@pytest.mark.parametrize(
    ("named", "code", "places"),
    [
        ({"responsible_staff_id": "nobody"}, "unknown_staff", ["responsible_staff_id"]),
        ({"responsible_staff_id": "left"}, "inactive_staff", ["responsible_staff_id"]),
        ({"staff_ids": ["here", "nobody"]}, "unknown_staff", ["staff_ids.1"]),
        ({"staff_ids": ["left", "here"]}, "inactive_staff", ["staff_ids.0"]),
        (
            {"responsible_staff_id": "left", "staff_ids": ["here", "nobody"]},
            "unknown_staff",
            ["staff_ids.1", "responsible_staff_id"],
        ),
    ],
)
def test_who_does_not_work_here_is_refused_by_name(
    small_office: Office, named: dict[str, Any], code: str, places: list[str]
) -> None:
    ids = {"here": small_office.staff(), "left": small_office.staff(active=False), "nobody": new_id()}
    given = {
        name: [ids[one] for one in value] if isinstance(value, list) else ids[value] for name, value in named.items()
    }
    kind = small_office.case_type()
    assert refusal(Invalid, small_office.case, kind, **given) == (code, places)
    new_client = {"first_name": "Ann", "skip_duplicate_check": False}
    assert refusal(Invalid, small_office.case, kind, new_client=new_client, **given) == (code, places)
    assert small_office.calls.asked(CREATE_CLIENT) == []
    assert (listed(small_office), events(small_office, CASE_CREATED)) == ([], [])
    case = small_office.case(kind)
    assert refusal(Invalid, small_office.service.update_case, case["id"], given, None) == (code, places)
    assert small_office.service.get_case(case["id"]) == case


def test_only_who_is_newly_named_is_asked_about_in_one_call(office: Office) -> None:
    responsible, other, new = (office.staff() for _ in range(3))
    case = office.case(office.case_type(), responsible_staff_id=responsible, staff_ids=[other, responsible])
    assert office.calls.asked(GET_STAFF_FACTS) == [{"staff_ids": sorted([responsible, other])}]
    for left in (responsible, other):
        office.colleagues[left]["active"] = False
    update = office.service.update_case
    again = {"responsible_staff_id": responsible, "staff_ids": [responsible, other]}
    assert update(case["id"], again, None)["staff_ids"] == [responsible, other]
    update(case["id"], {"name": "B", "responsible_staff_id": None, "staff_ids": [other]}, None)
    assert len(office.calls.asked(GET_STAFF_FACTS)) == 1
    update(case["id"], {"staff_ids": [other, new]}, None)
    assert office.calls.asked(GET_STAFF_FACTS)[1:] == [{"staff_ids": [new]}]
    # On its staff, but no more the one who looks after it: that is a place to be named for anew.
    promoted = {"responsible_staff_id": other}
    assert refusal(Invalid, update, case["id"], promoted, None) == ("inactive_staff", ["responsible_staff_id"])
    assert refusal(Invalid, update, case["id"], {"responsible_staff_id": responsible}, None)[0] == "inactive_staff"
    assert len(events(office, CASE_CHANGED)) == 3


def test_while_accounts_cannot_be_asked_nothing_is_written(office: Office) -> None:
    kind, staff_id = office.case_type(), office.staff()
    case = office.case(kind)

    def unavailable(staff_ids: list[str]) -> Any:
        raise Unavailable("bus_unavailable")

    office.calls.answers[GET_STAFF_FACTS] = unavailable
    assert refusal(Unavailable, office.case, kind, staff_ids=[staff_id])[0] == "bus_unavailable"
    change = {"name": "B", "staff_ids": [staff_id]}
    assert refusal(Unavailable, office.service.update_case, case["id"], change, None)[0] == "bus_unavailable"
    assert listed(office) == [case]
    assert office.service.update_case(case["id"], {"name": "B"}, None)["name"] == "B", "nobody is named"


def test_a_case_that_is_not_there_is_told_before_its_staff_is_asked_about(small_office: Office) -> None:
    change = {"staff_ids": [new_id()]}
    assert refusal(NotFound, small_office.service.update_case, new_id(), change, None)[0] == "case_not_found"
    assert small_office.calls.asked(GET_STAFF_FACTS) == []
