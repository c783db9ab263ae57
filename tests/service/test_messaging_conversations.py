"""Conversations: what a thread shows, who looks after it, whose it proves to be."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messaging import CONVERSATION_ASSIGNED
from services.messaging import consent, conversations, history, threads
from tests.service.conversing import NOTHING, STRANGER, assign, bodies, listed, only, say, thread
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


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


@on_one_database
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


@on_one_database
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


@on_one_database
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
