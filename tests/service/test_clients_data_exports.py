"""What clients hand out of a client: everything, once, page by page."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from chassis.context import use
from chassis.wire import strict
from contracts import clients
from contracts.errors import Gone, NotFound
from services.clients import activity, data_exports, merging, notes
from services.clients.erasures import erased_rows, legal_holds
from services.clients.models import ImportChange
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.erasing_clients import PERSON, erase, go_on, person
from tests.service.one_database import on_one_database

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


@on_one_database
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


@on_one_database
def test_what_was_merged_is_handed_out_with_the_survivor(desk: Desk) -> None:
    one, two = desk.create(first_name="Ann")["id"], desk.create(first_name="Zerelda", occupation="Cooper")["id"]
    with use(desk.context):
        merging.merge_clients(desk.db, desk.calls, NOW, client_id=one, duplicate_id=two, keep={}, dry_run=False)
    for limit in (200, 1):
        found = exported(desk, one, limit)
        (record,) = [entry["data"] for entry in found if entry["kind"] == "merged_client"]
        assert (record["id"], record["first_name"], record["occupation"]) == (two, "Zerelda", "Cooper")
        happened = [entry["data"] for entry in found if entry["kind"] == "activity"]
        told = {(entry["client_id"], entry["kind"]) for entry in happened}
        assert {(one, "client.created.v1"), (two, "client.created.v1"), (one, "clients.merged.v1")} <= told
        assert len({entry["id"] for entry in happened}) == len(happened)


def test_that_it_was_asked_for_is_kept_once(desk: Desk) -> None:
    client_id = person(desk)
    exported(desk, client_id, limit=1)
    listed = activity.list_client_activity(desk.db, client_id=client_id, kind=["client.data_exported.v1"])["data"]
    assert len(listed) == len(desk.emitted(clients.CLIENT_DATA_EXPORTED)) == 1


@on_one_database
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
    assert {model.__tablename__ for model in erased_rows.tables_of_clients()} | {
        "client_key"
    } >= data_exports.NOT_HANDED_OUT


def of_kind(entries: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry["data"] for entry in entries if entry["kind"] == kind]


@on_one_database
def test_what_is_kept_sealed_is_handed_out_in_clear(desk: Desk) -> None:
    desk.define("badge", sensitive=True)
    with use(desk.context):
        client = desk.create(
            first_name="Gwen", external_source="crm", external_source_id="1", custom_fields={"badge": "B-7"},
            government_ids=[{"kind": "passport", "number": "X123"}], date_of_birth=NOW.date().replace(year=1980),
        )  # fmt: skip
        twin = desk.create(first_name="Gwendolyn", last_name="Fairweather")
        for number in range(3):
            notes.create_client_note(
                desk.db, NOW, client_id=client["id"], text=f"In confidence {number}", confidential=True
            )
        merging.merge_clients(
            desk.db, desk.calls, NOW, client_id=client["id"], duplicate_id=twin["id"], keep={}, dry_run=False
        )
    imported = desk.import_all("external_source,external_source_id,first_name\ncrm,1,Gwenda\n", duplicates="update")
    assert imported["counts"]["updated"] == 1

    entries = exported(desk, client["id"], limit=3)
    (record,) = of_kind(entries, "client")
    assert (record["date_of_birth"], record["custom_fields"]) == ("1980-11-21", {"badge": "B-7"})
    assert [entry["number"] for entry in record["government_ids"]] == ["X123"]
    assert {note["text"] for note in of_kind(entries, "client_note")} == {f"In confidence {n}" for n in range(3)}
    (change,) = of_kind(entries, ImportChange.__tablename__)
    assert change["values"] == {"first_name": ("Gwen", "Gwenda")}
    (merge,) = of_kind(entries, "client_merge")
    assert (merge["before"]["last_name"], merge["after"]["last_name"]) == (None, "Fairweather")
    assert b"v1." not in orjson.dumps(entries)
