"""Writing to the firm behind a link, and saying how it may write back: in the client's name, through messaging."""

from __future__ import annotations

import pytest

from chassis.context import current
from contracts import messaging
from contracts.errors import Gone, NotFound
from services.portal import contact
from tests.service.portal_office import Office, database, office

__all__ = ["database", "office"]


@pytest.fixture
def said(office: Office) -> list[tuple[object, dict[str, object]]]:
    """What messaging is told, by whom."""
    told: list[tuple[object, dict[str, object]]] = []
    wanted: dict[str, str | None] = {"sms": None, "email": None, "phone": None}

    def receive(**message: object) -> dict[str, object]:
        told.append((current(), message))
        return {"message_id": office.client_id, "effect": "none", "repeated": False}

    def prefer(client_id: str, source: str, **changes: str) -> dict[str, object]:
        told.append((current(), {"source": source, **changes}))
        wanted.update(changes)
        return {"client_id": client_id, **wanted}

    office.calls.answers.update(
        {
            messaging.RECEIVE_PORTAL_MESSAGE: receive,
            messaging.SET_PREFERENCES: prefer,
            messaging.GET_PREFERENCES: lambda client_id: {"client_id": client_id, **wanted},
        }
    )
    return told


def test_a_message_goes_to_messaging_in_the_clients_name(office: Office, said: list) -> None:
    link = office.link()
    contact.write_message(office.everywhere, office.calls, office.clock(), link.id, "Hello", "0" * 16)
    ((context, message),) = said
    assert (context.firm_id, context.actor_id, context.actor_kind) == (office.firm_id, office.client_id, "client")
    assert message == {"client_id": office.client_id, "link_id": link.id, "body": "Hello", "once": "0" * 16}


def test_the_page_shows_the_channels_that_the_client_has(office: Office, said: list) -> None:
    office.client |= {"sms": "+12125550123", "email": None, "phone": "+12125550123"}
    link = office.link()
    page = contact.get_contact_page(office.everywhere, office.calls, office.firms, office.clock(), link.id)
    assert (page["channels"], page["language"], page["first_name"]) == (["sms", "phone"], "es", "Ana")
    page = contact.set_own_preferences(
        office.everywhere, office.calls, office.firms, office.clock(), link.id, sms="opted_out"
    )
    assert page["preferences"] == {"sms": "opted_out", "email": None, "phone": None}
    assert said[-1][1] == {"source": "portal", "sms": "opted_out"}


def test_a_link_that_ended_opens_none_of_it(office: Office, said: list) -> None:
    link = office.link()
    office.clock.advance(days=15)
    with pytest.raises(Gone):
        contact.get_contact_page(office.everywhere, office.calls, office.firms, office.clock(), link.id)
    with pytest.raises(Gone):
        contact.write_message(office.everywhere, office.calls, office.clock(), link.id, "Hello", "0" * 16)
    assert said == []


def test_what_an_erased_client_writes_is_handed_to_nobody(office: Office, said: list) -> None:
    """The event that ends the link is under way."""
    link = office.link()
    office.client["state"] = "erased"
    with pytest.raises(Gone):
        contact.write_message(office.everywhere, office.calls, office.clock(), link.id, "Hello", "0" * 16)
    with pytest.raises(Gone):
        contact.set_own_preferences(
            office.everywhere, office.calls, office.firms, office.clock(), link.id, sms="opted_out"
        )
    assert said == []


def test_a_client_whom_messaging_does_not_know_any_more_has_no_page(office: Office, said: list) -> None:
    def gone(**_: object) -> None:
        raise NotFound("client_not_found")

    office.calls.answers.update({messaging.GET_PREFERENCES: gone, messaging.SET_PREFERENCES: gone})
    link = office.link()
    with pytest.raises(Gone):
        contact.get_contact_page(office.everywhere, office.calls, office.firms, office.clock(), link.id)
    with pytest.raises(Gone):
        contact.set_own_preferences(
            office.everywhere, office.calls, office.firms, office.clock(), link.id, sms="opted_in"
        )
