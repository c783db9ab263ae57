"""Consent beyond a single reply: a STOP's scope, what people said elsewhere, preferences, the ledger, and reviews."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import eventlet
import pytest
from eventlet.event import Event as Signal
from sqlalchemy import select

from chassis.columns import new_id
from chassis.context import use
from chassis.testing import deliver, received
from contracts import accounts, clients
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.messaging import CONSENT_CHANGED, MESSAGE_RECEIVED
from services.messaging import (
    consent,
    consent_ledger,
    consent_reviews,
    filing,
    firm_rules,
    inbound,
    preferences,
    results,
    senders,
    stated_consents,
    stops,
)
from services.messaging.models import ConsentState, FirmRule
from tests.service.messaging_desk import Desk, desk, together
from tests.service.races import race

__all__ = ["desk"]

PAGE: dict[str, Any] = {"limit": 50, "cursor": None, "sort": None}
NUMBER = "+12125558000"


def ledger(desk: Desk, **filters: Any) -> list[dict[str, Any]]:
    """The entries that the filters leave, oldest first."""
    return list(consent_ledger.list_consents(desk.db, desk.calls, **filters, limit=200, sort="at")["data"])


def told(desk: Desk, **filters: Any) -> list[tuple[str, str, str]]:
    return [(entry["channel"], entry["state"], entry["source"]) for entry in ledger(desk, **filters)]


def wants(desk: Desk, client_id: str) -> tuple[Any, ...]:
    found = preferences.get_preferences(desk.db, desk.calls, client_id=client_id)
    return tuple(found[channel] for channel in ("sms", "email", "phone"))


def set_wants(desk: Desk, client_id: str, source: str = "staff", **said: str) -> dict[str, Any]:
    return preferences.set_preferences(
        desk.db, desk.calls, client_id=client_id, source=source, actor_id=desk.staff_id, **said
    )


def state(desk: Desk, channel: str, key: str) -> str | None:
    with desk.db.read() as session:
        return consent.read_states(session, [(channel, key)]).get((channel, key))


def record(desk: Desk, *entries: dict[str, Any], source: str = "staff") -> dict[str, int]:
    return stated_consents.record_consents(
        desk.db, desk.calls, source=source, entries=list(entries), actor_id=desk.staff_id
    )


def says(address: str = NUMBER, state: str = "opted_out", channel: str = "sms", **given: Any) -> dict[str, Any]:
    return {"channel": channel, "address": address, "client_id": None, "state": state, **given}


def scope(desk: Desk, value: str, version: int = 2) -> None:
    """The firm sets what a STOP ends, and messaging hears of it."""
    desk.firm |= {"opt_out_scope": value, "version": version}
    data = {"firm_id": desk.firm_id, "changed": ["opt_out_scope"], "version": version}
    firm_rules.refresh(
        desk.db, desk.calls, received(accounts.FIRM_CHANGED, data, firm_id=desk.firm_id, subscription="rules")
    )


# A STOP's scope


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


def known_by(desk: Desk, number: str = NUMBER) -> str:
    """A client who was written to at a number."""
    person = desk.person(number, email="ann@example.com", phone=number)
    desk.ask([desk.item(person)])
    desk.run()
    return person


def test_a_stop_ends_its_channel_by_default(desk: Desk) -> None:
    person = known_by(desk)
    desk.reply(NUMBER, "STOP")
    assert wants(desk, person) == ("opted_out", None, None)


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
    assert state(desk, "sms", "a:+12125558000") == "opted_out"
    assert state(desk, "email", "a:ann@example.com") == "opted_out"
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


# Confirmation and help


def test_the_provider_may_have_answered_a_start_and_a_help_too(desk: Desk) -> None:
    desk.reply(NUMBER, "para", opt_out_type="STOP")
    assert desk.reply(NUMBER, "ayudenme", opt_out_type="HELP")["effect"] == "help"
    assert desk.reply(NUMBER, "comenzar", opt_out_type="START")["effect"] == "opted_in"
    desk.run()
    assert desk.provider.texts_to(NUMBER) == []
    assert told(desk, address=NUMBER) == [("sms", "opted_out", "reply"), ("sms", "opted_in", "reply")]


@pytest.mark.parametrize("words", ["STOP", "START", "HELP", "Auto-reply: please stop texting me"])
def test_an_automatic_answer_asks_for_nothing_and_gets_no_answer(desk: Desk, words: str) -> None:
    assert desk.reply(NUMBER, words, automatic=True)["effect"] == "none"
    desk.run()
    assert desk.provider.texts_to(NUMBER) == []
    assert ledger(desk, address=NUMBER) == []


def email_reply(desk: Desk, body: str, subject: str | None = None) -> str:
    said = {"from_": "Ann@example.com", "to": "office@firm.example", "subject": subject, "body": body}
    return str(
        inbound.receive(
            desk.everywhere, provider="ses", provider_id=new_id(), channel="email", now=desk.clock(), **said
        )["effect"]
    )


@pytest.fixture
def email_office(desk: Desk) -> Desk:
    senders.put_sender(
        desk.db, provider="recording", channel="email", address="office@firm.example", rate=10.0,
        messaging_service_sid=None,
    )  # fmt: skip
    return desk


QUOTED = (
    """\n\nOn Fri, Nov 20, 2026 at 9:00 AM Harbor & Lane <office@firm.example>\nwrote:\n> Reply STOP to end.\n> Help"""
)


@pytest.mark.parametrize(
    ("body", "subject", "effect"),
    [
        ("STOP" + QUOTED, "Re: Your documents", "opted_out"),
        ("", "unsubscribe", "opted_out"),
        ("", "Unsubscribe", "opted_out"),
        ("Please take me off your list." + QUOTED, "Re: Your documents", "opted_out"),
        ("Thank you!" + QUOTED, "Re: Your documents", "none"),
        ("I will stop by at 3.\n-- \nAnn\nunsubscribe from nothing", "Re: unsubscribe", "none"),
        ("> STOP", "Re: hello", "none"),
        ("help" + QUOTED, None, "help"),
    ],
)
def test_an_email_is_taken_by_its_writers_own_words(
    email_office: Desk, body: str, subject: str | None, effect: str
) -> None:
    assert email_reply(email_office, body, subject) == effect
    found = state(email_office, "email", "a:ann@example.com")
    assert found == ("opted_out" if effect == "opted_out" else None)


def test_yes_answers_our_own_question_and_nothing_else(desk: Desk) -> None:
    person = desk.person(NUMBER)
    desk.ask([desk.item(person)], content_id=desk.content("Reply YES to get text messages from us."))
    desk.run()
    assert desk.reply(NUMBER, "yes!")["effect"] == "opted_in"
    assert state(desk, "sms", consent.address_key(NUMBER)) == "opted_in"
    other = desk.person("+12125558001")
    desk.ask([desk.item(other)], content_id=desk.content("Can you come on Friday? Reply YES or NO."))
    desk.run()
    assert desk.reply("+12125558001", "yes!")["effect"] == "none"


@pytest.mark.parametrize(("says_start", "ends"), [(True, "opted_in"), (False, "opted_out")])
def test_a_refusal_that_is_heard_of_late_does_not_undo_a_start_since(desk: Desk, says_start: bool, ends: str) -> None:
    known_by(desk)
    (delivery,) = desk.deliveries()
    desk.clock.advance(seconds=5)
    if says_start:
        desk.reply(NUMBER, "START")
    results.record_status(
        desk.db, provider_id=delivery.provider_id, status="failed", error_code="21610", delivery_id=delivery.id,
        now=desk.clock(),
    )  # fmt: skip
    assert state(desk, "sms", consent.address_key(NUMBER)) == ends


# What a person must decide


def review_of(desk: Desk, words: str = "not interested") -> dict[str, Any]:
    desk.reply(NUMBER, words)
    (review,) = consent_reviews.list_reviews(desk.db, **PAGE, decision="undecided")["data"]
    return dict(review)


def decide(desk: Desk, review: dict[str, Any], decision: str) -> dict[str, Any]:
    return consent_reviews.decide_review(
        desk.db, consent_review_id=review["id"], decision=decision, actor_id=desk.staff_id
    )


def test_reviews_are_listed_by_what_was_decided(desk: Desk) -> None:
    review = review_of(desk)
    assert (review["address"], review["words"], review["created_at"]) == (NUMBER, "not interested", desk.clock())
    assert decide(desk, review, "opted_out")["decided_by"] == desk.staff_id
    listed = {name: consent_reviews.list_reviews(desk.db, **PAGE, decision=name)["meta"]["total"]
              for name in (None, "undecided", "opted_out", "opted_in")}  # fmt: skip
    assert listed == {None: 1, "undecided": 0, "opted_out": 1, "opted_in": 0}


def test_the_ledger_says_who_decided(desk: Desk) -> None:
    review = review_of(desk)
    decide(desk, review, "opted_out")
    last = ledger(desk, address=NUMBER)[-1]
    assert (last["state"], last["source"], last["evidence"]["actor_id"]) == ("opted_out", "staff", desk.staff_id)
    assert last["evidence"]["consent_review_id"] == review["id"]


def test_lifting_makes_no_opt_in_where_there_was_none(desk: Desk) -> None:
    decide(desk, review_of(desk), "opted_in")
    assert state(desk, "sms", consent.address_key(NUMBER)) is None


def test_the_event_tells_what_holds_when_an_opt_out_is_taken_back(desk: Desk) -> None:
    person = known_by(desk)
    set_wants(desk, person, email="opted_in")
    scope(desk, "all_channels")

    def last(count: int) -> set[tuple[Any, ...]]:
        """What the latest events say: of the address, and of the client's other channels."""
        return {(data["channel"], data["state"], data["holds"]) for data in desk.emitted(CONSENT_CHANGED)[-count:]}

    review = review_of(desk)
    assert {("sms", "opted_out", "opted_out"), ("phone", "opted_out", "opted_out")} <= last(4)
    decide(desk, review, "opted_in")
    assert last(4) == {("sms", "opted_in", None), ("phone", "opted_in", None), ("email", "opted_in", "opted_in")}
    desk.reply(NUMBER, "STOP")
    desk.reply(NUMBER, "START")
    assert last(4) == {
        ("sms", "opted_in", "opted_in"), ("phone", "opted_in", None), ("email", "opted_in", "opted_in"),
    }  # fmt: skip


