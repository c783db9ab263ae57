"""clients: contacts of business clients, made, changed and listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chassis.columns import new_id
from contracts import clients as contract
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import contact_ties, contacts
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.contacts_desk import ANN, LATER, add, business, checked, get, listed, make, tied, told
from tests.service.one_database import on_one_database

__all__ = ["desk"]


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
@on_one_database
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
