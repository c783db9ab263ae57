"""cases: clients of cases that were merged."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.testing import deliver, outbox_events, received
from contracts import clients, messaging
from contracts.cases import CASE_CHANGED
from contracts.errors import Invalid
from services.cases import reading
from services.cases.models import Base, ClientMergeMove
from tests.service.cases_office import Office
from tests.service.merges import Merge
from tests.service.one_database import on_one_database


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def on_case(office: Office, case_id: str) -> list[tuple[str, str, str | None]]:
    found = reading.get_case(office.db, case_id)["clients"]
    return [(entry["client_id"], entry["role"], entry["label"]) for entry in found]


def merge(office: Office, surviving_id: str, merged_id: str) -> Merge:
    return Merge(office.service, office.firm_id, surviving_id, merged_id)


def told(office: Office) -> list[dict[str, Any]]:
    return [event.data for event in outbox_events(office.db, CASE_CHANGED) if event.firm_id == office.firm_id]


@on_one_database
def test_the_survivor_takes_the_place_on_the_cases_and_gives_it_back(office: Office) -> None:
    one, two, spouse = office.client(), office.client(), office.client()
    kind = office.case_type()
    entries = [
        {"client_id": two, "role": "primary"},
        {"client_id": spouse, "role": "additional", "label": "spouse"},
    ]
    mine = office.case(kind, clients=entries)
    own = office.case(kind, clients=[{"client_id": one}])
    made = merge(office, one, two).told()
    assert on_case(office, mine["id"]) == [(one, "primary", None), (spouse, "additional", "spouse")]
    assert reading.get_case(office.db, mine["id"])["version"] == mine["version"] + 1
    assert reading.get_case(office.db, own["id"]) == own
    [event] = told(office)
    assert (event["case_id"], event["client_ids"], event["changed"]) == (mine["id"], [one, spouse], ["clients"])
    since = office.case(kind, clients=[{"client_id": one}])
    made.undone()
    assert on_case(office, mine["id"]) == [(two, "primary", None), (spouse, "additional", "spouse")]
    for case in (own, since):
        assert on_case(office, case["id"]) == [(one, "primary", None)]


@pytest.mark.parametrize("merged_is_primary", [True, False])
@on_one_database
def test_two_on_one_case_become_one_who_is_primary_if_either_was(office: Office, merged_is_primary: bool) -> None:
    one, two = office.client(), office.client()
    primary, other = (two, one) if merged_is_primary else (one, two)
    entries = [
        {"client_id": primary, "role": "primary"},
        {"client_id": other, "role": "additional", "label": "guarantor"},
    ]
    case = office.case(office.case_type(), clients=entries)
    before = on_case(office, case["id"])
    made = merge(office, one, two).told()
    assert on_case(office, case["id"]) == [(one, "primary", None)]
    made.undone()
    assert sorted(on_case(office, case["id"])) == sorted(before)


def test_two_additional_ones_keep_a_label(office: Office) -> None:
    one, two, first = office.client(), office.client(), office.client()
    entries = [
        {"client_id": first}, {"client_id": one, "role": "additional"},
        {"client_id": two, "role": "additional", "label": "spouse"},
    ]  # fmt: skip
    case = office.case(office.case_type(), clients=entries)
    merge(office, one, two).told()
    assert on_case(office, case["id"]) == [(first, "primary", None), (one, "additional", "spouse")]


@on_one_database
def test_what_staff_changed_since_stands(office: Office) -> None:
    one, two, third = office.client(), office.client(), office.client()
    entries = [{"client_id": two, "role": "primary"}, {"client_id": one, "role": "additional"}]
    kind = office.case_type()
    changed, taken = office.case(kind, clients=entries), office.case(kind, clients=[{"client_id": two}])
    made = merge(office, one, two).told()
    with office.as_staff():
        for case, clients_now in (
            (changed, [{"client_id": third, "role": "primary"}, {"client_id": one, "role": "additional"}]),
            (taken, [{"client_id": third}]),
        ):
            office.service.update_case(case["id"], {"clients": clients_now}, None)
    made.undone()
    assert sorted(on_case(office, changed["id"])) == sorted(
        [(third, "primary", None), (one, "additional", None), (two, "additional", None)]
    )
    assert on_case(office, taken["id"]) == [(third, "primary", None)]


def test_a_case_that_was_just_made_for_the_merged_client_follows_when_it_is_told_again(office: Office) -> None:
    one, two = office.client(), office.client()
    made = merge(office, one, two).told()
    late = office.case(office.case_type(), clients=[{"client_id": two}])
    made.told()
    assert on_case(office, late["id"]) == [(one, "primary", None)]
    made.undone()
    assert on_case(office, late["id"]) == [(two, "primary", None)]


def test_an_undo_that_comes_first_leaves_everything_where_it_is(office: Office) -> None:
    one, two = office.client(), office.client()
    case = office.case(office.case_type(), clients=[{"client_id": two}])
    merge(office, one, two).undone().told()
    assert on_case(office, case["id"]) == [(two, "primary", None)]
    assert told(office) == []


@on_one_database
def test_merges_in_a_row_are_followed_in_any_order(office: Office) -> None:
    one, two, three = office.client(), office.client(), office.client()
    case = office.case(
        office.case_type(), clients=[{"client_id": three, "role": "primary"}, {"client_id": two, "role": "additional"}]
    )
    before = on_case(office, case["id"])
    first, second = merge(office, two, three), merge(office, one, two)
    second.told()
    first.told()
    assert on_case(office, case["id"]) == [(one, "primary", None)]
    second.undone()
    assert on_case(office, case["id"]) == [(two, "primary", None)]
    first.undone()
    assert sorted(on_case(office, case["id"])) == sorted(before)


@on_one_database
def test_consent_of_the_merged_client_is_the_survivors_to_filter_by(office: Office) -> None:
    one, two = office.client(), office.client()
    case = office.case(office.case_type(), clients=[{"client_id": two}])
    merge(office, one, two).told()
    data = {
        "consent_id": new_id(), "channel": "sms", "state": "opted_out", "holds": "opted_out", "source": "reply",
        "client_ids": [two],
    }  # fmt: skip
    deliver(office.service, "follow_consents", received(messaging.CONSENT_CHANGED, data, firm_id=office.firm_id))
    wanted = {"field": "clients.consent.sms", "op": "eq", "value": "opted_out"}
    assert office.selected(case_filter=wanted) == [case["id"]]


def test_a_merged_client_is_put_on_no_case(office: Office) -> None:
    one, two = office.client(), new_id()
    office.calls.answers[clients.GET_CLIENT_FACTS] = lambda client_ids: {
        "clients": [], "merged": [{"client_id": two, "surviving_id": one}]
    }  # fmt: skip
    with pytest.raises(Invalid) as caught:
        office.case(office.case_type(), clients=[{"client_id": two}])
    assert caught.value.fields == [{"field": "clients.0.client_id", "message": "Merged into another client."}]


def test_of_an_erased_client_nothing_is_remembered(office: Office) -> None:
    one, two, first = office.client(), office.client(), office.client()
    entries = [{"client_id": first}, {"client_id": two, "role": "additional", "label": "spouse"}]
    office.case(office.case_type(), clients=entries)
    merge(office, one, two).told()
    with office.db.read() as session:
        assert len(session.scalars(select(ClientMergeMove)).all()) == 1
    data = {"client_id": one, "erasure_id": new_id(), "version": 9, "client_ids": [one, two]}
    deliver(office.service, "forget_clients", received(clients.CLIENT_ERASED, data, firm_id=office.firm_id))
    with office.db.read() as session:
        assert session.scalars(select(ClientMergeMove)).all() == []