def test_lifting_opens_the_other_channels_that_the_doubt_had_closed(desk: Desk) -> None:
    person = known_by(desk)
    scope(desk, "all_channels")
    review = review_of(desk)
    assert wants(desk, person) == ("opted_out", "opted_out", "opted_out")
    decide(desk, review, "opted_in")
    assert wants(desk, person) == (None, None, None)


def test_a_start_after_a_doubt_that_was_confirmed_opens_all_again(desk: Desk) -> None:
    person = known_by(desk)
    scope(desk, "all_channels")
    decide(desk, review_of(desk), "opted_out")
    desk.reply(NUMBER, "START")
    assert wants(desk, person) == ("opted_in", None, None)


def test_a_decision_does_not_override_what_the_address_said_since(desk: Desk) -> None:
    review = review_of(desk)
    desk.reply(NUMBER, "START")
    assert decide(desk, review, "opted_out")["decision"] == "opted_out"
    assert state(desk, "sms", consent.address_key(NUMBER)) == "opted_in"


def test_a_sure_stop_after_a_doubt_is_kept_as_proof_and_confirmed_once(desk: Desk) -> None:
    review = review_of(desk)
    desk.clock.advance(seconds=1)
    desk.reply(NUMBER, "STOP")
    desk.run()
    assert [entry["evidence"]["words"] for entry in ledger(desk, address=NUMBER)] == ["not interested", "STOP"]
    assert len(desk.provider.texts_to(NUMBER)) == 1
    with pytest.raises(Conflict, match="opted_out_since"):
        decide(desk, review, "opted_in")


