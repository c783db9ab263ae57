"""Consent beyond a single reply: what people said elsewhere, the ledger, and preferences."""

from __future__ import annotations

import datetime as dt

import pytest

from chassis.columns import new_id
from contracts import clients
from contracts.errors import Invalid, NotFound
from contracts.messaging import CONSENT_CHANGED
from services.messaging import consent
from tests.service.consents import NUMBER, known_by, ledger, record, says, set_wants, state, told, wants
from tests.service.messaging_desk import Desk, desk

__all__ = ["desk"]


# What people said elsewhere


def test_statements_are_normalised_recorded_once_and_add_up(desk: Desk) -> None:
    person = desk.person()
    entries = [
        says("(212) 555-8000", words="on the intake form"),
        says("+1 212 555 8000"),
        says("Ann@Example.COM", channel="email"),
        {"channel": "phone", "address": None, "client_id": person, "state": "opted_out"},
    ]
    assert record(desk, *entries) == {"recorded": 3, "unchanged": 1, "kept": 0}
    assert record(desk, *entries) == {"recorded": 0, "unchanged": 4, "kept": 0}
    assert state(desk, "sms", consent.address_key("+12125558000")) == "opted_out"
    assert state(desk, "email", consent.address_key("ann@example.com")) == "opted_out"
    (entry,) = ledger(desk, address=NUMBER)
    assert entry["source"] == "staff"
    assert entry["evidence"] == {"words": "on the intake form", "actor_id": desk.staff_id}


def test_an_import_never_lifts_an_opt_out_and_staff_may(desk: Desk) -> None:
    desk.reply(NUMBER, "STOP")
    opt_in = says(state="opted_in")
    assert record(desk, opt_in, source="import") == {"recorded": 0, "unchanged": 0, "kept": 1}
    assert record(desk, says("+12125558001"), says("+12125558001", "opted_in"), source="import")["kept"] == 1
    assert state(desk, "sms", consent.address_key(NUMBER)) == "opted_out"
    assert record(desk, opt_in) == {"recorded": 1, "unchanged": 0, "kept": 0}
    assert state(desk, "sms", consent.address_key(NUMBER)) == "opted_in"


def test_what_was_said_before_a_stop_does_not_lift_it(desk: Desk) -> None:
    now = dt.datetime.now(dt.UTC)
    desk.clock.now = now
    desk.reply(NUMBER, "STOP")
    before, after = now - dt.timedelta(days=1), now + dt.timedelta(days=1)
    assert record(desk, says(state="opted_in", said_at=before))["kept"] == 1
    assert record(desk, says(state="opted_in", said_at=after))["recorded"] == 1


def test_statements_that_are_wrong_are_named_and_nothing_is_recorded(desk: Desk) -> None:
    with pytest.raises(Invalid) as caught:
        record(desk, says(), says("12"), says("nobody", channel="email"), says("+1 212 555 8000 ext 3"))
    assert [entry["field"] for entry in caught.value.fields] == [f"entries.{n}.address" for n in (1, 2, 3)]
    with pytest.raises(NotFound, match="client_not_found"):
        record(desk, says(), {"channel": "sms", "address": None, "client_id": new_id(), "state": "opted_out"})
    assert ledger(desk) == []


def test_a_thousand_statements_are_few_statements_to_the_database(desk: Desk) -> None:
    entries = [says(f"+1212555{number:04d}") for number in range(2000, 3000)]
    assert record(desk, *entries, source="import") == {"recorded": 1000, "unchanged": 0, "kept": 0}
    assert len(desk.emitted(CONSENT_CHANGED)) == 1000


# The ledger


def test_the_ledger_is_filtered_by_channel_state_and_time(desk: Desk) -> None:
    desk.reply(NUMBER, "STOP")
    noon = desk.clock()
    desk.clock.advance(hours=1)
    desk.reply(NUMBER, "START")
    record(desk, says("ann@example.com", channel="email"))
    assert told(desk, channel="email") == [("email", "opted_out", "staff")]
    assert told(desk, state="opted_in") == [("sms", "opted_in", "reply")]
    later = noon + dt.timedelta(hours=1)
    assert told(desk, channel="sms", since=noon, until=later) == [("sms", "opted_out", "reply")]
    assert told(desk, channel="sms", since=later) == [("sms", "opted_in", "reply")]


def test_a_clients_ledger_shows_what_it_was_written_to_at_and_its_present_addresses(desk: Desk) -> None:
    person = known_by(desk)
    desk.reply(NUMBER, "STOP")
    record(desk, says("+12125558001"), says("new@example.com", channel="email"), says("+12125558002"))
    desk.calls.answers[clients.GET_CLIENT] = lambda client_id: {
        "id": client_id,
        "phones": [{"number": "+12125558001", "kind": "mobile", "primary": True}],
        "emails": [{"address": "New@example.com", "primary": True}],
    }
    assert [entry["address"] for entry in ledger(desk, client_id=person)] == [NUMBER, "+12125558001", "new@example.com"]


def test_an_erased_clients_proof_stays_and_is_shown(desk: Desk) -> None:
    person = known_by(desk)
    desk.reply(NUMBER, "STOP")
    desk.people.pop(person)
    assert told(desk, client_id=person) == [("sms", "opted_out", "reply")]


# Preferences


def test_the_phone_channel_goes_by_the_clients_phone(desk: Desk) -> None:
    person = desk.person(NUMBER, phone="+12125558009")
    record(desk, says("+12125558009", channel="phone"))
    assert wants(desk, person) == (None, None, "opted_out")


def test_a_preference_is_recorded_if_it_or_its_source_is_new(desk: Desk) -> None:
    person = desk.person(NUMBER)
    for source in ("staff", "staff", "portal", "portal", "staff"):
        set_wants(desk, person, source=source, sms="opted_in")
    assert told(desk, client_id=person) == [
        ("sms", "opted_in", "staff"), ("sms", "opted_in", "portal"), ("sms", "opted_in", "staff"),
    ]  # fmt: skip


def test_a_preference_does_not_lift_what_the_address_said(desk: Desk) -> None:
    person = desk.person(NUMBER)
    desk.reply(NUMBER, "STOP")
    assert set_wants(desk, person, sms="opted_in", source="portal")["sms"] == "opted_out"


def test_a_client_whose_number_changes_to_one_that_opted_out_is_blocked_and_its_own_opt_out_stays(desk: Desk) -> None:
    person = desk.person(NUMBER)
    desk.reply("+12125558001", "STOP")
    desk.people[person]["sms"] = "+12125558001"  # by an answer that is mapped, or a re-import
    batch_id = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}
    set_wants(desk, person, sms="opted_out")
    desk.people[person]["sms"] = "+12125558002"
    again = desk.ask([desk.item(person)])
    desk.run()
    assert desk.outcome(again) == {"opted_out": 1}
    assert state(desk, "sms", consent.address_key("+12125558001")) == "opted_out"
