"""Lists and selections that ask about clients say how fresh what they know is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id, utc_now
from chassis.envelope import ReceivedEvent
from chassis.testing import deliver, received
from contracts.cases import GET_CASE_LIST, LIST_CASES, SELECT_CASES
from contracts.clients import CLIENT_CHANGED
from contracts.messaging import CONSENT_CHANGED
from services.cases import client_facts
from services.cases.models import Base
from tests.service.cases_office import NEWEST, Office

NOTHING = {"as_of": None, "delay_seconds": None}
EARLIER = dt.datetime(2026, 11, 20, 9, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
TAGGED = {"field": "clients.tags", "op": "contains", "value": "vip"}
TOLD_NO = {"field": "clients.consent.sms", "op": "eq", "value": "opted_out"}


@pytest.fixture
def office(new_database: Any) -> Office:
    return Office(new_database(Base))


def changed(office: Office, version: int, at: dt.datetime) -> ReceivedEvent:
    facts = {"client_id": new_id(), "version": version, "status": "active", "tags": [], "language": "en"}
    return received(CLIENT_CHANGED, {**facts, "changed": []}, firm_id=office.firm_id, time=at)


def told(office: Office, at: dt.datetime) -> ReceivedEvent:
    said = {"consent_id": new_id(), "channel": "sms", "state": "opted_out", "source": "reply", "client_ids": [new_id()]}
    return received(CONSENT_CHANGED, said, firm_id=office.firm_id, time=at)


def asked(office: Office, wire: dict[str, Any]) -> Any:
    """What a list and a selection by one filter say, which is the same."""
    listed = office.service.list_cases(q=None, state=None, case_type_id=None, client_id=None, filter=wire, **NEWEST)
    selected = office.select(case_filter=wire)
    assert listed["meta"].get("client_facts") == selected["meta"].get("client_facts")
    LIST_CASES.response().dump(listed)
    SELECT_CASES.response().dump(selected)
    return listed["meta"].get("client_facts")


def test_nothing_is_said_where_nothing_is_asked_of_clients(office: Office) -> None:
    deliver(office.service, "follow_changed_clients", changed(office, 1, EARLIER))
    assert asked(office, {"field": "state", "op": "eq", "value": "open"}) is None
    assert "client_facts" not in office.select(case_ids=[office.case(office.case_type())["id"]])["meta"]


def test_it_stands_still_while_events_are_held_back_and_moves_on_when_they_come(office: Office) -> None:
    assert asked(office, TAGGED) == NOTHING
    client_facts.apply_client_events(office.db, [changed(office, 1, EARLIER)], now=EARLIER + MINUTE)
    assert asked(office, TAGGED) == {"as_of": EARLIER, "delay_seconds": 60.0}
    held_back = changed(office, 2, EARLIER + MINUTE)
    late = changed(office, 3, EARLIER - MINUTE)
    client_facts.apply_client_events(office.db, [late], now=EARLIER + 2 * MINUTE)
    assert asked(office, TAGGED) == {"as_of": EARLIER, "delay_seconds": 60.0}
    client_facts.apply_client_events(office.db, [held_back], now=EARLIER + 10 * MINUTE)
    assert asked(office, TAGGED) == {"as_of": EARLIER + MINUTE, "delay_seconds": 540.0}


def test_an_event_that_comes_twice_counts_once(office: Office) -> None:
    event = changed(office, 1, utc_now())
    deliver(office.service, "follow_changed_clients", event)
    once = asked(office, TAGGED)
    deliver(office.service, "follow_changed_clients", event)
    assert asked(office, TAGGED) == once
    assert once["as_of"] == event.time
    assert 0 <= once["delay_seconds"] < 60


def test_of_two_sources_the_older_one_counts_and_only_where_both_are_asked(office: Office) -> None:
    client_facts.apply_client_events(office.db, [changed(office, 1, EARLIER + MINUTE)], now=EARLIER + MINUTE)
    both = {"or": [TAGGED, {"not": TOLD_NO}]}
    assert (asked(office, both), asked(office, TOLD_NO)) == (NOTHING, NOTHING)
    client_facts.apply_consents(office.db, [told(office, EARLIER)], now=EARLIER)
    assert asked(office, both)["as_of"] == asked(office, TOLD_NO)["as_of"] == EARLIER
    assert asked(office, TAGGED)["as_of"] == EARLIER + MINUTE
    neighbour = Office(office.db)
    assert asked(neighbour, both) == NOTHING


def test_lists_and_saved_filters_that_ask_about_clients_say_so(office: Office) -> None:
    client_facts.apply_client_events(office.db, [changed(office, 1, EARLIER)], now=EARLIER)
    saved = office.service.create_saved_filter("VIPs", TAGGED)
    assert asked(office, {"saved_filter_id": saved["id"]})["as_of"] == EARLIER
    fields = {"name": "VIPs", "description": None, "include_ids": [], "exclude_ids": []}
    dynamic = office.service.create_case_list(**fields, filter=TAGGED)
    assert office.select(case_list_ids=[dynamic["id"]])["meta"]["client_facts"]["as_of"] == EARLIER


def test_a_list_says_how_fresh_its_count_is(office: Office) -> None:
    made = {
        name: office.service.create_case_list(name=name, filter=wire)
        for name, wire in (("a static", None), ("consents", TOLD_NO), ("tags", TAGGED))
    }
    assert [made_list.get("client_facts") for made_list in made.values()] == [None, NOTHING, NOTHING]
    client_facts.apply_client_events(office.db, [changed(office, 1, EARLIER)], now=EARLIER + MINUTE)
    fresh = {"as_of": EARLIER, "delay_seconds": 60.0}
    page = office.service.list_case_lists(limit=5, cursor=None, sort=None)
    assert [row.get("client_facts") for row in page["data"]] == [None, NOTHING, fresh]
    one = office.service.get_case_list(made["tags"]["id"])
    renamed = office.service.update_case_list(made["tags"]["id"], {"name": "tagged"}, None)
    assert one["client_facts"] == renamed["client_facts"] == fresh
    GET_CASE_LIST.response().dump(one)