# Races


def within(desk: Desk, action: Any) -> Any:
    def run() -> Any:
        with use(desk.context):
            return action()

    return run


def test_two_stops_at_once_are_one_entry(desk: Desk) -> None:
    desk.reply(NUMBER, "hello")  # the row that they meet on is there already
    begun, go = Signal(), Signal()

    def stop_slowly() -> None:
        with desk.db.unit_of_work() as uow:
            speaker = stops.Speaker("sms", NUMBER)
            stops.record_stop(uow, speaker, source="reply", evidence={"words": "Stop"}, at=desk.clock())
            begun.send(True)
            go.wait()

    first = eventlet.spawn(within(desk, stop_slowly))
    begun.wait()
    second = eventlet.spawn(within(desk, lambda: desk.reply(NUMBER, "STOP")))
    for _ in range(20):
        eventlet.sleep(0.01)  # the second gets as far as it can
    go.send(True)
    first.wait()
    second.wait()
    desk.run()
    assert [entry["evidence"]["words"] for entry in ledger(desk, address=NUMBER)] == ["Stop"]
    assert desk.provider.texts_to(NUMBER) == [], "what changed nothing is not confirmed"


def test_a_stop_against_a_start_ends_as_the_last_one_said(desk: Desk) -> None:
    desk.reply(NUMBER, "STOP")
    together(within(desk, lambda: desk.reply(NUMBER, "START")), within(desk, lambda: desk.reply(NUMBER, "STOP")))
    entries = ledger(desk, address=NUMBER)
    assert state(desk, "sms", consent.address_key(NUMBER)) == entries[-1]["state"]
    assert [entry["state"] for entry in entries] in (
        ["opted_out", "opted_in"], ["opted_out", "opted_in", "opted_out"],
    )  # fmt: skip


