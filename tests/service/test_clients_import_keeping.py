"""clients: how long imports keep what they were made of."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.imports import keeping, left_over
from chassis.imports.uploads import read_upload
from chassis.workbooks import workbook
from contracts.clients import IMPORT_UNDO_REQUESTED
from contracts.errors import Conflict, NotFound, Unavailable
from services.clients import importing
from services.clients.imports import running as import_running
from services.clients.imports import undo
from services.clients.imports.store import IMPORTS
from services.clients.models import Import, ImportChange
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]

HEADER = ["First name", "Phone"]
DAY = dt.timedelta(days=1)


def files_of(desk: Desk) -> list[str]:
    return sorted([*desk.files.keys("uploads"), *desk.files.keys("imports")])


def empty(desk: Desk, days: int) -> None:
    while keeping.empty_due(desk.everywhere, desk.files, IMPORTS, utc_now() + days * DAY):
        pass


def kept_values(desk: Desk) -> list[bool]:
    with desk.db.read() as session:
        return [values is not None for values in session.scalars(select(ImportChange.values))]


def emptied(desk: Desk, import_id: str) -> dt.datetime | None:
    with desk.db.read() as session:
        return session.scalars(select(Import.emptied_at).where(Import.id == import_id)).one()


def test_what_an_undo_needs_and_the_files_go_after_thirty_days(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_CHANGES_AT_ONCE", 1)
    people = [desk.create(phones=[{"number": f"+1212555010{number}"}])["id"] for number in range(2)]
    rows = [["Eve", f"+1212555010{number}"] for number in range(2)]
    made = desk.import_all([HEADER, *rows, ["Bob", "12"]], duplicates="update")
    assert (made["counts"]["updated"], made["counts"]["failed"]) == (2, 1)
    desk.error_file(made["id"])
    desk.error_workbook(made["id"])
    empty(desk, 30)
    assert (len(files_of(desk)), kept_values(desk), emptied(desk, made["id"])) == (3, [True, True], None)
    empty(desk, 31)
    assert (files_of(desk), kept_values(desk)) == ([], [False, False])
    first = emptied(desk, made["id"])
    empty(desk, 32)
    assert emptied(desk, made["id"]) == first is not None
    # Of what it was the figures are left.
    assert desk.imported(made["id"]) == made
    assert [desk.get(id_)["first_name"] for id_ in people] == ["Eve", "Eve"]
    with pytest.raises(NotFound, match="file_not_found"):
        desk.error_file(made["id"])
    with pytest.raises(Conflict, match="import_too_old"):
        undo.undo_import(desk.db, utc_now() + 30 * DAY, import_id=made["id"])


@pytest.mark.parametrize("failure", [Unavailable("files_unavailable"), ZeroDivisionError()])
def test_an_import_that_cannot_be_emptied_keeps_no_other_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(keeping, "_AT_ONCE", 2)
    other = Desk(desk.everywhere, desk.files._folder)
    made = [one.upload([HEADER, ["Ann", ""]])["id"] for one in (desk, desk, other)]
    with desk.db.read() as session:
        broken = IMPORTS.find(session, made[0]).file_key
    delete = desk.files.delete

    def failing(key: str) -> None:
        if key == broken:
            raise failure
        delete(key)

    monkeypatch.setattr(desk.files, "delete", failing)
    with pytest.raises(type(failure)):
        empty(desk, 31)
    assert files_of(desk) == [broken]
    assert emptied(desk, made[0]) is None
    assert None not in (emptied(desk, made[1]), emptied(other, made[2]))


def test_what_was_never_started_is_given_up(desk: Desk) -> None:
    uploaded, previewed = desk.upload([HEADER, ["Ann", ""]]), desk.preview([HEADER, ["Bob", ""]])
    empty(desk, 31)
    assert files_of(desk) == []
    for made in (uploaded, previewed):
        assert IMPORTS.get(desk.db, made["id"])["state"] == "cancelled"
        with pytest.raises(Conflict, match="import_started"):
            import_running.run_import(desk.db, import_id=made["id"])


def test_an_upload_goes_with_the_last_import_made_of_it(desk: Desk) -> None:
    first = desk.preview([HEADER, ["Ann", ""]])
    with desk.db.read() as session:
        key = session.scalars(select(Import.file_key)).one()
    second = importing.create_import(desk.db, desk.files, file_key=key, filename="clients.csv")
    with desk.db.unit_of_work() as uow:
        IMPORTS.find(uow.session, first["id"]).updated_at = utc_now() - 31 * DAY
    empty(desk, 0)
    assert (emptied(desk, first["id"]) is None, emptied(desk, second["id"])) == (False, None)
    assert files_of(desk) == [key]
    empty(desk, 31)
    assert files_of(desk) == []


def test_of_what_was_emptied_no_file_of_errors_is_made(desk: Desk) -> None:
    """Also where another import keeps the list: nobody would search the file for who is erased, or delete it."""
    first = desk.import_all([HEADER, ["Bob", "12"]])
    with desk.db.unit_of_work() as uow:
        entry = IMPORTS.find(uow.session, first["id"])
        key, entry.updated_at = entry.file_key, utc_now() - 31 * DAY
    importing.create_import(desk.db, desk.files, file_key=key, filename="clients.csv")
    empty(desk, 0)
    with pytest.raises(NotFound, match="file_not_found"):
        desk.error_file(first["id"])
    assert files_of(desk) == [key]


def test_nor_of_what_is_emptied_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk.import_all([HEADER, ["Bob", "12"]])
    put = desk.files.put

    def put_late(key: str, content: Any) -> None:
        empty(desk, 31)
        put(key, content)

    monkeypatch.setattr(desk.files, "put", put_late)
    with pytest.raises(NotFound, match="file_not_found"):
        desk.error_file(made["id"])
    assert files_of(desk) == []


@on_one_database
def test_what_is_under_way_keeps_all(desk: Desk) -> None:
    desk.create(phones=[{"number": "+12125550101"}])
    running = desk.start([HEADER, ["Bob", ""]])
    undoing = desk.import_all([HEADER, ["Eve", "+12125550101"]], duplicates="update")
    undo.undo_import(desk.db, NOW, import_id=undoing["id"])
    empty(desk, 100)
    assert (len(files_of(desk)), kept_values(desk)) == (2, [True])
    assert emptied(desk, running["id"]) is None
    desk.hear("continue_undo", IMPORT_UNDO_REQUESTED, {"import_id": undoing["id"]})
    assert desk.page(q="Ann")["data"]
    empty(desk, 31)
    assert (len(files_of(desk)), kept_values(desk)) == (1, [False])


def test_one_that_was_interrupted_is_emptied_the_next_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk.import_all([HEADER, ["Ann", ""]])

    def refuse(key: str) -> Any:
        raise Unavailable("files_unavailable")

    with monkeypatch.context() as broken:
        broken.setattr(desk.files, "delete", refuse)
        with pytest.raises(Unavailable):
            empty(desk, 31)
    assert emptied(desk, made["id"]) is None
    empty(desk, 31)
    assert (files_of(desk), emptied(desk, made["id"]) is None) == ([], False)


def test_a_workbook_is_not_kept_besides_its_rows(desk: Desk) -> None:
    made = desk.import_all(b"".join(workbook(HEADER, [["Ann", ""], ["", "12"]])))
    assert (made["counts"]["created"], made["counts"]["failed"]) == (1, 1)
    assert files_of(desk) == [f"imports/clients/{desk.firm_id}/{made['id']}/rows.csv"]


# Lists that no import names


def tidy(desk: Desk, days: float) -> None:
    left_over.tidy_left_lists(desk.everywhere, desk.files, IMPORTS, "clients", utc_now() + days * DAY)


def test_a_list_that_no_import_names_goes_after_a_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_over, "_AT_ONCE", 2)
    ours = f"imports/clients/{desk.firm_id}"
    named = [f"{ours}/{number}" for number in range(3)]
    for key in named:
        desk.files.put(key, b"First name\nAnn\n")
        importing.create_import(desk.db, desk.files, file_key=key, filename="clients.csv")
    made = desk.upload(b"".join(workbook(HEADER, [["Ann", ""]])))
    kept = sorted([*named, f"{ours}/{made['id']}/rows.csv"])
    left = [f"{ours}/a", f"{ours}/b", f"{ours}/{new_id()}/rows.csv", f"imports/clients/{new_id()}/c"]
    others = [f"imports/cases/{desk.firm_id}/a", f"imports/{desk.firm_id}/a"]
    for key in (*left, *others):
        desk.files.put(key, b"First name\nEve\n")
    tidy(desk, 0.99)
    assert files_of(desk) == sorted([*kept, *left, *others])
    tidy(desk, 1.01)
    assert files_of(desk) == sorted([*kept, *others])


def test_what_was_left_of_an_emptied_import_goes_too(desk: Desk) -> None:
    old, young = desk.import_all([HEADER, ["Bob", "12"]]), desk.import_all([HEADER, ["Eve", "12"]])
    with desk.db.unit_of_work() as uow:
        IMPORTS.find(uow.session, old["id"]).updated_at = utc_now() - 31 * DAY
    empty(desk, 0)
    kept = sorted([*files_of(desk), f"imports/{young['id']}/errors.csv", f"imports/{new_id()}/errors.csv"])
    left = [f"imports/{old['id']}/{name}" for name in ("errors.csv", "rows.csv")]
    for key in {*kept, *left}:
        desk.files.put(key, b"First name\nEve\n")
    tidy(desk, 0.99)
    assert files_of(desk) == sorted([*kept, *left])
    tidy(desk, 1.01)
    assert files_of(desk) == kept


def test_what_a_request_sent_again_is_just_taking_in_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = f"imports/clients/{desk.firm_id}/a"
    desk.files.put(key, b"First name\nAnn\n")
    take_turns = left_over.take_turns

    def after_another(session: Any, key: str) -> None:
        take_turns(session, key)
        session.add(Import(**values))

    values = read_upload(
        desk.files, desk.firm_id, file_key=key, filename="x.csv", target="clients", sheet=None
    ).values | {"suggested_mapping": {}}
    monkeypatch.setattr(left_over, "take_turns", after_another)
    tidy(desk, 1.01)
    assert files_of(desk) == [key]


def test_a_list_that_was_taken_away_since_it_was_read_is_no_import(desk: Desk) -> None:
    key = f"imports/clients/{desk.firm_id}/a"
    desk.files.put(key, b"First name\nAnn\n")
    upload = read_upload(desk.files, desk.firm_id, file_key=key, filename="x.csv", target="clients", sheet=None)
    tidy(desk, 1.01)
    with desk.db.unit_of_work() as uow, pytest.raises(NotFound, match="file_not_found"):
        upload.keep_after(uow, desk.files)
