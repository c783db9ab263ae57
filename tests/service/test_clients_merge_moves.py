"""clients: groups, contacts and the entry of the directory go along with a merge, and back."""

from __future__ import annotations

from typing import Any

import eventlet
import pytest
from sqlalchemy import select

from chassis.context import use
from contracts.errors import Gone, Invalid
from services.clients import contact_ties, contacts, groups
from services.clients.merges import merge_moves
from services.clients.models import ClientGroupMember, ContactTie
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.merging_clients import fields_at_fault, merge, own_fields, undo
from tests.service.one_database import on_one_database
from tests.service.races import until_held_up

__all__ = ["desk", "own_fields"]


def group_of(desk: Desk, name: str, *client_ids: str) -> str:
    made = groups.create_client_group(desk.db, NOW, name=name, kind="static", description=None, filter=None)
    with desk.db.unit_of_work() as uow:
        uow.insert(ClientGroupMember, [{"group_id": made["id"], "client_id": id_} for id_ in client_ids])
    return str(made["id"])


def in_groups(desk: Desk, client_id: str) -> set[str]:
    with desk.db.read() as session:
        return set(session.scalars(select(ClientGroupMember.group_id).where(ClientGroupMember.client_id == client_id)))


def test_groups_are_joined_and_parted_again(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create()["id"]
    both, mine, theirs = group_of(desk, "Both", one, two), group_of(desk, "One", one), group_of(desk, "Two", two)
    made = merge(desk, one, two)
    assert made["moves"].items() >= {"groups": 1, "contacts": 0, "company": 0}.items()
    assert in_groups(desk, one) == {both, mine, theirs}
    listed = groups.get_client_group(desk.db, NOW, group_id=both)
    assert listed["member_count"] == 1
    since = group_of(desk, "Since", one)
    undo(desk, made["id"])
    assert in_groups(desk, one) == {both, mine, since}
    assert in_groups(desk, two) == {both, theirs}


@on_one_database
def test_what_another_merged_client_has_too_stays_until_that_is_parted(desk: Desk) -> None:
    one, two, three = (desk.create(kind="business", company_name=name)["id"] for name in ("One", "Two", "Three"))
    group, contact = group_of(desk, "Theirs", two, three), contact_of(desk, "c@example.com", two, three)
    first, second = merge(desk, one, two), merge(desk, one, three)
    undo(desk, first["id"])
    assert (in_groups(desk, one), tied(desk, one)) == ({group}, {contact})
    undo(desk, second["id"])
    assert (in_groups(desk, one), tied(desk, one)) == (set(), set())
    assert (in_groups(desk, three), tied(desk, three)) == ({group}, {contact})


def contact_of(desk: Desk, email: str, *client_ids: str) -> str:
    with use(desk.context):
        made = contacts.create_contact(desk.db, NOW, first_name="Cy", email=email, client_ids=list(client_ids))
    return str(made["id"])


def tied(desk: Desk, client_id: str) -> set[str]:
    with desk.db.read() as session:
        return set(session.scalars(select(ContactTie.contact_id).where(ContactTie.client_id == client_id)))


def test_contacts_and_the_entry_of_the_directory_go_along_and_back(desk: Desk) -> None:
    one, two = (desk.create(kind="business", company_name=name)["id"] for name in ("Acme", "Acme Inc"))
    both, theirs = contact_of(desk, "b@example.com", one, two), contact_of(desk, "c@example.com", two)
    made = merge(desk, one, two)
    assert made["moves"].items() >= {"groups": 0, "contacts": 1, "company": 0}.items()
    assert tied(desk, one) == {both, theirs}
    shown = contacts.get_contact(desk.db, contact_id=theirs)
    assert [entry["client_id"] for entry in shown["clients"]] == [one]
    since = contact_of(desk, "d@example.com", one)
    undo(desk, made["id"])
    assert (tied(desk, one), tied(desk, two)) == ({both, since}, {both, theirs})


@pytest.mark.parametrize("with_another", [False, True])
def test_what_was_taken_from_the_survivor_since_comes_back_to_nobody(desk: Desk, with_another: bool) -> None:
    one, two, three = (desk.create(kind="business", company_name=name)["id"] for name in ("One", "Two", "Three"))
    theirs = (two, three) if with_another else (two,)
    group, contact = group_of(desk, "Theirs", *theirs), contact_of(desk, "c@example.com", *theirs)
    kept = contact_of(desk, "k@example.com", *theirs)
    merges = [merge(desk, one, id_) for id_ in theirs]
    with use(desk.context):
        groups.group_members.change_group_members(desk.db, NOW, group_id=group, remove=[one])
        contact_ties.remove_client_contact(desk.db, NOW, client_id=one, contact_id=contact)
        contacts.update_client_contact(desk.db, client_id=one, contact_id=kept, changes={"notify": True})
    for made in merges:
        undo(desk, made["id"])
    for id_ in (one, *theirs):
        assert (in_groups(desk, id_), tied(desk, id_)) == (set(), {kept} if id_ != one else set())
        assert not contact_ties.get_contact_access(desk.db, client_id=id_, contact_id=contact)["access"]
    shown = contacts.get_contact(desk.db, contact_id=kept)
    assert [entry["notify"] for entry in shown["clients"]] == [True] * len(theirs)


def test_who_takes_a_contact_away_during_the_merge_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (desk.create(kind="business", company_name=name)["id"] for name in ("Acme", "Acme Inc"))
    contact = contact_of(desk, "c@example.com", two)
    threads = []
    join = merge_moves.join

    def remove() -> str:
        try:
            contact_ties.remove_client_contact(desk.db, NOW, client_id=two, contact_id=contact)
        except Gone as gone:
            return gone.code
        return "removed"

    def join_and_remove(*given: Any) -> Any:
        counts = join(*given)
        threads.append(eventlet.spawn(remove))
        until_held_up(desk.everywhere, *threads)
        return counts

    monkeypatch.setattr(merge_moves, "join", join_and_remove)
    merge(desk, one, two)
    assert [thread.wait() for thread in threads] == ["client_merged"]
    assert tied(desk, one) == {contact}


def test_what_needs_a_business_stays_a_businesss(desk: Desk) -> None:
    one, two = desk.create()["id"], desk.create(kind="business", company_name="Acme")["id"]
    contact_of(desk, "c@example.com", two)
    with pytest.raises(Invalid) as caught:
        merge(desk, one, two)
    assert fields_at_fault(caught) == {"keep.kind"}
    assert merge(desk, one, two, keep={"kind": "duplicate"})["client"]["kind"] == "business"
