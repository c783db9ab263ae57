"""messaging forgets a contact of a business that is deleted. Every event is delivered twice."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id
from chassis.files import FolderFiles
from chassis.testing import deliver, received
from contracts import clients
from contracts.errors import Unavailable
from services.messaging import consent, conversations
from services.messaging.erasures import address_erasing
from services.messaging.models import Delivery
from tests.service.canaries import found_in, publish_all
from tests.service.conversing import only, say, thread
from tests.service.messaging_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database
from tests.service.test_messaging_contacts import business, contact, sent_to

__all__ = ["desk"]

NUMBER = "+12125550142"
MAIL = "zerelda@example.com"
WORDS = [NUMBER, MAIL, "Zerelda", "Marzipan", "Wurlitzer", "Lamplighter"]
TEXT = "{{ client.first_name }} of {{ client.display_name }}: {{ task.title }}"


@pytest.fixture(autouse=True)
def files(desk: Desk, tmp_path: Any) -> FolderFiles:
    desk.service.files = FolderFiles(tmp_path)
    return desk.service.files


def zerelda(desk: Desk, **given: Any) -> dict[str, Any]:
    return contact(desk, "Zerelda", **{"sms": NUMBER, "phone": NUMBER, "email": MAIL, **given})


def delete(desk: Desk, acme: str, gone: dict[str, Any], *shared: str, **addresses: list[str]) -> None:
    """As clients does it: the ties end, the addresses are named, and then it is told."""
    desk.people[acme]["contacts"].remove(gone)
    person = {"client_ids": [gone["contact_id"]], "numbers": [gone["sms"]], "emails": [MAIL], "shared": list(shared)}
    address_erasing.forget_addresses(desk.db, desk.service.files, NOW, people=[{**person, **addresses}])
    tell(desk, gone)


def tell(desk: Desk, gone: dict[str, Any]) -> None:
    event = received(clients.CONTACT_DELETED, {"contact_id": gone["contact_id"]}, firm_id=desk.firm_id)
    for _ in range(2):
        deliver(desk.service, "forget_contacts", event)


def has_a_history(desk: Desk, *contacts: dict[str, Any]) -> str:
    """A business whose contacts were written to in bulk and one by one, and of whom the first wrote back."""
    acme = business(desk, *contacts)
    desk.ask([desk.item(acme)], content_id=desk.content(TEXT))
    desk.run()
    say(desk, acme, "The Wurlitzer, please: {{ task.title }}", case_task_id=desk.task())
    desk.run()
    desk.write(contacts[0]["sms"], "I moved to Marzipan Row.")
    return acme


@on_one_database
def test_nothing_that_was_written_either_way_is_left(desk: Desk) -> None:
    gone = zerelda(desk)
    acme = has_a_history(desk, gone)
    assert only(desk, client_id=acme)["preview"] == "I moved to Marzipan Row."
    assert set(found_in(desk.everywhere, WORDS)) == {NUMBER, "Zerelda", "Marzipan", "Wurlitzer"}
    publish_all(desk.everywhere)
    delete(desk, acme, gone)
    assert found_in(desk.everywhere, WORDS) == []
    assert {(row.state, row.contact_id) for row in desk.deliveries()} == {("sent", gone["contact_id"])}
    assert all(row.provider_id for row in desk.deliveries())
    # That something was said stays in the business's conversation.
    assert len(thread(desk, only(desk, client_id=acme)["id"])) == 3


@on_one_database
def test_what_was_written_to_others_stays(desk: Desk) -> None:
    gone, cal = zerelda(desk), contact(desk, "Cal")
    acme = has_a_history(desk, gone, cal)
    own = desk.number(acme)
    desk.people[acme]["contacts"] = [gone, cal]
    say(desk, acme, "Lamplighter is yours.")
    desk.run()
    desk.write(own, "Thank you for the Lamplighter")
    delete(desk, acme, gone)
    assert found_in(desk.everywhere, [NUMBER, "Zerelda", "Marzipan"]) == []
    assert set(found_in(desk.everywhere, ["Cal of Acme", cal["sms"], own, "Lamplighter", "Wurlitzer"])) == {
        "Cal of Acme", cal["sms"], own, "Lamplighter", "Wurlitzer"
    }  # fmt: skip
    assert only(desk, client_id=acme)["preview"] == "Thank you for the Lamplighter"


@on_one_database
def test_a_stop_goes_on_to_bind(desk: Desk) -> None:
    gone = zerelda(desk)
    acme = has_a_history(desk, gone)
    desk.write(NUMBER, "STOP, says Zerelda")
    delete(desk, acme, gone)
    assert found_in(desk.everywhere, WORDS) == []
    with desk.db.read() as session:
        key = ("sms", consent.address_key(NUMBER))
        assert consent.read_states(session, [key])[key] == "opted_out"
    desk.run()
    before = len(desk.provider.accepted)
    batch_id = desk.ask([desk.item(desk.person(NUMBER, first_name="Newcomer"))])
    desk.run()
    assert (desk.outcome(batch_id), len(desk.provider.accepted)) == ({"opted_out": 1}, before)


def test_what_came_from_an_address_of_somebody_else_too_stays(desk: Desk) -> None:
    gone = zerelda(desk)
    acme = has_a_history(desk, gone)
    delete(desk, acme, gone, NUMBER, numbers=[])
    # The text is the business's own as well; what was written to the contact is not.
    assert found_in(desk.everywhere, ["Marzipan", "Zerelda"]) == ["Marzipan"]
    assert [row.address for row in desk.deliveries()] == [None, None]


@on_one_database
def test_what_came_from_a_former_address_goes(desk: Desk) -> None:
    gone = zerelda(desk)
    acme = has_a_history(desk, gone)
    gone["sms"] = gone["phone"] = "+12125550143"
    delete(desk, acme, gone)
    assert found_in(desk.everywhere, WORDS) == []


@on_one_database
def test_what_waits_goes_to_those_who_are_marked_by_then(desk: Desk) -> None:
    gone, cal = zerelda(desk), contact(desk, "Cal")
    acme = business(desk, gone, cal)
    batch_id = desk.ask([desk.item(acme)], content_id=desk.content(TEXT))
    desk.prepare()
    delete(desk, acme, gone)  # heard of before the end of the tie
    desk.run()
    assert sent_to(desk) == [cal["sms"]]
    assert sorted((row.state, row.reason) for row in desk.deliveries(batch_id)) == [
        ("sent", None), ("suppressed", "duplicate")
    ]  # fmt: skip
    assert found_in(desk.everywhere, WORDS) == []


@pytest.mark.parametrize(("state", "then"), [("sending", "sent"), ("unknown", None)])
def test_a_call_under_way_is_waited_for_and_one_of_unknown_fate_is_not(desk: Desk, state: str, then: str) -> None:
    gone = zerelda(desk)
    acme = business(desk, gone)
    desk.ask([desk.item(acme)], content_id=desk.content(TEXT))
    desk.prepare()
    become(desk, state)
    if then:
        with pytest.raises(Unavailable, match="message_under_way"):
            delete(desk, acme, gone)
        become(desk, then)
        tell(desk, gone)
    else:
        delete(desk, acme, gone)
    (row,) = desk.deliveries()
    assert (row.state, row.address, row.body) == (then or "failed", None, None)
    assert found_in(desk.everywhere, WORDS) == []


def become(desk: Desk, state: str) -> None:
    with desk.db.unit_of_work() as uow:
        (row,) = uow.session.scalars(select(Delivery)).all()
        row.state, row.body, row.attempts = state, "Hi Zerelda", 1


@on_one_database
def test_another_firms_contact_is_not_touched(desk: Desk) -> None:
    gone = zerelda(desk)
    acme = has_a_history(desk, gone)
    event = received(clients.CONTACT_DELETED, {"contact_id": gone["contact_id"]}, firm_id=new_id())
    deliver(desk.service, "forget_contacts", event)
    assert conversations.list_conversations(desk.db, client_id=acme)["data"][0]["preview"]
    assert {row.address for row in desk.deliveries()} == {NUMBER}
