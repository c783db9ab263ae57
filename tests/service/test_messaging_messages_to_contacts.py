"""One message about a case task of a business goes to its contacts, by the rules of a notification in bulk."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id, utc_now
from chassis.testing import deliver, received
from contracts import clients, portal
from contracts.errors import Conflict
from contracts.messaging import DELIVERY_SUPPRESSED
from services.messaging import history, messages
from services.messaging.models import Delivery
from tests.service.conversing import only, say, thread
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database
from tests.service.test_messaging_contacts import business, changed, contact, sent_to, untie
from tests.service.test_messaging_contacts import say as state_wish

__all__ = ["desk"]

TEXT = "{{ client.first_name }} of {{ client.display_name }}: {{ task.title }} {{ task.link }}"
TOMORROW = dt.timedelta(days=1)


def write(desk: Desk, client_id: str, body: str = TEXT, **given: Any) -> dict[str, Any]:
    """A message about a case task."""
    return say(desk, client_id, body, **{"case_task_id": desk.task(), **given})


def rows(desk: Desk) -> set[tuple[str | None, str, str | None]]:
    return {(row.contact_id, row.state, row.reason) for row in desk.deliveries()}


def refresh(desk: Desk, client_id: str) -> None:
    deliver(desk.service, "refresh_clients", received(clients.CLIENT_CHANGED, changed(client_id), firm_id=desk.firm_id))


@on_one_database
def test_it_goes_to_each_marked_contact_with_a_link_of_their_own(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    acme = business(desk, bea, cal)
    message = write(desk, acme)
    assert (message["state"], message["contact_id"], message["to"]) == ("accepted", bea["contact_id"], bea["sms"])
    for _ in range(2):  # whatever makes it be prepared again adds nobody a second time
        desk.prepare()
        refresh(desk, acme)
    desk.run()
    texts = {sent.to: sent.body.partition(" https")[0] for sent in desk.provider.accepted}
    assert texts == {one["sms"]: f"{one['first_name']} of Acme: Your number" for one in (bea, cal)}
    links = [link for asked in desk.calls.asked(portal.REGISTER_LINKS) for link in asked["links"]]
    assert {(link["client_id"], link["contact_id"]) for link in links} == {(acme, c["contact_id"]) for c in (bea, cal)}
    assert rows(desk) == {(bea["contact_id"], "sent", None), (cal["contact_id"], "sent", None)}
    assert history.get_message(desk.db, message_id=message["id"])["contact_id"] == bea["contact_id"]
    # What was written to them is the business's conversation.
    assert {said["to"] for said in thread(desk, only(desk, client_id=acme)["id"])} == {bea["sms"], cal["sms"]}


def test_without_a_marked_contact_it_goes_to_the_client(desk: Desk) -> None:
    acme, person = business(desk), desk.person()
    for client_id in (acme, person):
        assert write(desk, client_id)["to"] == desk.number(client_id)
    desk.run()
    assert sent_to(desk) == sorted((desk.number(acme), desk.number(person)))


@on_one_database
def test_one_about_no_case_goes_to_the_business(desk: Desk) -> None:
    acme = business(desk, contact(desk))
    say(desk, acme)
    desk.run()
    assert sent_to(desk) == [desk.number(acme)]


def test_consent_is_asked_of_each(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    acme = business(desk, bea, cal)
    state_wish(desk, bea["contact_id"])
    state_wish(desk, acme)
    assert write(desk, acme)["state"] == "accepted"
    desk.run()
    assert sent_to(desk) == [cal["sms"]]
    assert rows(desk) == {(bea["contact_id"], "suppressed", "opted_out"), (cal["contact_id"], "sent", None)}


def test_where_nobody_may_be_written_to_it_says_so_and_the_ledger_has_each(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal", sms=None)
    state_wish(desk, bea["contact_id"])
    message = write(desk, business(desk, bea, cal))
    assert (message["state"], message["reason"]) == ("suppressed", "opted_out")
    wanted = {(bea["contact_id"], "suppressed", "opted_out"), (cal["contact_id"], "suppressed", "no_address")}
    assert rows(desk) == wanted
    assert len(desk.emitted(DELIVERY_SUPPRESSED)) == 2
    desk.run()
    assert (rows(desk), sent_to(desk)) == (wanted, [])


def test_a_stop_of_a_contact_before_the_claim_holds(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    write(desk, business(desk, bea, cal))
    desk.prepare()
    desk.reply(bea["sms"], "STOP")
    desk.run()
    assert [sent.to for sent in desk.provider.accepted if "Acme" in sent.body] == [cal["sms"]]


def test_two_contacts_with_one_number_get_one(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    cal["sms"] = bea["sms"]
    acme = business(desk, bea, cal)
    write(desk, acme)
    desk.run()
    assert sent_to(desk) == [bea["sms"]]
    assert rows(desk) == {(bea["contact_id"], "sent", None), (cal["contact_id"], "suppressed", "duplicate")}
    # Another message is no repetition of it.
    write(desk, acme)
    desk.run()
    assert sent_to(desk) == [bea["sms"]] * 2


def test_who_is_marked_is_decided_when_it_is_prepared(desk: Desk) -> None:
    bea, cal, dot = contact(desk, "Bea"), contact(desk, "Cal"), contact(desk, "Dot")
    acme = business(desk, bea, cal)
    write(desk, acme, timing={"mode": "at", "at": desk.clock() + TOMORROW})
    untie(desk, acme, bea)
    desk.people[acme]["contacts"].append(dot)
    desk.clock.advance(days=1, seconds=1)
    desk.run()
    assert sent_to(desk) == sorted((cal["sms"], dot["sms"]))


@on_one_database
def test_a_cancel_takes_back_what_goes_to_each(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    message = write(desk, business(desk, bea, cal))
    other = write(desk, business(desk, contact(desk, "Dot")))
    desk.prepare()
    for _ in range(2):
        assert messages.cancel_message(desk.db, message_id=message["id"])["state"] == "cancelled"
    desk.run()
    assert {(row.id == other["id"], row.state) for row in desk.deliveries()} == {(True, "sent"), (False, "cancelled")}
    with pytest.raises(Conflict, match="message_state"):
        messages.cancel_message(desk.db, message_id=other["id"])


def test_a_new_link_that_the_business_asked_for_goes_to_the_business(desk: Desk) -> None:
    acme = business(desk, contact(desk))
    data = {"link_id": new_id(), "client_id": acme, "contact_id": None, "case_task_id": desk.task(), "channel": "sms"}
    deliver(desk.service, "send_new_link", received(portal.LINK_REQUESTED, data, firm_id=desk.firm_id))
    desk.clock.now = utc_now() + dt.timedelta(seconds=1)  # the service took it in by its own clock
    desk.run()
    assert sent_to(desk) == [desk.number(acme)]


def test_a_contact_has_one_of_each_message_by_constraint(desk: Desk) -> None:
    bea, cal = contact(desk, "Bea"), contact(desk, "Cal")
    write(desk, business(desk, bea, cal))
    desk.prepare()
    (added,) = [row for row in desk.deliveries() if row.added]
    again = {column.key: getattr(added, column.key) for column in Delivery.__table__.columns}
    with desk.db.unit_of_work() as uow:
        assert uow.insert(Delivery, [{**again, "id": new_id(), "address_once": None}], ignore_conflicts=True) == 0
        assert uow.insert(Delivery, [{**again, "id": new_id(), "contact_id": new_id()}], ignore_conflicts=True) == 0
