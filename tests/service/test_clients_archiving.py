"""clients: deleting, and taking back within thirty days."""

from __future__ import annotations

import pytest

from chassis.context import use
from contracts import clients
from contracts.errors import Conflict, NotFound
from services.clients import archiving
from services.clients.erasures import legal_holds
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.erasing_clients import AFTER, person
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def test_a_deleted_client_can_be_taken_back_as_it_was(desk: Desk) -> None:
    client_id = person(desk)
    before = desk.get(client_id)
    desk.delete(client_id)
    with pytest.raises(NotFound, match="client_not_found"):
        desk.get(client_id)
    with use(desk.context):
        back = archiving.restore_client(desk.db, NOW, client_id=client_id)
    changing = ("version", "updated_at")
    assert {k: v for k, v in back.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }
    assert desk.get(client_id)["version"] == before["version"] + 2
    (told,) = desk.emitted(clients.CLIENT_RESTORED)
    assert told["version"] == back["version"]
    assert told["tags"] == ["Wurlitzer club"]


@on_one_database
def test_to_take_back_what_is_there_changes_nothing(desk: Desk) -> None:
    client_id = person(desk)
    before = desk.get(client_id)
    assert archiving.restore_client(desk.db, NOW, client_id=client_id) == before
    assert desk.emitted(clients.CLIENT_RESTORED) == []


def test_a_client_is_not_taken_back_over_another_with_its_external_id(desk: Desk) -> None:
    client_id = person(desk)
    desk.delete(client_id)
    other = person(desk)
    with pytest.raises(Conflict, match="external_id_taken") as refused:
        archiving.restore_client(desk.db, NOW, client_id=client_id)
    assert refused.value.meta["client_id"] == other


def test_deleted_clients_are_listed_with_the_day_that_ends_them(desk: Desk) -> None:
    client_id, held = person(desk), str(desk.create(first_name="Bea")["id"])
    desk.delete(client_id)
    desk.delete(held)
    legal_holds.place_legal_hold(desk.db, NOW, client_id=held, reason="A suit.")
    listed = archiving.list_archived_clients(desk.db)["data"]
    assert {entry["id"]: (entry["display_name"], entry["held"]) for entry in listed} == {
        client_id: ("Zerelda Oxenfree", False), held: ("Bea", True)
    }  # fmt: skip
    assert {entry["erase_at"] for entry in listed} == {AFTER}
