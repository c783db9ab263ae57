"""What the later migrations of clients make of the rows there: nothing is lost that should not be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from chassis.columns import new_id
from chassis.database import Database
from chassis.testing import service_url
from services.clients import cards
from services.clients.models import Base
from services.clients.sealing_up import seal_what_is_plain
from tests.service.old_rows import (
    NOW,
    OldDatabase,
    check_imports_asked_again,
    old,
    versions_postgresql,
    versions_sqlite,
)

__all__ = ["old", "versions_postgresql", "versions_sqlite"]

Old = Callable[[str, str], OldDatabase]
BORN = dt.date(1990, 2, 28)
LATER = NOW + dt.timedelta(hours=1)


def add_client(database: OldDatabase, firm_id: str, **values: Any) -> str:
    client_id = new_id()
    given = {"version": 1, "kind": "individual", "first_name": "Ann", "status": "active", **values}
    database.put("client", firm_id=firm_id, id=client_id, **given)
    return client_id


def test_imports_under_way_learn_of_workbooks_and_undo(old: Old) -> None:
    database = old("clients", "0004")
    firm_id, import_id = new_id(), new_id()
    counted = {"position": 3, "created": 2, "failed": 1, "total": 9}
    known = {"state": "running", "filename": "a.csv", "file_key": "uploads/a", "columns": ["name"], "encoding": "utf-8"}
    database.put("file_import", firm_id=firm_id, id=import_id, mapping={"name": "full_name"}, **counted, **known)
    database.put("import_row", firm_id=firm_id, import_id=import_id, row=3, errors=["name_required:first_name"])
    database.to("0016")
    assert database.rows("file_import", "id", *counted, *known, "mapping") == [
        (import_id, *counted.values(), *known.values(), {"name": "full_name"})
    ]
    new = ("table_key", "sheet", "sheets", "date_format", "clear_empty", "undo_total", "undo_counts")
    assert database.rows("file_import", *new) == [(None, None, [], "auto", False, 0, {})]
    database.back_to("0004")
    assert not {*new} & database.columns("file_import")
    assert database.rows("file_import", "id", *counted) == [(import_id, *counted.values())]
    assert database.rows("import_row", "row", "errors") == [(3, ["name_required:first_name"])]


def test_dates_of_birth_go_on_in_clear_until_they_are_sealed(old: Old) -> None:
    database = old("clients", "0011")
    firm_id = new_id()
    ann = add_client(database, firm_id, date_of_birth=BORN, custom_fields={"size": 5})
    bob = add_client(database, firm_id, first_name="Bob")
    database.to("0012")
    dates = {ann: BORN.isoformat(), bob: None}
    assert database.rows("client", "id", "date_of_birth", "birth_key") == [
        (id_, born, None) for id_, born in sorted(dates.items())
    ]
    # One that is not sealed yet goes back as it was.
    database.back_to("0011")
    assert dict(database.rows("client", "id", "date_of_birth")) == {ann: BORN, bob: None}
    database.to("head")
    everywhere = Database(service_url(database.url), Base)
    while seal_what_is_plain(everywhere):
        pass
    kept = dict(database.rows("client", "id", "date_of_birth"))
    assert kept[ann].startswith("v1.")
    assert kept[bob] is None
    with everywhere.for_firm(firm_id).read() as session:
        records = cards.load(session, [ann, bob])
    everywhere.engines.dispose()
    assert [records[id_]["date_of_birth"] for id_ in (ann, bob)] == [BORN, None]
    assert records[ann]["custom_fields"] == {"size": 5}
    # What is sealed the version before cannot read.
    database.back_to("0011")
    assert dict(database.rows("client", "id", "date_of_birth")) == {ann: None, bob: None}


def test_merges_stay_and_what_was_kept_in_clear_for_their_undo_goes(old: Old) -> None:
    database = old("clients", "0012")
    firm_id, merge_id, ann, bob = (new_id() for _ in range(4))
    same = {"firm_id": firm_id, "id": merge_id, "surviving_id": ann, "merged_id": bob}
    image = {"first_name": "Ann"}
    database.put("client_merge", **same, before=image, after=image, keep={"first_name": "this"}, told=1)
    database.put("client_merge_move", firm_id=firm_id, merge_id=merge_id, kind="groups", row_id=ann)
    for step in (database.to, database.back_to):
        step("0013" if step == database.to else "0012")
        assert database.rows("client_merge", *same, "before", "after") == [(*same.values(), None, None)]
        assert database.rows("client_merge", "keep", "told") == [({"first_name": "this"}, 1)]
        assert database.rows("client_merge_move", "kind", "row_id") == [("groups", ann)]
        if step == database.to:
            assert database.rows("client_merge", "version") == [(1,)]


def test_clients_there_are_looked_through_for_duplicates_once(old: Old) -> None:
    database = old("clients", "0016")
    ours, theirs = sorted((new_id(), new_id()))
    for firm_id in (ours, ours, theirs):
        add_client(database, firm_id, updated_at=LATER)
    database.to("0017")
    assert database.rows("suspect_sweep", "firm_id", "step", "began_at", "turns") == [
        (ours, "phone", None, 0), (theirs, "phone", None, 0),
    ]  # fmt: skip
    database.back_to("0016")
    assert len(database.rows("client", "id")) == 3


def test_imports_there_have_their_files_and_clients_with_government_ids_are_looked_through(old: Old) -> None:
    database = old("clients", "0023")
    firm_id, other, import_id = new_id(), new_id(), new_id()
    database.put("file_import", firm_id=firm_id, id=import_id, state="finished", filename="a.csv")
    database.put("client_government_id", firm_id=firm_id, client_id=add_client(database, firm_id), key="x")
    add_client(database, other)
    database.to("0025")
    assert database.rows("file_import", "id", "filename", "preview_position", "emptied_at") == [
        (import_id, "a.csv", 0, None)
    ]
    assert database.rows("suspect_sweep", "firm_id", "step") == [(firm_id, "phone")]
    database.put("file_import", firm_id=firm_id, id=new_id(), state="previewing", filename="b.csv")
    database.back_to("0023")
    assert database.rows("file_import", "filename", "state") == [("a.csv", "finished"), ("b.csv", "uploaded")]


@pytest.mark.parametrize(("table", "key"), [("client_phone", "number"), ("client_email", "key")])
def test_a_list_that_was_left_without_a_primary_gets_its_first(old: Old, table: str, key: str) -> None:
    database = old("clients", "0021")
    firm_id = new_id()
    without, with_one = add_client(database, firm_id), add_client(database, firm_id)

    def put(client_id: str, value: str, position: int, *, primary: bool) -> None:
        kind = {"kind": "mobile"} if table == "client_phone" else {"address": value}
        same = {"firm_id": firm_id, "client_id": client_id, key: value, "position": position}
        database.put(table, **same, is_primary=primary, **kind)

    for client_id, value, position, primary in (
        (without, "b", 1, False), (without, "a", 2, False), (with_one, "c", 1, False), (with_one, "d", 2, True),
    ):  # fmt: skip
        put(client_id, value, position, primary=primary)
    database.to("0022")
    kept = [("a", False), ("b", True), ("c", False), ("d", True)]
    assert database.rows(table, key, "is_primary") == kept
    if database.engine.dialect.name == "postgresql":
        with pytest.raises(IntegrityError, match="none of the client's entries is the primary"):
            put(add_client(database, firm_id), "e", 1, primary=False)
    database.back_to("0021")
    assert database.rows(table, key, "is_primary") == kept
    put(add_client(database, firm_id), "e", 1, primary=False)


def test_imports_there_that_go_on_are_asked_for_again(old: Old) -> None:
    check_imports_asked_again(old("clients", "0028"), "0029")
