"""Filing: which conversation a message belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.testing import deliver, outbox_events
from contracts import clients
from contracts.errors import Unavailable
from contracts.messaging import CONSENT_CHANGED, MESSAGE_RECEIVED
from services.messaging import filing, history
from services.messaging.erasures import inbound_erasing
from services.messaging.models import FirmRule, InboundMessage
from tests.service.conversing import NOTHING, STRANGER, bodies, listed, only, say, thread
from tests.service.messaging_desk import Desk, desk, together

__all__ = ["desk"]


def test_what_a_client_writes_is_in_the_clients_conversation(desk: Desk) -> None:
    person = desk.person()
    first = desk.write(desk.number(person), "Is it done?")
    desk.clock.advance(minutes=1)
    desk.write(desk.number(person), "Hello?\n  " + "x" * 300)
    conversation = only(desk)
    assert (conversation["kind"], conversation["client_id"]) == ("client", person)
    assert conversation["client_ids"] == [person]
    assert (conversation["unread"], conversation["last_direction"]) == (2, "inbound")
    assert conversation["last_message_at"] == desk.clock()
    assert conversation["preview"].startswith("Hello? xxx")
    assert len(conversation["preview"]) == 200
    filed = history.get_message(desk.db, message_id=first)
    assert (filed["client_id"], filed["client_ids"]) == (person, [person])
    assert filed["conversation_id"] == conversation["id"]


def test_a_stop_is_committed_before_anybody_is_asked_whose_it_is(desk: Desk) -> None:
    person = desk.person()
    desk.calls.answers[clients.FIND_CLIENTS_BY_ADDRESS] = down
    with pytest.raises(Unavailable):
        desk.write(desk.number(person), "STOP")
    assert desk.calls.calls == [(clients.FIND_CLIENTS_BY_ADDRESS, {"channel": "sms", "address": desk.number(person)})]
    assert say(desk, person)["reason"] == "opted_out"


def test_a_stop_for_all_channels_reaches_whom_only_filing_finds(desk: Desk) -> None:
    person = desk.person(email="ann@example.com")
    with desk.db.unit_of_work() as uow:
        uow.insert(FirmRule, [{"opt_out_scope": "all_channels", "version": 1}])
    desk.write(desk.number(person), "STOP")
    assert say(desk, person, channel="email", subject="About it")["reason"] == "opted_out"
    (entry,) = [entry for entry in desk.emitted(CONSENT_CHANGED) if entry["channel"] == "email"]
    assert entry["client_ids"] == [person]


def test_a_shared_number_shows_for_each_of_its_clients_and_is_never_guessed(desk: Desk) -> None:
    ann, bob, other = desk.person(), desk.person(STRANGER), desk.person()
    desk.people[ann]["sms"] = STRANGER
    # Messaging itself has only ever written to one of them.
    desk.ask([desk.item(ann)])
    desk.run()
    message_id = desk.write(STRANGER, "Which papers?")
    for client_id in (ann, bob):
        conversation = only(desk, client_id=client_id)
        assert (conversation["kind"], conversation["client_id"]) == ("shared", None)
        assert sorted(conversation["client_ids"]) == sorted([ann, bob])
        found = history.list_messages(desk.db, **{**NOTHING, "client_id": client_id, "direction": "inbound"})["data"]
        assert [message["id"] for message in found] == [message_id]
        assert found[0]["client_id"] is None
    assert listed(desk, client_id=other) == []
    assert [message["direction"] for message in thread(desk, only(desk)["id"])] == ["inbound", "outbound"]


def test_an_unknown_number_waits_in_a_conversation_of_its_own(desk: Desk) -> None:
    desk.write(STRANGER, "Do you do probate?")
    conversation = only(desk, kind="unmatched")
    assert (conversation["address"], conversation["channel"]) == (STRANGER, "sms")
    assert (conversation["client_id"], conversation["client_ids"]) == (None, [])
    assert bodies(desk, conversation["id"]) == ["Do you do probate?"]


def test_a_number_that_becomes_a_clients_leaves_what_was_said_where_it_is(desk: Desk) -> None:
    desk.write(STRANGER, "Do you do probate?")
    before = only(desk)
    person = desk.person(STRANGER)
    desk.write(STRANGER, "I signed up.")
    assert bodies(desk, before["id"]) == ["Do you do probate?"]
    assert bodies(desk, only(desk, client_id=person)["id"]) == ["I signed up."]


def test_a_number_that_is_shared_no_more_shows_for_those_who_still_have_it(desk: Desk) -> None:
    ann, bob, carl = desk.person(STRANGER), desk.person(STRANGER), desk.person()
    desk.write(STRANGER)
    desk.people[bob]["sms"], desk.people[carl]["sms"] = "+13055550199", STRANGER
    desk.write(STRANGER)
    assert sorted(only(desk)["client_ids"]) == sorted([ann, carl])
    assert listed(desk, client_id=bob) == []


def test_a_reply_from_a_number_that_was_changed_since_is_still_the_clients(desk: Desk) -> None:
    person = desk.person()
    old = desk.number(person)
    desk.ask([desk.item(person)])
    desk.run()
    desk.people[person]["sms"] = STRANGER
    desk.write(old, "Got it.")
    assert only(desk)["client_id"] == person


def test_an_erased_client_gets_no_conversation(desk: Desk) -> None:
    person = desk.person()
    number = desk.number(person)
    desk.ask([desk.item(person)])
    desk.run()
    desk.people[person] = {"client_id": person, "state": "erased"}
    desk.write(number, "Hello?")
    assert only(desk)["kind"] == "unmatched"


def test_messages_filed_out_of_order_show_the_last_one(desk: Desk) -> None:
    person = desk.person()
    first = desk.reply(desk.number(person), "First.")["message_id"]
    at = desk.clock.advance(minutes=1)
    second = desk.reply(desk.number(person), "Second.")["message_id"]
    for message_id in (second, first, second):
        deliver(desk.service, "file_message", *desk.arrived(message_id))
    conversation = only(desk)
    assert (conversation["preview"], conversation["last_message_at"]) == ("Second.", at)
    assert conversation["unread"] == 2


def test_a_message_to_a_client_begins_the_conversation(desk: Desk) -> None:
    person = desk.person()
    sent = say(desk, person, "Good morning.")
    conversation = only(desk, client_id=person)
    assert (conversation["last_direction"], conversation["preview"]) == ("outbound", "Good morning.")
    assert (conversation["unread"], conversation["last_message_at"]) == (0, desk.clock())
    assert sent["conversation_id"] == conversation["id"]
    assert sent["staff_id"] == desk.staff_id


def test_what_is_not_sent_begins_nothing(desk: Desk) -> None:
    person = desk.person()
    desk.reply(desk.number(person), "STOP")
    assert say(desk, person)["state"] == "suppressed"
    assert listed(desk) == []


def test_a_message_whose_event_was_parked_is_filed_all_the_same(desk: Desk) -> None:
    person = desk.person(email="ann@example.com")
    with desk.db.unit_of_work() as uow:
        uow.insert(FirmRule, [{"opt_out_scope": "all_channels", "version": 1}])
    find = desk.calls.answers[clients.FIND_CLIENTS_BY_ADDRESS]
    desk.calls.answers[clients.FIND_CLIENTS_BY_ADDRESS] = down
    with pytest.raises(Unavailable):
        desk.write(desk.number(person), "STOP")
    (message_id,) = [found.subject for found in outbox_events(desk.everywhere, MESSAGE_RECEIVED)]
    desk.clock.advance(minutes=9)
    filing.file_left(desk.everywhere, desk.calls, desk.clock())
    assert listed(desk) == []
    desk.clock.advance(minutes=1)
    with pytest.raises(Unavailable):
        filing.file_left(desk.everywhere, desk.calls, desk.clock())
    desk.calls.answers[clients.FIND_CLIENTS_BY_ADDRESS] = find
    # At once with the event, which was replayed.
    (event,) = desk.arrived(message_id)
    together(
        lambda: filing.file_left(desk.everywhere, desk.calls, desk.clock()),
        lambda: deliver(desk.service, "file_message", event),
        lambda: filing.file_left(desk.everywhere, desk.calls, desk.clock()),
    )
    conversation = only(desk)
    assert (conversation["client_id"], conversation["unread"], bodies(desk, conversation["id"])) == (
        person,
        1,
        ["STOP"],
    )
    assert say(desk, person, channel="email", subject="About it")["reason"] == "opted_out"
    assert sum(entry["channel"] == "email" for entry in desk.emitted(CONSENT_CHANGED)) == 1


def test_a_message_that_cannot_be_filed_keeps_none_of_the_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = desk.person(), desk.person()
    desk.reply(desk.number(first), "First.")
    desk.clock.advance(minutes=1)
    desk.reply(desk.number(second), "Second.")
    desk.clock.advance(minutes=10)
    real = filing.conversation_for

    def refuse(uow: Any, channel: str, address: str, *rest: Any) -> Any:
        if address == desk.number(first):
            raise LookupError
        return real(uow, channel, address, *rest)

    monkeypatch.setattr(filing, "conversation_for", refuse)
    filing.file_left(desk.everywhere, desk.calls, desk.clock())
    assert only(desk)["client_id"] == second


def test_a_firm_whose_clients_cannot_be_asked_keeps_no_other_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing, "_LEFT_AT_ONCE", 1)
    broken = Desk(desk.everywhere, office="+12125550177")
    broken.reply(STRANGER, "First.")
    person = desk.person()
    desk.clock.advance(minutes=1)
    desk.reply(desk.number(person), "Second.")
    desk.clock.advance(minutes=10)
    find = desk.calls.answers[clients.FIND_CLIENTS_BY_ADDRESS]

    def find_some(**asked: Any) -> Any:
        return down() if asked["address"] == STRANGER else find(**asked)

    desk.calls.answers[clients.FIND_CLIENTS_BY_ADDRESS] = find_some
    with pytest.raises(Unavailable):
        filing.file_left(desk.everywhere, desk.calls, desk.clock())
    assert only(desk)["client_id"] == person
    assert listed(broken) == []


def test_what_was_erased_before_it_was_filed_stays_out_of_all_conversations(desk: Desk) -> None:
    desk.reply(STRANGER, "Forget me.")
    with desk.db.unit_of_work() as uow:
        inbound_erasing.forget_messages(uow, InboundMessage.sender == STRANGER, desk.clock())
    desk.clock.advance(minutes=10)
    filing.file_left(desk.everywhere, desk.calls, desk.clock())
    assert listed(desk) == []


def down(**asked: Any) -> Any:
    raise Unavailable("no_answer")
