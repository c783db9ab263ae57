"""clients: contacts of business clients."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eventlet
import pytest

from chassis.columns import new_id
from chassis.wire import strict
from contracts import clients as contract
from contracts.clients import CONTACT_ACCESS_CHANGED
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import contact_ties, contacts
from services.clients.activity import list_client_activity
from services.clients.models import Contact
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]

LATER = NOW + dt.timedelta(hours=1)
ANN = {"first_name": "Ann", "last_name": "Lee", "email": "Ann.Lee@example.com", "phone": "(212) 555-0123"}


def business(desk: Desk, name: str = "Acme", **given: Any) -> str:
    return str(desk.create(first_name=None, company_name=name, kind="business", **given)["id"])


def checked(record: dict[str, Any]) -> dict[str, Any]:
    assert strict(contract.Contact).schema.validate(strict(contract.Contact).dump(record)) == {}
    return record


def make(desk: Desk, *client_ids: str, **given: Any) -> dict[str, Any]:
    return checked(contacts.create_contact(desk.db, NOW, client_ids=client_ids, **{**ANN, **given}))


def add(desk: Desk, client_id: str, **given: Any) -> dict[str, Any]:
    return checked(contacts.add_client_contact(desk.db, LATER, client_id=client_id, **given))


def get(desk: Desk, contact: dict[str, Any]) -> dict[str, Any]:
    return checked(contacts.get_contact(desk.db, contact_id=contact["id"]))


def listed(desk: Desk, **query: Any) -> list[str]:
    return [contact["id"] for contact in contacts.list_contacts(desk.db, **query)["data"]]


def tied(contact: dict[str, Any]) -> list[str]:
    return [tie["client_id"] for tie in contact["clients"]]


def told(desk: Desk) -> list[tuple[str, str, bool]]:
    """(contact, client, access) of each event, oldest first."""
    return [(data["contact_id"], data["client_id"], data["access"]) for data in desk.emitted(CONTACT_ACCESS_CHANGED)]


# Creating and assigning


def test_a_contact_made_from_the_list_belongs_to_its_businesses(desk: Desk) -> None:
    acme, bolt = business(desk), business(desk, "Bolt")
    made = make(desk, acme, bolt, title="Office manager", notify=True)
    assert (made["email"], made["phone"], made["title"]) == ("Ann.Lee@example.com", "+12125550123", "Office manager")
    assert made["clients"] == [{"client_id": client_id, "notify": True} for client_id in sorted((acme, bolt))]
    assert (made["portal_access"], made["version"]) == (True, 1)
    assert get(desk, made) == made
    assert listed(desk) == listed(desk, client_id=acme) == listed(desk, client_id=bolt) == [made["id"]]
    assert sorted(told(desk)) == sorted((made["id"], client_id, True) for client_id in (acme, bolt))


def test_one_business_is_needed_to_make_a_contact_from_the_list() -> None:
    for given in ({"first_name": "Ann"}, {"first_name": "Ann", "client_ids": []}):
        assert "client_ids" in contract.CreateContact().validate(given)


def test_a_contact_made_under_a_client_is_in_the_firms_list(desk: Desk) -> None:
    acme = business(desk)
    made = add(desk, acme, **ANN)
    assert listed(desk) == [made["id"]]
    assert tied(made) == [acme]


def test_a_contact_that_exists_is_assigned_and_never_doubled(desk: Desk) -> None:
    acme, bolt, core = (business(desk, name) for name in ("Acme", "Bolt", "Core"))
    made = make(desk, acme)
    by_email = add(desk, bolt, first_name="Anna", email="ann.lee@EXAMPLE.com", phone=None)
    again = make(desk, core, acme, first_name="Annie", email="ANN.LEE@example.com", notify=True)
    by_id = add(desk, bolt, contact_id=made["id"], notify=True)
    assert by_email["id"] == again["id"] == by_id["id"] == made["id"]
    assert listed(desk) == [made["id"]]
    found = get(desk, made)
    assert {name: found[name] for name in ANN} == {name: made[name] for name in ANN}
    # A tie that was there stays as it was.
    assert found["clients"] == [
        {"client_id": acme, "notify": False}, {"client_id": core, "notify": True}, {"client_id": bolt, "notify": False},
    ]  # fmt: skip
    assert sorted(told(desk)) == sorted((made["id"], client_id, True) for client_id in (acme, bolt, core))


def test_contacts_without_an_email_are_each_their_own_and_without_the_portal(desk: Desk) -> None:
    acme = business(desk)
    made = [make(desk, acme, email=None) for _ in range(2)]
    assert made[0]["id"] != made[1]["id"]
    assert not made[0]["portal_access"]
    assert told(desk) == [(contact["id"], acme, False) for contact in made]


def test_creating_a_client_creates_no_contact_and_the_reverse(desk: Desk) -> None:
    acme = business(desk, emails=[{"address": "office@example.com"}])
    assert listed(desk) == []
    make(desk, acme)
    assert desk.listed() == [acme]


def test_only_businesses_have_contacts(desk: Desk) -> None:
    acme, person = business(desk), desk.create()["id"]
    for try_it, field in (
        (lambda: make(desk, acme, person), "client_ids.1"),
        (lambda: add(desk, person, **ANN), "client_id"),
    ):
        with pytest.raises(Invalid, match="not_a_business") as refused:
            try_it()
        assert refused.value.fields[0]["field"] == field
    assert listed(desk) == []
    make(desk, acme)
    with pytest.raises(Conflict, match="client_has_contacts"):
        desk.change(acme, kind="individual")
    assert desk.get(acme)["kind"] == "business"


def test_an_import_makes_no_business_with_contacts_a_person(desk: Desk) -> None:
    acme = business(desk, emails=[{"address": "office@example.com"}])
    bolt = business(desk, "Bolt", emails=[{"address": "bolt@example.com"}])
    make(desk, acme)
    rows = [
        ["email", "first_name", "kind"],
        *([f"{name}@example.com", "Ann", "individual"] for name in ("office", "bolt")),
    ]
    preview = desk.preview(rows, duplicates="update")
    assert (preview["counts"]["failed"], preview["counts"]["updated"]) == (1, 1)
    found = desk.import_all(rows, duplicates="update")
    assert found["counts"] == preview["counts"]
    assert found["error_counts"] == {"client_has_contacts": 1}
    assert (desk.get(acme)["kind"], desk.get(bolt)["kind"]) == ("business", "individual")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"first_name": " ", "last_name": None}, "first_name"),
        ({"first_name": "a\u202eb"}, "first_name"),
        ({"email": "nobody"}, "email"),
        ({"phone": "12"}, "phone"),
        ({"title": "a\x07b"}, "title"),
    ],
)
def test_a_bad_contact_is_refused_and_leaves_nothing(desk: Desk, given: dict[str, Any], field: str) -> None:
    acme = business(desk)
    for attempt in (lambda: make(desk, acme, **given), lambda: add(desk, acme, **{**ANN, **given})):
        with pytest.raises(Invalid) as refused:
            attempt()
        assert [entry["field"] for entry in refused.value.fields] == [field]
    assert listed(desk) == []


def test_an_id_with_fields_is_refused(desk: Desk) -> None:
    acme = business(desk)
    made = make(desk, acme)
    with pytest.raises(Invalid, match="contradictory") as refused:
        add(desk, acme, contact_id=made["id"], first_name="Bob")
    assert refused.value.fields[0]["field"] == "first_name"


def test_what_is_not_there_or_another_firms_is_not_found(desk: Desk, tmp_path: Path) -> None:
    stranger = Desk(desk.everywhere, tmp_path)
    acme, theirs, gone = business(desk), business(stranger), business(desk, "Gone")
    desk.delete(gone)
    their_contact = make(stranger, theirs)
    made = make(desk, acme)  # the same email in another firm is another contact
    assert made["id"] != their_contact["id"]
    for client_id in (theirs, gone, new_id()):
        for attempt in (
            lambda client_id=client_id: make(desk, acme, client_id),
            lambda client_id=client_id: add(desk, client_id, contact_id=made["id"]),
            lambda client_id=client_id: listed(desk, client_id=client_id),
        ):
            with pytest.raises(NotFound, match="client_not_found"):
                attempt()
    for contact_id in (their_contact["id"], new_id()):
        named = {"contact_id": contact_id}
        attempts: tuple[Callable[..., Any], ...] = (
            lambda named=named: contacts.get_contact(desk.db, **named),
            lambda named=named: contacts.update_contact(desk.db, NOW, changes={"title": "X"}, **named),
            lambda named=named: contacts.delete_contact(desk.db, NOW, **named),
            lambda named=named: add(desk, acme, **named),
            lambda named=named: contacts.update_client_contact(
                desk.db, client_id=acme, changes={"notify": True}, **named
            ),
            lambda named=named: contact_ties.remove_client_contact(desk.db, NOW, client_id=acme, **named),
        )
        for attempt in attempts:
            with pytest.raises(NotFound, match="contact_not_found"):
                attempt()
    assert tied(get(desk, made)) == [acme]
    assert get(stranger, their_contact) == their_contact


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
        eventlet.sleep(0.3)  # time enough to do harm
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


# Changing


def test_a_contact_is_changed(desk: Desk) -> None:
    acme = business(desk)
    made = make(desk, acme)
    changed = checked(
        contacts.update_contact(desk.db, LATER, contact_id=made["id"], changes={"title": "CFO"}, expected_version=1)
    )
    assert changed == {**made, "title": "CFO", "version": 2, "updated_at": LATER}
    assert contacts.update_contact(desk.db, LATER, contact_id=made["id"], changes={"title": "CFO"})["version"] == 2
    with pytest.raises(Conflict, match="stale_version"):
        contacts.update_contact(desk.db, LATER, contact_id=made["id"], changes={"title": "X"}, expected_version=1)
    with pytest.raises(Invalid):
        contacts.update_contact(desk.db, LATER, contact_id=made["id"], changes={"first_name": "", "last_name": None})
    assert len(told(desk)) == 1


def test_anothers_email_is_refused(desk: Desk) -> None:
    acme = business(desk)
    make(desk, acme)
    bob = make(desk, acme, first_name="Bob", email="bob@example.com")
    with pytest.raises(Conflict, match="email_taken") as refused:
        contacts.update_contact(desk.db, LATER, contact_id=bob["id"], changes={"email": "ann.lee@example.com"})
    assert refused.value.fields[0]["field"] == "email"
    assert get(desk, bob) == bob


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


# Lists and activity


def test_contacts_are_found_by_name_email_and_phone(desk: Desk, tmp_path: Path) -> None:
    acme = business(desk)
    ann = make(desk, acme)
    zoe = make(desk, acme, first_name="Zoë", last_name="Adams", email="zoe@example.com", phone=None)
    stranger = Desk(desk.everywhere, tmp_path)
    make(stranger, business(stranger))
    for q in ("ann", "LEE ann", "ann.lee@", "212 555 0123", "555-0123"):
        assert listed(desk, q=q) == [ann["id"]], q
    assert listed(desk, q="zoe adams") == [zoe["id"]]
    assert listed(desk, q="%") == listed(desk, q="nobody") == []
    assert listed(desk, q=" ") == listed(desk) == [zoe["id"], ann["id"]]
    assert listed(desk, sort="created_at") == [ann["id"], zoe["id"]]
    first = contacts.list_contacts(desk.db, limit=1)
    assert (first["meta"]["total"], first["data"][0]["id"]) == (2, zoe["id"])
    assert listed(desk, cursor=first["meta"]["next_cursor"]) == [ann["id"]]


def test_a_page_of_contacts_costs_as_many_queries_as_one(desk: Desk, counted: Callable[..., int]) -> None:
    acme = business(desk)
    make(desk, acme)
    one = counted(lambda: listed(desk))
    for number in range(5):
        make(desk, acme, email=f"ann{number}@example.com")
    assert counted(lambda: listed(desk)) == one


@pytest.fixture
def counted(desk: Desk) -> Callable[[Callable[[], Any]], int]:
    """How many statements a reading takes."""
    from sqlalchemy import event as sql_event

    def count(read: Callable[[], Any]) -> int:
        statements: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            statements.append(statement)

        sql_event.listen(desk.db.engines.read, "before_cursor_execute", note)
        try:
            read()
        finally:
            sql_event.remove(desk.db.engines.read, "before_cursor_execute", note)
        return len(statements)

    return count


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