@pytest.mark.parametrize("words", [("STOP", "START"), ("START", "STOP")])
def test_repeats_of_webhooks_in_any_order_change_nothing(desk: Desk, words: tuple[str, str]) -> None:
    first, second = words
    desk.reply(NUMBER, first, provider_id="SM1")
    desk.reply(NUMBER, second, provider_id="SM2")
    for repeated in ("SM1", "SM2", "SM1"):
        desk.reply(NUMBER, first if repeated == "SM1" else second, provider_id=repeated)
    expected = "opted_out" if second == "STOP" else "opted_in"
    assert state(desk, "sms", consent.address_key(NUMBER)) == expected


def test_an_import_against_a_stop_never_lifts_it(desk: Desk) -> None:
    opt_in = says(state="opted_in")
    together(
        within(desk, lambda: record(desk, opt_in, says("+12125558001"), source="import")),
        within(desk, lambda: desk.reply(NUMBER, "STOP")),
        within(desk, lambda: record(desk, says("+12125558001"), opt_in, source="import")),
    )
    assert state(desk, "sms", consent.address_key(NUMBER)) == "opted_out"


def test_preferences_in_the_middle_of_a_batch_race_the_claims(desk: Desk) -> None:
    people = [desk.person() for _ in range(30)]
    batch_id = desk.ask([desk.item(person) for person in people])
    desk.prepare()
    sent, waited = race(desk, batch_id, lambda person: set_wants(desk, person, sms="opted_out"))
    assert sent & waited == set(), "begun by a claim that was committed after the opt-out"
    assert desk.outcome(batch_id) == {"sent": len(sent), "opted_out": 30 - len(sent)}
    assert len(desk.provider.accepted) == len(sent)


def test_widened_stops_from_shared_numbers_do_not_deadlock(desk: Desk) -> None:
    people = [desk.person(NUMBER if place % 2 else "+12125558001", email=f"{place}@example.com") for place in range(6)]
    for person in people:
        desk.ask([desk.item(person)])
    desk.run()
    scope(desk, "all_channels")
    together(
        within(desk, lambda: desk.reply(NUMBER, "STOP")),
        within(desk, lambda: desk.reply("+12125558001", "STOP")),
        *(within(desk, lambda person=person: set_wants(desk, person, email="opted_in")) for person in people),
    )
    assert all(wants(desk, person)[0] == "opted_out" for person in people)


def test_another_firms_same_number_is_untouched(desk: Desk) -> None:
    other = Desk(desk.everywhere, office="+12125550102")
    scope(desk, "all_channels")
    with use(other.context):
        known_by(other)
    known_by(desk)
    desk.reply(NUMBER, "STOP")
    record(desk, says("+12125558001"))
    with use(other.context):
        assert ledger(other) == []
        with other.db.read() as session:
            assert {row.state for row in session.scalars(select(ConsentState))} == {None}


def test_clients_that_cannot_be_asked_stop_no_stop(desk: Desk) -> None:
    def unreachable(**_: Any) -> Any:
        raise Unavailable("service_unavailable")

    scope(desk, "all_channels")
    desk.calls.answers = dict.fromkeys(desk.calls.answers, unreachable)
    assert desk.reply(NUMBER, "STOP")["effect"] == "opted_out"
