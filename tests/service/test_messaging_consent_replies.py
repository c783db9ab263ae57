"""Replies that are about consent: how they are confirmed, and what is none of the writer's own words."""

from __future__ import annotations

import pytest

from chassis.columns import new_id
from services.messaging import consent, inbound, senders
from services.messaging.dispatching import results
from tests.service.consents import NUMBER, known_by, ledger, set_wants, state, told
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def test_the_provider_may_have_answered_a_start_and_a_help_too(desk: Desk) -> None:
    desk.reply(NUMBER, "para", opt_out_type="STOP")
    assert desk.reply(NUMBER, "ayudenme", opt_out_type="HELP")["effect"] == "help"
    assert desk.reply(NUMBER, "comenzar", opt_out_type="START")["effect"] == "opted_in"
    desk.run()
    assert desk.provider.texts_to(NUMBER) == []
    assert told(desk, address=NUMBER) == [("sms", "opted_out", "reply"), ("sms", "opted_in", "reply")]


@pytest.mark.parametrize("prepared", [True, False])
def test_a_start_is_not_confirmed_once_a_stop_has_followed_it(desk: Desk, prepared: bool) -> None:
    desk.reply(NUMBER, "START")
    if prepared:
        desk.prepare()
    desk.reply(NUMBER, "STOP")
    desk.run()
    (only,) = desk.provider.texts_to(NUMBER)
    assert only.startswith("Harbor & Lane: you are opted out")
    assert {row.kind: row.reason for row in desk.deliveries()} == {
        "opt_in_confirmation": "opted_out", "opt_out_confirmation": None
    }  # fmt: skip


@on_one_database
def test_a_start_is_confirmed_to_a_client_who_has_opted_out_besides(desk: Desk) -> None:
    set_wants(desk, known_by(desk), sms="opted_out")
    desk.reply(NUMBER, "START")
    desk.run()
    assert desk.provider.texts_to(NUMBER)[-1].startswith("Harbor & Lane: you will get our messages")


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
    found = state(email_office, "email", consent.address_key("ann@example.com"))
    assert found == ("opted_out" if effect == "opted_out" else None)


@on_one_database
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


@on_one_database
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
