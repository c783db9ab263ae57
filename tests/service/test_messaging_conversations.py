"""Conversations: where an inbound message is filed, what a thread shows, who looks after it, whose it proves to be."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts import clients
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from contracts.messaging import CONSENT_CHANGED, CONVERSATION_ASSIGNED, DELIVERY_SENT
from services.messaging import consent, conversations, history, messages, senders, threads
from services.messaging.models import FirmRule
from tests.service.messaging_desk import PUBLIC_URL, Desk, desk

__all__ = ["desk"]

STRANGER = "+13055550100"
TO = {"channel": "sms", "timing": {"mode": "now", "at": None}, "template_id": None, "subject": None}


def say(desk: Desk, client_id: str, body: str = "See you at nine.", **given: Any) -> dict[str, Any]:
    return messages.send_message(
        desk.db, desk.calls, public_url=PUBLIC_URL, sandbox=("email",), actor_id=desk.staff_id, now=desk.clock(),
        **{**TO, "client_id": client_id, "body": body, **given},
    )  # fmt: skip


def listed(desk: Desk, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = conversations.list_conversations(desk.db, **query)["data"]
    return found


def only(desk: Desk, **query: Any) -> dict[str, Any]:
    (conversation,) = listed(desk, **query)
    return conversation


def thread(desk: Desk, conversation_id: str, **page: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = threads.list_conversation_messages(desk.db, conversation_id=conversation_id, **page)[
        "data"
    ]
    return found


def bodies(desk: Desk, conversation_id: str) -> list[str]:
    return [message["body"] for message in thread(desk, conversation_id)]


def assign(desk: Desk, conversation_id: str, client_id: str) -> dict[str, Any]:
    return conversations.assign_conversation(
        desk.db, desk.calls, conversation_id=conversation_id, client_id=client_id, now=desk.clock()
    )


# Filing


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

    def down(**asked: Any) -> Any:
        raise Unavailable("no_answer")

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


NOTHING: dict[str, Any] = {
    "client_id": None, "address": None, "direction": None, "batch_id": None, "limit": 50, "cursor": None, "sort": None,
}  # fmt: skip


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


# Reading


def test_a_clients_thread_holds_every_channel_and_what_was_sent_in_bulk(desk: Desk) -> None:
    person = desk.person(email="ann@example.com")
    desk.ask([desk.item(person)])
    desk.run()
    desk.clock.advance(minutes=1)
    desk.write(desk.number(person), "By text.")
    desk.clock.advance(minutes=1)
    say(desk, person, "By email.", channel="email", subject="About it")
    found = thread(desk, only(desk)["id"])
    assert [(message["direction"], message["channel"]) for message in found] == [
        ("outbound", "email"), ("inbound", "sms"), ("outbound", "sms"),
    ]  # fmt: skip
    assert found[0]["subject"] == "About it"
    assert (found[2]["kind"], found[2]["segments"]) == ("notification", 1)
    assert found[2]["sent_at"] is not None


def test_a_bulk_send_writes_no_conversation(desk: Desk) -> None:
    desk.ask([desk.item(desk.person()) for _ in range(3)])
    desk.run()
    assert listed(desk) == []


def test_a_thread_is_paged_over_both_directions(desk: Desk) -> None:
    person = desk.person()
    for number in range(3):
        desk.write(desk.number(person), f"in {number}")
        desk.clock.advance(seconds=1)
        say(desk, person, f"out {number}")
        desk.clock.advance(seconds=1)
    conversation_id = only(desk)["id"]
    seen: list[str] = []
    cursor = None
    while True:
        page = threads.list_conversation_messages(desk.db, conversation_id=conversation_id, limit=4, cursor=cursor)
        seen += [message["body"] for message in page["data"]]
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            break
    assert seen == ["out 2", "in 2", "out 1", "in 1", "out 0", "in 0"]
    assert page["meta"]["total"] == 6


def test_conversations_are_listed_by_what_staff_ask_for(desk: Desk) -> None:
    ann, bob = desk.person(), desk.person()
    desk.write(desk.number(ann))
    desk.clock.advance(minutes=1)
    desk.write(desk.number(bob))
    desk.clock.advance(minutes=1)
    say(desk, ann)
    assert [found["client_id"] for found in listed(desk)] == [ann, bob]
    assert [found["client_id"] for found in listed(desk, sort="created_at")] == [ann, bob]
    assert [found["client_id"] for found in listed(desk, address=desk.number(bob))] == [bob]
    assert [found["client_id"] for found in listed(desk, address=desk.number(bob).replace("+", " "))] == [bob]
    first = conversations.list_conversations(desk.db, limit=1)
    (second,) = listed(desk, limit=1, cursor=first["meta"]["next_cursor"])
    assert (first["data"][0]["client_id"], second["client_id"]) == (ann, bob)
    with pytest.raises(Invalid, match="invalid_sort"):
        listed(desk, sort="preview")


# Sending


def answer(desk: Desk, conversation_id: str, body: str = "We have it.", **given: Any) -> dict[str, Any]:
    command = {**TO, "channel": None, "body": body, **given}
    return threads.send_to_conversation(
        desk.db, desk.calls, public_url=PUBLIC_URL, sandbox=("email",), actor_id=desk.staff_id, now=desk.clock(),
        conversation_id=conversation_id, **command,
    )  # fmt: skip


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


# Looking after it


def update(desk: Desk, conversation_id: str, expected_version: int | None = None, **changes: Any) -> dict[str, Any]:
    return conversations.update_conversation(
        desk.db,
        desk.calls,
        conversation_id=conversation_id,
        changes=changes,
        expected_version=expected_version,
        actor_id=desk.staff_id,
    )


def test_a_conversation_is_read_closed_and_opened_by_what_comes_next(desk: Desk) -> None:
    person = desk.person()
    desk.write(desk.number(person))
    made = only(desk, unread=True)
    closed = update(desk, made["id"], made["version"], read=True, state="closed")
    assert (closed["unread"], closed["state"]) == (0, "closed")
    assert listed(desk, unread=True) == listed(desk, state="open") == []
    with pytest.raises(Conflict, match="stale_version"):
        update(desk, made["id"], made["version"], state="open")
    desk.write(desk.number(person))
    assert only(desk, state="open")["unread"] == 1
    update(desk, made["id"], read=True)
    assert update(desk, made["id"], read=False)["unread"] == 1


def test_a_conversation_is_given_to_somebody_who_works_here(desk: Desk) -> None:
    desk.write(STRANGER)
    conversation_id = only(desk)["id"]
    colleague, gone = desk.colleague(), desk.colleague(active=False)
    assert update(desk, conversation_id, assigned_staff_id=colleague)["assigned_staff_id"] == colleague
    assert only(desk, assigned_staff_id=colleague)["id"] == conversation_id
    for nobody in (gone, new_id()):
        with pytest.raises(Invalid) as refused:
            update(desk, conversation_id, assigned_staff_id=nobody)
        assert refused.value.fields[0]["field"] == "assigned_staff_id"
    assert update(desk, conversation_id, assigned_staff_id=None)["assigned_staff_id"] is None


def test_another_firms_conversation_does_not_exist(desk: Desk) -> None:
    desk.write(STRANGER)
    conversation_id = only(desk)["id"]
    other = Desk(desk.everywhere, office="+12125550199")
    person = other.person()
    for attempt in (
        lambda: conversations.get_conversation(other.db, conversation_id=conversation_id),
        lambda: thread(other, conversation_id),
        lambda: update(other, conversation_id, read=True),
        lambda: assign(other, conversation_id, person),
    ):
        with pytest.raises(NotFound, match="conversation_not_found"):
            attempt()
    assert listed(other) == []


# Whose it is


def test_an_unknown_numbers_conversation_is_assigned_to_a_client(desk: Desk) -> None:
    person = desk.person()
    say(desk, person, "Good morning.")
    desk.clock.advance(minutes=1)
    desk.write(STRANGER, "This is my other phone.")
    unknown = only(desk, kind="unmatched")
    for _ in range(2):
        answer = assign(desk, unknown["id"], person)
    assert (answer["client_id"], answer["unread"]) == (person, 1)
    assert only(desk)["id"] == answer["id"] != unknown["id"]
    assert answer["preview"] == "This is my other phone."
    assert bodies(desk, answer["id"]) == ["This is my other phone.", "Good morning."]
    assert thread(desk, answer["id"])[0]["client_id"] == person
    assert desk.emitted(CONVERSATION_ASSIGNED) == [{"conversation_id": unknown["id"], "client_id": person}]
    assert conversations.get_conversation(desk.db, conversation_id=unknown["id"])["unread"] == 0


def test_what_an_assigned_number_writes_next_is_the_clients_too(desk: Desk) -> None:
    person = desk.person()
    desk.write(STRANGER, "This is my other phone.")
    assign(desk, only(desk)["id"], person)
    desk.write(STRANGER, "And one more thing.")
    assert len(bodies(desk, only(desk, client_id=person)["id"])) == 2


def test_an_assigned_conversation_is_no_longer_the_others(desk: Desk) -> None:
    ann, bob = desk.person(STRANGER), desk.person(STRANGER)
    desk.ask([desk.item(ann)])
    desk.ask([desk.item(bob)])
    desk.run()
    desk.write(STRANGER, "This is Ann.")
    assign(desk, only(desk)["id"], ann)
    assert "This is Ann." in bodies(desk, only(desk, client_id=ann)["id"])
    assert listed(desk, client_id=bob) == []
    found = history.list_messages(desk.db, **{**NOTHING, "client_id": bob})["data"]
    assert [message["direction"] for message in found] == ["outbound"]


def test_what_is_not_filed_yet_shows_for_whom_it_is_known_to_be_from(desk: Desk) -> None:
    ann, bob = desk.person(STRANGER), desk.person(STRANGER)
    desk.ask([desk.item(ann)])
    desk.run()
    desk.reply(STRANGER, "This is Ann.")
    desk.ask([desk.item(bob)])
    desk.run()
    for client_id, expected in ((ann, ["This is Ann."]), (bob, [])):
        found = history.list_messages(desk.db, **{**NOTHING, "client_id": client_id, "direction": "inbound"})["data"]
        assert [message["body"] for message in found] == expected


def test_a_clients_conversation_is_not_assigned_to_another(desk: Desk) -> None:
    ann, bob = desk.person(), desk.person()
    desk.write(desk.number(ann))
    conversation_id = only(desk)["id"]
    assert assign(desk, conversation_id, ann)["id"] == conversation_id
    with pytest.raises(Conflict, match="conversation_is_a_clients"):
        assign(desk, conversation_id, bob)
    with pytest.raises(NotFound, match="client_not_found"):
        assign(desk, conversation_id, new_id())


def test_an_opt_out_stays_with_the_address_that_said_it(desk: Desk) -> None:
    person = desk.person()
    desk.write(STRANGER, "STOP")
    desk.run()
    assign(desk, only(desk)["id"], person)
    key = ("sms", consent.address_key(STRANGER))
    with desk.db.read() as session:
        assert consent.read_states(session, [key]) == {key: "opted_out"}
    assert say(desk, person)["state"] == "accepted"
    # The confirmation is part of what was said.
    assert [message["kind"] for message in thread(desk, only(desk)["id"])] == [
        "message", "opt_out_confirmation", "message",
    ]  # fmt: skip
