"""Answers out of a conversation: by which channel and to which address they go, and which do not."""

from __future__ import annotations

import datetime as dt

import pytest

from chassis.testing import deliver, received
from contracts import clients
from contracts.errors import Invalid, NotFound
from contracts.messaging import DELIVERY_SENT
from services.messaging import history, senders
from tests.service.conversing import NOTHING, STRANGER, answer, assign, bodies, only
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def by_email(desk: Desk, address: str, words: str, subject: str) -> None:
    senders.put_sender(
        desk.db, provider="recording", channel="email", address="office@firm.example", rate=1000.0,
        messaging_service_sid=None,
    )  # fmt: skip
    desk.write(address, words, channel="email", to="office@firm.example", subject=subject)


def test_an_answer_goes_by_the_channel_that_was_written_by(desk: Desk) -> None:
    person = desk.person(email="ann@example.com")
    desk.write(desk.number(person))
    conversation_id = only(desk)["id"]
    assert answer(desk, conversation_id)["to"] == desk.number(person)
    desk.clock.advance(minutes=1)
    by_email(desk, "Ann@Example.com", "And by email.", "The {{ deed }}")
    sent = answer(desk, conversation_id)
    assert (sent["channel"], sent["to"], sent["subject"]) == ("email", "ann@example.com", "Re: The deed")
    assert answer(desk, conversation_id, channel="sms")["channel"] == "sms"


@on_one_database
def test_an_answer_to_somebody_who_is_no_client_goes_to_the_address(desk: Desk) -> None:
    desk.write(STRANGER, "Do you do probate?")
    conversation_id = only(desk)["id"]
    sent = answer(desk, conversation_id, "We do.")
    assert (sent["state"], sent["to"], sent["client_id"]) == ("accepted", STRANGER, None)
    assert sent["conversation_id"] == conversation_id
    desk.run()
    assert desk.provider.texts_to(STRANGER) == ["We do."]
    assert bodies(desk, conversation_id)[0] == "We do."
    assert only(desk)["last_direction"] == "outbound"
    assert desk.emitted(DELIVERY_SENT) == []


def test_an_answer_to_a_shared_number_is_sent_once_and_shows_for_each(desk: Desk) -> None:
    ann, bob = desk.person(STRANGER), desk.person(STRANGER)
    desk.write(STRANGER)
    sent = answer(desk, only(desk)["id"])
    desk.run()
    assert desk.provider.texts_to(STRANGER) == ["We have it."]
    for client_id in (ann, bob):
        found = history.list_messages(desk.db, **{**NOTHING, "client_id": client_id, "direction": "outbound"})["data"]
        assert [message["id"] for message in found] == [sent["id"]]


def test_nobody_answers_an_address_that_said_stop(desk: Desk) -> None:
    desk.write(STRANGER, "Who is this?")
    conversation_id = only(desk)["id"]
    waiting = answer(desk, conversation_id)
    desk.prepare()
    desk.write(STRANGER, "STOP")
    desk.run()
    assert desk.provider.texts_to(STRANGER)[0].startswith("Harbor & Lane: you are opted out")
    assert history.get_message(desk.db, message_id=waiting["id"])["reason"] == "opted_out"
    assert answer(desk, conversation_id)["reason"] == "opted_out"


@on_one_database
def test_an_answer_that_waits_still_goes_to_its_address_after_the_assignment(desk: Desk) -> None:
    person = desk.person()
    desk.write(STRANGER, "This is my other phone.")
    unknown = only(desk)["id"]
    answer(desk, unknown, "Thank you.")
    desk.prepare()
    assign(desk, unknown, person)
    changed = {"client_id": person, "version": 2, "status": "active", "tags": [], "language": "en", "changed": ["x"]}
    deliver(desk.service, "refresh_clients", received(clients.CLIENT_CHANGED, changed, firm_id=desk.firm_id))
    desk.run()  # what the client says about consent counts from now on: it is prepared again
    desk.run()
    assert desk.provider.texts_to(STRANGER) == ["Thank you."]
    assert "Thank you." in bodies(desk, only(desk, client_id=person)["id"])


def test_what_an_address_cannot_be_told_is_said_at_once(desk: Desk) -> None:
    desk.write(STRANGER)
    conversation_id = only(desk)["id"]
    with pytest.raises(Invalid, match="client_unknown"):
        answer(desk, conversation_id, "Hi {{ client.first_name }}")
    with pytest.raises(Invalid, match="channel_unknown") as refused:
        answer(desk, conversation_id, channel="email")
    assert refused.value.fields[0]["field"] == "channel"
    other = Desk(desk.everywhere, office="+12125550199")
    with pytest.raises(NotFound, match="conversation_not_found"):
        answer(other, conversation_id)


@on_one_database
def test_quiet_hours_bind_an_answer_to_an_old_message(desk: Desk) -> None:
    desk.firm["quiet_hours"] = {"opens": dt.time(8), "closes": dt.time(21)}
    desk.write(STRANGER)
    conversation_id = only(desk)["id"]
    desk.clock.advance(hours=10)
    answer(desk, conversation_id, "Soon.")
    desk.run()
    desk.clock.advance(days=2)
    answer(desk, conversation_id, "Late.")
    desk.run()
    assert desk.provider.texts_to(STRANGER) == ["Soon."]
