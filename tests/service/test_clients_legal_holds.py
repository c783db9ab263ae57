"""clients: a legal hold keeps a client from being erased."""

from __future__ import annotations

import pytest

from chassis.context import use
from chassis.database import Database
from contracts import clients
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import archiving, erasing, merging
from services.clients.erasures import legal_holds
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.erasing_clients import AFTER, erase, person
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def test_a_held_client_is_not_erased_until_the_hold_is_released(desk: Desk) -> None:
    client_id = person(desk)
    for blank in (" ", "\u200b"):
        with pytest.raises(Invalid) as refused:
            legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason=blank)
        assert refused.value.fields[0]["field"] == "reason"
    hold = legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason="A suit.", actor_id=None)
    with pytest.raises(Conflict, match="legal_hold") as refused:
        erase(desk, client_id)
    assert refused.value.meta["legal_hold_id"] == hold["id"]
    desk.delete(client_id)
    assert erasing.begin_due(desk.everywhere, AFTER) is False
    assert desk.emitted(clients.ERASURE_REQUESTED) == []
    released = legal_holds.release_legal_hold(desk.db, NOW, client_id=client_id, legal_hold_id=hold["id"])
    assert released["released_at"] == NOW
    assert legal_holds.release_legal_hold(desk.db, AFTER, client_id=client_id, legal_hold_id=hold["id"]) == released
    erasing.begin_due(desk.everywhere, AFTER)
    assert len(desk.emitted(clients.ERASURE_REQUESTED)) == 1
    assert len(desk.emitted(clients.LEGAL_HOLD_PLACED)) == len(desk.emitted(clients.LEGAL_HOLD_RELEASED)) == 1


def test_one_of_two_holds_is_enough(desk: Desk) -> None:
    client_id = person(desk)
    first, second = (legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason=why) for why in "ab")
    legal_holds.release_legal_hold(desk.db, NOW, client_id=client_id, legal_hold_id=first["id"])
    with pytest.raises(Conflict, match="legal_hold"):
        erase(desk, client_id)
    listed = legal_holds.list_legal_holds(desk.db, client_id=client_id)["data"]
    assert {hold["id"]: hold["released_at"] for hold in listed} == {first["id"]: NOW, second["id"]: None}


def test_a_hold_comes_too_late_for_a_client_that_is_being_erased(desk: Desk) -> None:
    client_id = person(desk)
    erase(desk, client_id)
    with pytest.raises(Conflict, match="client_being_erased"):
        legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason="A suit.")
    with pytest.raises(Conflict, match="client_being_erased"):
        archiving.restore_client(desk.db, NOW, client_id=client_id)


def test_holds_are_of_clients_of_the_firm(desk: Desk) -> None:
    foreign = Desk(desk.everywhere, desk.files._folder)
    client_id = person(foreign)
    for act in (
        lambda: legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason="Mine?"),
        lambda: legal_holds.list_legal_holds(desk.db, client_id=client_id),
        lambda: archiving.restore_client(desk.db, NOW, client_id=client_id),
        lambda: erase(desk, client_id),
    ):
        with pytest.raises(NotFound, match="client_not_found"):
            act()


@on_one_database
def test_a_hold_on_one_that_was_merged_binds_its_survivor(desk: Desk) -> None:
    surviving_id, between_id = (str(desk.create(first_name=name)["id"]) for name in ("Bea", "Bee"))
    merged_id = person(desk)
    legal_holds.place_legal_hold(desk.db, NOW, client_id=merged_id, reason="A suit.")
    with use(desk.context):
        for client_id, duplicate_id in ((between_id, merged_id), (surviving_id, between_id)):
            merging.merge_clients(
                desk.db, desk.calls, NOW, client_id=client_id, duplicate_id=duplicate_id, keep={}, dry_run=False
            )
    with pytest.raises(Conflict, match="legal_hold"):
        erase(desk, surviving_id)
    desk.delete(surviving_id)
    assert [entry["held"] for entry in archiving.list_archived_clients(desk.db)["data"]] == [True]
    erasing.begin_due(desk.everywhere, AFTER)
    assert desk.emitted(clients.ERASURE_REQUESTED) == []


@pytest.mark.parametrize("meanwhile", ["held", "taken back"])
def test_what_comes_in_at_the_last_moment_keeps_a_client(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    client_id = person(desk)
    desk.delete(client_id)
    real = Database.for_firm

    def for_firm(db: Database, firm_id: str) -> Database:
        """The thirty days have ended for the client, and it is about to be erased."""
        if meanwhile == "held":
            legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason="A suit.")
        else:
            archiving.restore_client(desk.db, NOW, client_id=client_id)
        return real(db, firm_id)

    monkeypatch.setattr(Database, "for_firm", for_firm)
    erasing.begin_due(desk.everywhere, AFTER)
    assert desk.emitted(clients.ERASURE_REQUESTED) == []
    if meanwhile == "held":
        archiving.restore_client(desk.db, NOW, client_id=client_id)
    assert desk.get(client_id)["first_name"] == "Zerelda"
