"""What clients hand out of a client: everything, once, page by page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chassis.context import use
from chassis.wire import strict
from contracts import clients
from contracts.errors import Gone, NotFound
from services.clients import activity, data_exports, erasing, legal_holds, notes
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.test_clients_erasing import PERSON, erase, go_on, person

__all__ = ["desk"]


def exported(desk: Desk, client_id: str, limit: int = 200) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        with use(desk.context):
            page = data_exports.export_client_data(desk.db, NOW, client_id=client_id, limit=limit, cursor=cursor)
        response = strict(clients.EXPORT_CLIENT_DATA.response)
        assert response.schema.validate(response.dump(page)) == {}
        found += page["entries"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_every_word_of_the_person_is_handed_out(desk: Desk) -> None:
    client_id = person(desk)
    with use(desk.context):
        notes.create_client_note(desk.db, NOW, client_id=client_id, text="Likes marmalade.")
        legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason="A suit about an orchard.")
    desk.create(first_name="Bea", last_name="Stranger")
    found = exported(desk, client_id)
    told = json.dumps(found)
    shown = [word for word in PERSON if word not in ("2125550142", "zerelda", "oxenfree")]
    assert [word for word in (*shown, "marmalade", "orchard") if word not in told] == []
    assert "Stranger" not in told
    kinds = {entry["kind"] for entry in found}
    assert {"client", "client_note", "activity", "legal_hold"} <= kinds
    assert json.dumps(exported(desk, client_id, limit=1), sort_keys=True).count('"activity"') >= 2


def test_that_it_was_asked_for_is_kept_once(desk: Desk) -> None:
    client_id = person(desk)
    exported(desk, client_id, limit=1)
    listed = activity.list_client_activity(desk.db, client_id=client_id, kind=["client.data_exported.v1"])["data"]
    assert len(listed) == len(desk.emitted(clients.CLIENT_DATA_EXPORTED)) == 1


def test_of_an_erased_client_there_is_nothing_to_hand_out(desk: Desk) -> None:
    client_id = person(desk)
    erase(desk, client_id)
    go_on(desk)
    with pytest.raises(Gone, match="client_erased"):
        exported(desk, client_id)
    foreign = Desk(desk.everywhere, desk.files._folder)
    with pytest.raises(NotFound, match="client_not_found"):
        exported(foreign, str(desk.create(first_name="Ann")["id"]))


def test_what_is_left_out_is_said_elsewhere() -> None:
    assert {model.__tablename__ for model in erasing.tables_of_clients()} | {
        "client_key"
    } >= data_exports.NOT_HANDED_OUT
