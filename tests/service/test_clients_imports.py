"""clients: import of a file, from upload to the error file. Every event is delivered twice."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import func, select

from chassis.columns import new_id
from contracts.clients import CLIENTS_IMPORTED, LIST_IMPORTS
from contracts.errors import Conflict, Invalid, NotFound
from contracts.importing import Import, ListedImport
from services.clients import importing
from services.clients.activity import list_client_activity
from services.clients.imports import running
from services.clients.imports.store import IMPORTS
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.imported_rows import BAD_ERRORS, BAD_ROWS, HEADER, client_count, counts, row, small_chunks
from tests.service.one_database import on_one_database

__all__ = ["desk", "small_chunks"]


def test_good_rows_become_clients_and_bad_rows_fail_alone(desk: Desk) -> None:
    content = [HEADER, row(1), *BAD_ROWS, row(2)]
    found = desk.import_all(content)
    assert (found["state"], counts(found)) == ("finished", (2, 0, 0, 7))
    assert found["progress"] == {"done": 9, "total": 9}
    assert found["rows"] == [{"row": place + 2, "errors": errors} for place, errors in enumerate(BAD_ERRORS)]
    assert found["error_counts"] == {
        "name_required": 1, "invalid_phone": 2, "invalid_email": 2, "unknown_status": 1, "row_too_short": 1,
        "row_too_long": 1,
    }  # fmt: skip
    assert Import().validate(Import().dump(found)) == {}
    ann = desk.page(sort="name")["data"][0]
    assert (ann["first_name"], ann["last_name"], ann["status"], ann["tags"]) == (
        "Ann1",
        "Lee1",
        "active",
        ["vip", "new"],
    )
    assert ann["phones"] == [{"number": row(1)[2], "kind": "mobile", "primary": True}]
    assert (ann["external_source"], ann["external_source_id"]) == ("import", "X1")
    [event] = desk.emitted(CLIENTS_IMPORTED)
    assert {client["client_id"] for client in event["clients"]} == set(desk.listed())
    assert list_client_activity(desk.db, client_id=ann["id"])["data"][0]["facts"] == {
        "import_id": found["id"], "outcome": "created",
    }  # fmt: skip


@on_one_database
def test_the_failed_rows_come_back_as_the_original_file_with_what_is_wrong(desk: Desk) -> None:
    content = [HEADER, row(1), row(2, First_name="=1+1", Phone="+12"), row(3)[:2], row(4), [*row(5), "-more"]]
    found = desk.import_all(content)
    header, *failed = desk.error_file(found["id"])
    assert header == [*HEADER, "errors"]
    assert failed == [
        ["'=1+1", "Lee2", "'+12", *row(2)[3:], "invalid_phone: Phone"],
        ["Ann3", "Lee3", "", "", "", "", "", "row_too_short: row"],
        ["Ann5", "Lee5", f"'{row(5)[2]}", *row(5)[3:], "row_too_long: row", "'-more"],
    ]
    repaired = desk.import_all([header, [*failed[0][:2], "'+12125550199", *failed[0][3:]]])
    assert counts(repaired) == (1, 0, 0, 0)
    [client] = desk.page(q="2125550199")["data"]
    assert client["first_name"] == "=1+1"


def test_a_preview_says_what_a_run_does_and_writes_nothing(desk: Desk, small_chunks: None) -> None:
    known = desk.create(first_name="Known", phones=[{"number": row(1)[2]}])
    content = [HEADER, *(row(number) for number in range(25)), *BAD_ROWS, row(3), row(24), row(30, Phone=row(5)[2])]
    for duplicates, expected in {
        "skip": (24, 0, 4, 7), "update": (24, 1, 2, 8), "merge": (24, 1, 2, 8), "create": (26, 0, 0, 9),
    }.items():  # fmt: skip
        preview = desk.preview(content, duplicates=duplicates)
        assert (preview["state"], counts(preview), preview["counts"]["read"]) == ("previewed", expected, 35)
        assert preview["rows"][0]["row"] == 26
        assert client_count(desk) == 1
    preview = desk.preview(content, duplicates="update")
    found = desk.import_all(content, duplicates="update")
    assert counts(found) == counts(preview)
    assert found["error_counts"] == preview["error_counts"]
    assert desk.get(known["id"])["external_source_id"] == "X1"


@on_one_database
def test_a_workbook_is_imported_as_its_rows_would_be(desk: Desk) -> None:
    book = Workbook()
    for cells in [HEADER, row(1), *BAD_ROWS[:3], row(2, Phone="2125550102")]:
        book.active.append(cells)
    content = io.BytesIO()
    book.save(content)
    found = desk.import_all(content.getvalue())
    assert (found["state"], counts(found), found["sheet"]) == ("finished", (2, 0, 0, 3), "Sheet")
    assert found["rows"][0] == {"row": 2, "errors": BAD_ERRORS[0]}
    assert sorted(client["first_name"] for client in desk.page()["data"]) == ["Ann1", "Ann2"]


@on_one_database
def test_the_failed_rows_of_a_workbook_come_back_as_one(desk: Desk) -> None:
    book = Workbook()
    for cells in [HEADER, row(1), row(2, First_name="@home", Phone="12"), row(3, Email="no")]:
        book.active.append(cells)
    content = io.BytesIO()
    book.save(content)
    found = desk.import_all(content.getvalue())
    back = load_workbook(io.BytesIO(desk.error_workbook(found["id"]))).active
    header, first, second = ([cell or "" for cell in cells] for cells in back.iter_rows(values_only=True))
    assert header == [*HEADER, "errors"]
    assert first == ["'@home", "Lee2", "12", *row(2)[3:], "invalid_phone: Phone"]
    assert second[-1] == "invalid_email: Email"
    repaired = desk.import_all([header, [*first[:2], "2125550102", *first[3:]]], duplicates="update")
    assert counts(repaired) == (1, 0, 0, 0)
    assert desk.page(q="2125550102")["data"][0]["first_name"] == "@home"


def test_a_workbook_cut_off_leaves_nothing_behind(desk: Desk) -> None:
    book = Workbook()
    book.active.append(HEADER)
    content = io.BytesIO()
    book.save(content)
    with pytest.raises(Invalid, match="file_damaged"):
        desk.upload(content.getvalue()[:-100])
    with pytest.raises(Invalid, match="file_no_rows"):
        desk.upload(content.getvalue())
    with desk.db.read() as session:
        assert session.scalar(select(func.count()).select_from(importing.Import)) == 0
    assert not list(Path(desk.files._folder).rglob("rows.csv"))


def test_defaults_and_the_country_apply_to_empty_cells_and_local_numbers(desk: Desk) -> None:
    desk.import_all(
        [["First name", "Phone", "Status"], ["Ann", "020 7946 0958", ""]],
        mapping={"First name": "first_name", "Phone": "phone"}, default_values={"language": "en", "tags": "new"},
        default_country="GB",
    )  # fmt: skip
    [client] = desk.page()["data"]
    assert (client["phones"][0]["number"], client["language"], client["tags"]) == ("+442079460958", "en", ["new"])


def test_settings_that_cannot_be_are_refused_by_name(desk: Desk) -> None:
    content = [HEADER, row(1)]
    for settings, field in (
        ({"mapping": {"Phone": "phone", "Email": "phone"}}, "mapping.Email"),
        ({"mapping": {"Shoe": "phone"}}, "mapping.Shoe"),
        ({"default_values": {"shoe": "9"}}, "default_values.shoe"),
    ):
        with pytest.raises(Invalid) as caught:
            desk.preview(content, **settings)
        assert [entry["field"] for entry in caught.value.fields] == [field]


def test_a_file_that_cannot_be_read_leaves_nothing_behind(desk: Desk) -> None:
    with pytest.raises(Invalid, match="file_wrong_encoding"):
        desk.upload("First name\nAnn".encode("utf-16-le"))
    with pytest.raises(NotFound, match="file_not_found"):
        importing.create_import(desk.db, desk.files, file_key="uploads/none.csv", filename="x.csv")
    with desk.db.read() as session:
        assert session.scalar(select(func.count()).select_from(importing.Import)) == 0


def test_an_import_is_previewed_first_and_runs_once(desk: Desk) -> None:
    desk.define("shoe_size")
    made = desk.upload([[*HEADER, "Shoe size"], [*row(1), "9"]])
    assert made["suggested_mapping"]["External ID"] == "external_source_id"
    assert made["suggested_mapping"]["Shoe size"] == "custom_fields.shoe_size"
    with pytest.raises(Conflict, match="import_not_previewed"):
        running.run_import(desk.db, import_id=made["id"])
    importing.preview_import(desk.db, desk.files, NOW, import_id=made["id"])
    running.run_import(desk.db, import_id=made["id"])
    with pytest.raises(Conflict, match="import_not_finished"):
        desk.error_file(made["id"])
    for attempt in (
        lambda: running.run_import(desk.db, import_id=made["id"]),
        lambda: importing.preview_import(desk.db, desk.files, NOW, import_id=made["id"]),
    ):
        with pytest.raises(Conflict, match="import_started"):
            attempt()


def test_imports_are_listed_newest_first_and_by_state(desk: Desk, tmp_path: Path) -> None:
    ended = desk.import_all([HEADER, row(1), *BAD_ROWS])
    uploaded = desk.upload([HEADER, row(2)])
    previewed = desk.preview([HEADER, row(3)])
    first = IMPORTS.list(desk.db, limit=2)
    rest = IMPORTS.list(desk.db, limit=2, cursor=first["meta"]["next_cursor"])
    assert [entry["id"] for entry in first["data"]] == [previewed["id"], uploaded["id"]]
    assert (first["meta"]["total"], rest["meta"]["next_cursor"]) == (3, None)
    assert LIST_IMPORTS.response().dump(rest)["data"] == [ListedImport().dump(ended)]
    assert IMPORTS.list(desk.db, state="uploaded")["data"] == [uploaded]
    assert IMPORTS.list(Desk(desk.everywhere, tmp_path).db)["data"] == []


def test_another_firms_import_does_not_exist(desk: Desk, tmp_path: Path) -> None:
    made = desk.preview([HEADER, row(1)])
    stranger = Desk(desk.everywhere, tmp_path)
    for attempt in (
        lambda: IMPORTS.get(stranger.db, made["id"]),
        lambda: running.run_import(stranger.db, import_id=made["id"]),
        lambda: importing.preview_import(stranger.db, stranger.files, NOW, import_id=made["id"]),
        lambda: stranger.error_file(made["id"]),
        lambda: IMPORTS.get(desk.db, new_id()),
    ):
        with pytest.raises(NotFound, match="import_not_found"):
            attempt()
