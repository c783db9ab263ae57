"""What a STOP ends: its channel or all of them, as the firm says, and for whom."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from chassis.testing import deliver, received
from contracts import accounts
from contracts.messaging import CONSENT_CHANGED, MESSAGE_RECEIVED
from services.messaging import filing
from services.messaging.consents import consent_reviews
from services.messaging.models import FirmRule
from tests.service.consents import NUMBER, PAGE, decide, known_by, ledger, record, says, scope, set_wants, wants
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def test_the_scope_is_kept_as_accounts_says_it_and_never_goes_back(desk: Desk) -> None:
    desk.firm |= {"opt_out_scope": "all_channels", "version": 3}
    data = {"firm_id": desk.firm_id, "changed": ["opt_out_scope"], "version": 3}
    event = received(accounts.FIRM_CHANGED, data, firm_id=desk.firm_id)
    deliver(desk.service, "keep_firm_rules", event)
    deliver(desk.service, "keep_firm_rules", event)
    desk.firm |= {"opt_out_scope": "channel", "version": 2}
    deliver(
        desk.service, "keep_firm_rules", received(accounts.FIRM_CHANGED, {**data, "version": 2}, firm_id=desk.firm_id)
    )
    with desk.db.read() as session:
        assert [(row.opt_out_scope, row.version) for row in session.scalars(select(FirmRule))] == [("all_channels", 3)]


def test_a_stop_ends_its_channel_by_default(desk: Desk) -> None:
    person = known_by(desk)
    desk.reply(NUMBER, "STOP")
    assert wants(desk, person) == ("opted_out", None, None)


@on_one_database
def test_a_stop_ends_all_channels_where_the_firm_says_so(desk: Desk) -> None:
    person = known_by(desk)
    scope(desk, "all_channels")
    desk.reply(NUMBER, "Stop it please", provider_id="SMx")
    assert wants(desk, person) == ("opted_out", "opted_out", "opted_out")
    entries = ledger(desk, client_id=person)
    assert Counter((entry["channel"], entry["address"] is None) for entry in entries) == {
        ("sms", False): 1, ("email", True): 1, ("phone", True): 1, ("phone", False): 1,
    }  # fmt: skip
    assert {entry["evidence"]["words"] for entry in entries} == {"Stop it please"}
    assert {entry["evidence"]["provider_id"] for entry in entries} == {"SMx"}
    assert {(data["channel"], *data["client_ids"]) for data in desk.emitted(CONSENT_CHANGED)} >= {
        ("sms", person), ("email", person), ("phone", person),
    }  # fmt: skip
    batch_id = desk.ask([desk.item(person)], channels=["email"])
    desk.run()
    assert desk.outcome(batch_id) == {"opted_out": 1}


def test_a_start_opens_what_its_own_stop_closed_and_makes_no_opt_in_of_it(desk: Desk) -> None:
    person = known_by(desk)
    set_wants(desk, person, phone="opted_in")
    scope(desk, "all_channels")
    desk.reply(NUMBER, "STOP")
    scope(desk, "channel", version=3)  # a later change of the setting does not strand what was closed
    desk.reply(NUMBER, "START")
    assert wants(desk, person) == ("opted_in", None, "opted_in")


def test_a_start_leaves_alone_what_was_said_about_the_other_channels_before_or_since(desk: Desk) -> None:
    person = known_by(desk)
    set_wants(desk, person, email="opted_out")
    scope(desk, "all_channels")
    desk.reply(NUMBER, "STOP")
    set_wants(desk, person, phone="opted_out", source="portal")
    desk.reply(NUMBER, "START")
    assert wants(desk, person) == ("opted_in", "opted_out", "opted_out")


def test_a_stop_from_a_number_that_only_clients_knows_is_widened_when_it_is_filed(desk: Desk) -> None:
    person = desk.person(NUMBER, email="ann@example.com")
    scope(desk, "all_channels")
    message = desk.reply(NUMBER, "STOP")
    assert wants(desk, person)[1] is None, "the STOP waits for nobody"
    (data,) = desk.emitted(MESSAGE_RECEIVED)
    event = received(MESSAGE_RECEIVED, data, firm_id=desk.firm_id, subscription="filing")
    filing.file_message(desk.db, desk.calls, event, desk.clock())
    assert wants(desk, person)[1] == "opted_out"
    assert ledger(desk, client_id=person, channel="email")[0]["evidence"]["message_id"] == message["message_id"]


@on_one_database
@pytest.mark.parametrize("owners", [0, 1, 2])
def test_owners_found_when_a_stop_is_filed_are_told_of_once(desk: Desk, owners: int) -> None:
    people = sorted(desk.person(NUMBER) for _ in range(owners))
    desk.write(NUMBER, "STOP")
    desk.write(NUMBER, "and good luck")
    first, *again = desk.emitted(CONSENT_CHANGED)
    assert first["client_ids"] == []
    assert again == ([{**first, "client_ids": people}] if people else [])


def test_an_owner_who_was_written_to_is_not_told_of_twice(desk: Desk) -> None:
    person, other = known_by(desk), desk.person(NUMBER)
    desk.write(NUMBER, "STOP")
    desk.write(NUMBER, "START")
    assert [(data["state"], *data["client_ids"]) for data in desk.emitted(CONSENT_CHANGED)] == [
        ("opted_out", person), ("opted_out", other), ("opted_in", person), ("opted_in", other),
    ]  # fmt: skip


def test_what_is_decided_or_stated_later_is_told_for_the_owners_whom_filing_found(desk: Desk) -> None:
    people = sorted(desk.person(NUMBER) for _ in range(2))
    desk.write(NUMBER, "not interested")
    (review,) = consent_reviews.list_reviews(desk.db, **PAGE, decision="undecided")["data"]
    decide(desk, dict(review), "opted_in")
    record(desk, says(state="opted_in"))
    told_of = [(data["holds"], data["client_ids"]) for data in desk.emitted(CONSENT_CHANGED)]
    assert told_of == [("opted_out", []), ("opted_out", people), (None, people), ("opted_in", people)]


def test_a_stop_that_was_taken_back_is_not_widened_afterwards(desk: Desk) -> None:
    person = desk.person(NUMBER, email="ann@example.com")
    scope(desk, "all_channels")
    desk.reply(NUMBER, "STOP")
    desk.reply(NUMBER, "START")
    event = received(MESSAGE_RECEIVED, desk.emitted(MESSAGE_RECEIVED)[0], firm_id=desk.firm_id, subscription="filing")
    filing.file_message(desk.db, desk.calls, event, desk.clock())
    assert wants(desk, person) == ("opted_in", None, None)
