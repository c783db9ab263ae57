"""clients: all that is held of a client, handed out in clear."""

from __future__ import annotations

from typing import Any

import orjson

from chassis.context import use
from services.clients import data_exports, merging, notes
from services.clients.models import ImportChange
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]


def handed_out(desk: Desk, client_id: str, limit: int = 3) -> list[dict[str, Any]]:
    """The entries of every page."""
    found, cursor = [], None
    while True:
        with use(desk.context):
            page = data_exports.export_client_data(desk.db, NOW, client_id=client_id, limit=limit, cursor=cursor)
        found += page["entries"]
        if (cursor := page["next_cursor"]) is None:
            return found


def of_kind(entries: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry["data"] for entry in entries if entry["kind"] == kind]


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

    entries = handed_out(desk, client["id"])
    (record,) = of_kind(entries, "client")
    assert (record["date_of_birth"], record["custom_fields"]) == ("1980-11-21", {"badge": "B-7"})
    assert [entry["number"] for entry in record["government_ids"]] == ["X123"]
    assert {note["text"] for note in of_kind(entries, "client_note")} == {f"In confidence {n}" for n in range(3)}
    (change,) = of_kind(entries, ImportChange.__tablename__)
    assert change["values"] == {"first_name": ("Gwen", "Gwenda")}
    (merge,) = of_kind(entries, "client_merge")
    assert (merge["before"]["last_name"], merge["after"]["last_name"]) == (None, "Fairweather")
    assert b"v1." not in orjson.dumps(entries)
