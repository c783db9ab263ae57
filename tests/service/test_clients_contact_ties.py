"""clients: what ties contacts to business clients, what ends a tie, and to whom notices go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import eventlet
import pytest

from chassis.wire import strict
from contracts import clients as contract
from contracts.clients import CONTACT_ACCESS_CHANGED
from contracts.errors import Conflict, Gone, NotFound
from services.clients import companies, contact_ties, contacts
from services.clients.activity import list_client_activity
from services.clients.models import Contact
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.contacts_desk import ANN, LATER, add, business, checked, get, listed, make, tied, told
from tests.service.merging_clients import merge
from tests.service.races import until_held_up

__all__ = ["desk"]


def test_nothing_is_changed_under_a_business_that_is_not_there(desk: Desk) -> None:
    merged, deleted, survivor = (business(desk, name) for name in ("Acme", "Acme Inc", "Acme Ltd"))
    ann = make(desk, merged, deleted)
    merge(desk, survivor, merged)
    desk.delete(deleted)
    for client_id, why in ((merged, "client_merged"), (deleted, "client_not_found")):
        tie = {"client_id": client_id, "contact_id": ann["id"]}
        for action in (
            partial(contacts.update_client_contact, desk.db, changes={"notify": True}, **tie),
            partial(contact_ties.remove_client_contact, desk.db, NOW, **tie),
            partial(companies.get_client_company, desk.db, client_id=client_id),
            partial(companies.unlink_company, desk.db, client_id=client_id),
        ):
            with pytest.raises((Gone, NotFound), match=why):
                action()
    assert tied(get(desk, ann)) == [survivor]


# At the same time


def test_two_at_once_make_one_contact(desk: Desk) -> None:
    businesses = [business(desk, f"Acme {number}") for number in range(6)]
    start = threading.Barrier(len(businesses))
    made: list[str] = []

    def run(client_id: str) -> None:
        start.wait()
        made.append(add(desk, client_id, **ANN)["id"])

    threads = [threading.Thread(target=run, args=(client_id,)) for client_id in businesses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(businesses)
    assert set(made) == set(listed(desk))
    (contact_id,) = set(made)
    assert sorted(tied(get(desk, {"id": contact_id}))) == sorted(businesses)


def test_a_business_stays_one_while_it_gets_a_contact(desk: Desk) -> None:
    acme = business(desk)
    made = make(desk, business(desk, "Bolt"))
    with desk.db.unit_of_work() as uow:
        contact_ties.lock_businesses(uow, [acme], "client_id")
        changing = eventlet.spawn(attempt, lambda: desk.change(acme, kind="individual"))
        until_held_up(desk.db, changing)
        contact = uow.session.get_one(Contact, (desk.firm_id, made["id"]))
        contact_ties.tie(uow, contact, [acme], notify=False, now=NOW)
    assert isinstance(changing.wait(), Conflict)
    assert (desk.get(acme)["kind"], acme in tied(get(desk, made))) == ("business", True)


def attempt(action: Callable[[], Any]) -> Any:
    """What an action answers or raises."""
    try:
        return action()
    except Conflict as error:
        return error


# Ties that end


def test_deleting_a_client_leaves_its_contacts(desk: Desk) -> None:
    acme, bolt = business(desk), business(desk, "Bolt")
    made = make(desk, acme, bolt)
    desk.delete(acme)
    assert tied(get(desk, made)) == [bolt]
    desk.delete(bolt)
    found = get(desk, made)
    assert (found["clients"], found["portal_access"]) == ([], False)
    assert listed(desk) == [made["id"]]


def test_removing_a_contact_from_a_client_ends_that_tie_only(desk: Desk) -> None:
    acme, bolt = business(desk), business(desk, "Bolt")
    made = make(desk, acme, bolt)
    contact_ties.remove_client_contact(desk.db, LATER, client_id=acme, contact_id=made["id"])
    assert tied(get(desk, made)) == [bolt]
    assert get(desk, made)["portal_access"]
    assert told(desk)[2:] == [(made["id"], acme, False)]
    with pytest.raises(NotFound, match="contact_not_found"):
        contact_ties.remove_client_contact(desk.db, LATER, client_id=acme, contact_id=made["id"])


def test_with_no_tie_left_a_contact_stays_listed_without_the_portal(desk: Desk) -> None:
    acme = business(desk)
    made = make(desk, acme)
    contact_ties.remove_client_contact(desk.db, LATER, client_id=acme, contact_id=made["id"])
    found = get(desk, made)
    assert (found["clients"], found["portal_access"]) == ([], False)
    assert listed(desk) == [made["id"]]
    assert listed(desk, client_id=acme) == []
    assert add(desk, acme, contact_id=made["id"])["portal_access"]
    assert told(desk)[-1] == (made["id"], acme, True)


def test_deleting_a_contact_ends_all_ties_and_closes_the_portal(desk: Desk) -> None:
    acme, bolt = business(desk), business(desk, "Bolt")
    made = make(desk, acme, bolt)
    contacts.delete_contact(desk.db, LATER, contact_id=made["id"])
    assert listed(desk) == listed(desk, client_id=acme) == []
    assert sorted(told(desk)[2:]) == sorted((made["id"], client_id, False) for client_id in (acme, bolt))
    with pytest.raises(NotFound, match="contact_not_found"):
        get(desk, made)
    assert desk.listed(sort="name") == [acme, bolt]
    again = make(desk, acme)
    assert again["id"] != made["id"]


def test_access_is_what_holds_now(desk: Desk) -> None:
    acme, bolt = business(desk), business(desk, "Bolt")
    made = make(desk, acme)

    def access(client_id: str = acme) -> dict[str, Any]:
        return contact_ties.get_contact_access(desk.db, client_id=client_id, contact_id=made["id"])

    assert access() == {"access": True, "first_name": "Ann"}
    assert access(bolt) == {"access": False, "first_name": None}
    contacts.update_contact(desk.db, LATER, contact_id=made["id"], changes={"email": None})
    assert not access()["access"]
    contacts.update_contact(desk.db, LATER, contact_id=made["id"], changes={"email": "ann@example.com"})
    assert access()["access"]
    desk.delete(acme)
    assert not access()["access"]


@pytest.mark.parametrize("changes", [{"email": "new@example.com"}, {"phone": "+12125550199"}])
def test_a_new_address_closes_what_the_old_one_opened(desk: Desk, changes: dict[str, Any]) -> None:
    acme = business(desk)
    made = make(desk, acme)
    contacts.update_contact(desk.db, LATER, contact_id=made["id"], changes=changes)
    assert told(desk) == [(made["id"], acme, True), (made["id"], acme, False), (made["id"], acme, True)]


def test_without_an_email_the_portal_is_closed(desk: Desk) -> None:
    acme = business(desk)
    made = make(desk, acme)
    contacts.update_contact(desk.db, LATER, contact_id=made["id"], changes={"email": None})
    assert told(desk) == [(made["id"], acme, True), (made["id"], acme, False)]
    assert not get(desk, made)["portal_access"]


def test_who_is_notified_is_marked_for_each_tie(desk: Desk) -> None:
    acme, bolt = business(desk), business(desk, "Bolt")
    made = make(desk, acme, bolt)
    changed = checked(
        contacts.update_client_contact(desk.db, client_id=bolt, contact_id=made["id"], changes={"notify": True})
    )
    assert {tie["client_id"]: tie["notify"] for tie in changed["clients"]} == {acme: False, bolt: True}
    assert changed["version"] == made["version"]
    assert told(desk)[2:] == [(made["id"], bolt, True)]


def test_ties_are_in_the_activity_of_the_business(desk: Desk) -> None:
    acme = business(desk)
    made = make(desk, acme)
    contact_ties.remove_client_contact(desk.db, LATER, client_id=acme, contact_id=made["id"])
    newest, before = list_client_activity(desk.db, client_id=acme)["data"][:2]
    assert (newest["kind"], before["kind"]) == (CONTACT_ACCESS_CHANGED.name,) * 2
    assert (newest["facts"]["access"], before["facts"]["access"]) == (False, True)
    assert newest["facts"]["contact_id"] == made["id"]


# Whom notices go to


def test_a_business_names_the_contacts_marked_for_notices_in_the_order_of_their_ties(desk: Desk) -> None:
    acme = business(desk, phones=[{"number": "+12125550100"}])
    assert "contacts" not in desk.recipient(acme)
    ann = make(desk, acme, notify=True)
    landline = {"phone": "+442079460958", "email": "bob@example.com"}
    bob = add(desk, acme, first_name="Bob", notify=True, **landline)
    add(desk, acme, first_name="Cid", email="cid@example.com")
    found = desk.recipient(acme)
    assert (found["display_name"], found["sms"]) == ("Acme", "+12125550100")
    assert found["contacts"] == [
        {
            "contact_id": ann["id"], "first_name": "Ann", "last_name": "Lee", "email": "Ann.Lee@example.com",
            "sms": "+12125550123", "phone": "+12125550123",
        },
        {
            "contact_id": bob["id"], "first_name": "Bob", "last_name": None, "email": "bob@example.com", "sms": None,
            "phone": "+442079460958",
        },
    ]  # fmt: skip
    assert strict(contract.Recipient).schema.validate(strict(contract.Recipient).dump(found)) == {}
    contact_ties.remove_client_contact(desk.db, LATER, client_id=acme, contact_id=ann["id"])
    assert [contact["contact_id"] for contact in desk.recipient(acme)["contacts"]] == [bob["id"]]


def test_a_contact_is_a_recipient_by_their_own_id(desk: Desk, tmp_path: Path) -> None:
    made = make(desk, business(desk))
    found = desk.recipient(made["id"])
    assert (found["state"], found["display_name"], found["sms"]) == ("found", "Ann Lee", "+12125550123")
    assert (found["email"], found["time_zone"]) == ("Ann.Lee@example.com", None)
    assert Desk(desk.everywhere, tmp_path).recipient(made["id"])["state"] == "erased"
    contacts.delete_contact(desk.db, LATER, contact_id=made["id"])
    assert desk.recipient(made["id"])["state"] == "erased"
