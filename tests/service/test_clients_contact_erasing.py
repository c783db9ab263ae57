"""clients: a contact that is deleted is forgotten everywhere. Every event is delivered twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts import messaging
from contracts.clients import CONTACT_DELETED, CONTACT_DELETION_REQUESTED
from contracts.errors import Unavailable
from services.clients import contact_ties, contacts
from services.clients.erasures import contact_erasing
from tests.service.canaries import found_in, publish_all
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.test_clients_contacts import LATER, add, business, make

__all__ = ["desk"]

WORDS = ["Zerelda", "Oxenfree", "zerelda@example.com", "+12125550142"]
ZERELDA = {"first_name": "Zerelda", "last_name": "Oxenfree", "email": "Zerelda@Example.com", "phone": "(212) 555-0142"}


def deleted(desk: Desk, **given: Any) -> str:
    """A contact who was deleted a moment ago; their id."""
    made = make(desk, business(desk), **{**ZERELDA, **given})
    contacts.delete_contact(desk.db, LATER, contact_id=made["id"])
    return str(made["id"])


def go_on(desk: Desk) -> None:
    desk.hear("forget_contacts", CONTACT_DELETION_REQUESTED, *desk.emitted(CONTACT_DELETION_REQUESTED))


def test_messaging_hears_the_addresses_and_then_everybody_that_they_are_gone(desk: Desk) -> None:
    contact_id = deleted(desk)
    assert desk.emitted(CONTACT_DELETED) == []
    publish_all(desk.everywhere)
    go_on(desk)
    person = {
        "client_ids": [contact_id], "numbers": ["+12125550142"], "emails": ["zerelda@example.com"], "shared": []
    }  # fmt: skip
    assert desk.forgotten == [person]
    assert desk.emitted(CONTACT_DELETED) == [{"contact_id": contact_id}]
    assert found_in(desk.everywhere, WORDS) == []


def test_an_address_of_somebody_else_too_is_named_as_shared(desk: Desk) -> None:
    desk.create(phones=[{"number": "+12125550142", "kind": "work"}])
    contact_id = deleted(desk)
    make(desk, business(desk, "Bolt"), first_name="Bea", email="zerelda@example.com", phone=None)
    go_on(desk)
    assert desk.forgotten == [
        {"client_ids": [contact_id], "numbers": [], "emails": [], "shared": ["+12125550142", "zerelda@example.com"]}
    ]


def test_while_messaging_does_not_answer_it_waits_and_is_asked_again(desk: Desk) -> None:
    def away(**_: Any) -> None:
        raise Unavailable("no_answer")

    answered = desk.calls.answers[messaging.FORGET_ADDRESSES]
    desk.calls.answers[messaging.FORGET_ADDRESSES] = away
    contact_id = deleted(desk)
    with pytest.raises(Unavailable):
        go_on(desk)
    assert desk.emitted(CONTACT_DELETED) == []
    desk.calls.answers[messaging.FORGET_ADDRESSES] = answered
    due = LATER + contact_erasing.PATIENCE
    assert not contact_erasing.ask_again(desk.everywhere, due - dt.timedelta(seconds=1))
    assert len(desk.emitted(CONTACT_DELETION_REQUESTED)) == 1
    for _ in range(2):
        contact_erasing.ask_again(desk.everywhere, due)
    assert len(desk.emitted(CONTACT_DELETION_REQUESTED)) == 2
    go_on(desk)
    assert desk.emitted(CONTACT_DELETED) == [{"contact_id": contact_id}]
    contact_erasing.ask_again(desk.everywhere, due + 2 * contact_erasing.PATIENCE)
    assert len(desk.emitted(CONTACT_DELETION_REQUESTED)) == 2


def test_a_tie_that_ends_forgets_nobody(desk: Desk) -> None:
    acme = business(desk)
    made = make(desk, acme, **ZERELDA)
    contact_ties.remove_client_contact(desk.db, LATER, client_id=acme, contact_id=made["id"])
    assert desk.emitted(CONTACT_DELETION_REQUESTED) == []
    # The email is free at once for somebody new.
    contacts.delete_contact(desk.db, NOW, contact_id=made["id"])
    assert add(desk, acme, **ZERELDA)["id"] != made["id"]
