"""clients: import of a file, from upload to the error file. Every event is delivered twice."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import func, select

from chassis.columns import new_id
from contracts.clients import CLIENTS_IMPORTED, IMPORT_REQUESTED, Import
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import import_chunks, import_running, importing
from services.clients.activity import list_client_activity
from services.clients.models import Client
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]

HEADER = ["First name", "Last name", "Phone", "Email", "Status", "External ID", "Tags"]


def row(number: int, **cells: str) -> list[str]:
    phone = f"+1{201 + number // 9000}55{number % 9000 + 51000}"
    full = {
        "First name": f"Ann{number}", "Last name": f"Lee{number}", "Phone": phone, "Email": f"ann{number}@example.com",
        "Status": "active", "External ID": f"X{number}", "Tags": "vip;new",
    }  # fmt: skip
    return list((full | {name.replace("_", " "): cell for name, cell in cells.items()}).values())


def counts(found: dict[str, Any]) -> tuple[int, int, int, int]:
    return tuple(found["counts"][name] for name in ("created", "updated", "skipped", "failed"))


def client_count(desk: Desk) -> int:
    with desk.db.read() as session:
        return session.scalar(select(func.count()).select_from(Client).where(Client.archived_at.is_(None))) or 0


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chunks of 10 rows, so that a small file has several."""
    monkeypatch.setattr(import_chunks, "CHUNK", 10)


BAD_ROWS = [
    row(90, First_name="", Last_name=""), row(91, Phone="12"), row(92, Email="no"), row(93, Status="VIP"),
    row(94)[:3], [*row(95), "more"], row(96, Phone="12", Email="no"),
]  # fmt: skip
BAD_ERRORS = [
    ["name_required:first_name"], ["invalid_phone:phone"], ["invalid_email:email"], ["unknown_status:status"],
    ["row_too_short:row"], ["row_too_long:row"], ["invalid_phone:phone", "invalid_email:email"],
]  # fmt: skip


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


def test_skip_leaves_known_clients_alone_and_again_imports_nothing(desk: Desk, small_chunks: None) -> None:
    content = [HEADER, *(row(number) for number in range(25))]
    desk.import_all(content)
    again = desk.import_all([*content, row(1, First_name="Changed", External_ID="Y1")], duplicates="skip")
    assert counts(again) == (0, 0, 26, 0)
    assert client_count(desk) == 25
    assert desk.listed(q="Changed") == []
    assert len(desk.emitted(CLIENTS_IMPORTED)) == 3


def test_update_changes_what_the_file_says_and_leaves_the_rest(desk: Desk) -> None:
    desk.define("court")
    ann = desk.create(
        first_name="Ann", last_name="Old", occupation="Baker", phones=[{"number": "+12125550101"}], tags=["Vip"],
        custom_fields={"court": "north"},
    )  # fmt: skip
    header = ["First name", "Last name", "Phone", "Home phone", "Tags", "custom_fields.judge", "Occupation"]
    found = desk.import_all(
        [header, ["Anna", "New", "212-555-0101", "212-555-0102", "vip,new", "Roy", ""]], duplicates="update"
    )
    assert counts(found) == (0, 1, 0, 0)
    after = desk.get(ann["id"])
    assert (after["first_name"], after["last_name"], after["occupation"], after["version"]) == (
        "Anna",
        "New",
        "Baker",
        2,
    )
    assert [(phone["number"][-1], phone["kind"], phone["primary"]) for phone in after["phones"]] == [
        ("1", "mobile", True), ("2", "home", False),
    ]  # fmt: skip
    assert (after["tags"], after["custom_fields"]) == (["Vip", "new"], {"court": "north", "judge": "Roy"})
    assert desk.emitted(CLIENTS_IMPORTED)[0]["clients"][0]["version"] == 2
    entry = list_client_activity(desk.db, client_id=ann["id"])["data"][0]["facts"]
    assert (entry["outcome"], "phones" in entry["changed"]) == ("updated", True)


def test_merge_fills_only_what_is_empty_and_joins_lists(desk: Desk) -> None:
    desk.define("court")
    ann = desk.create(
        first_name="Ann", phones=[{"number": "+12125550101"}], tags=["Vip"], custom_fields={"court": "north"},
        addresses=[{"kind": "primary", "city": "Reno"}],
    )  # fmt: skip
    header = [
        "First name",
        "Last name",
        "Phone",
        "Home phone",
        "Tags",
        "custom_fields.judge",
        "custom_fields.court",
        "City",
    ]
    content = [header, ["Anna", "Lee", "212-555-0101", "212-555-0102", "vip,new", "Roy", "south", "Elko"]]
    assert counts(desk.import_all(content, duplicates="merge", clear_empty=True)) == (0, 1, 0, 0)
    after = desk.get(ann["id"])
    assert (after["first_name"], after["last_name"], after["tags"]) == ("Ann", "Lee", ["Vip", "new"])
    assert ([phone["number"][-1] for phone in after["phones"]], after["addresses"][0]["city"]) == (["1", "2"], "Reno")
    assert after["custom_fields"] == {"court": "north", "judge": "Roy"}
    assert counts(desk.import_all(content, duplicates="merge")) == (0, 0, 1, 0)
    assert desk.get(ann["id"])["version"] == 2


def test_an_empty_cell_clears_only_where_it_is_told_to(desk: Desk) -> None:
    desk.define("court")
    desk.define("rate", type="number")
    ann = desk.create(
        first_name="Ann", last_name="Lee", occupation="Baker", phones=[{"number": "+12125550101"}], tags=["vip"],
        emails=[{"address": "ann@example.com"}], custom_fields={"court": "north", "rate": 5},
    )  # fmt: skip
    content = [["Phone", "First name", "Last name", "Occupation", "Email", "Tags", "custom_fields.court"],
               ["2125550101", "", "Lee", "", "", "", ""]]  # fmt: skip
    assert counts(desk.import_all(content, duplicates="update")) == (0, 0, 1, 0)
    assert counts(desk.import_all(content, duplicates="update", clear_empty=True)) == (0, 1, 0, 0)
    after = desk.get(ann["id"])
    assert (after["first_name"], after["occupation"], after["emails"], after["tags"]) == (None, None, [], [])
    assert (after["custom_fields"], len(after["phones"])) == ({"rate": 5}, 1)
    nameless = [["Phone", "Last name"], ["2125550101", ""]]
    found = desk.import_all(nameless, duplicates="update", clear_empty=True)
    assert found["rows"] == [{"row": 1, "errors": ["name_required:first_name"]}]
    assert desk.get(ann["id"])["last_name"] == "Lee"


def test_a_row_finds_its_client_by_the_clients_own_id(desk: Desk) -> None:
    one, two = (
        desk.create(first_name="Ann"),
        desk.create(first_name="Bob", external_source="import", external_source_id="B"),
    )
    header, mapping = ["id", "First name", "External ID"], {"id": "id", "First name": "first_name",
                                                           "External ID": "external_source_id"}  # fmt: skip
    content = [header, [one["id"], "Anna", ""], [one["id"], "Anna", "B"], [new_id(), "Cy", ""], ["7", "Di", ""]]
    found = desk.import_all(content, duplicates="update", mapping=mapping)
    assert counts(found) == (1, 1, 0, 2)
    assert [row["errors"] for row in found["rows"]] == [["external_id_taken:external_source_id"], ["invalid_id:id"]]
    assert (desk.get(one["id"])["first_name"], desk.get(two["id"])["version"]) == ("Anna", 1)


def test_addresses_take_the_place_of_those_of_their_kind(desk: Desk) -> None:
    ann = desk.create(
        first_name="Ann", phones=[{"number": "+12125550101"}],
        addresses=[{"kind": "mailing", "city": "Old"}, {"kind": "primary", "city": "Reno"}],
    )  # fmt: skip
    header = ["Phone", "City", "address_2_kind", "address_2_city", "address_3_kind", "address_3_city"]
    content = [header, ["2125550101", "Elko", "mailing", "New", "billing", "Ely"]]
    assert counts(desk.import_all(content, duplicates="update")) == (0, 1, 0, 0)
    assert [(found["kind"], found["city"]) for found in desk.get(ann["id"])["addresses"]] == [
        ("mailing", "New"), ("primary", "Elko"), ("billing", "Ely"),
    ]  # fmt: skip


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


def test_a_cancelled_import_takes_in_no_more_and_keeps_what_it_did(desk: Desk, small_chunks: None) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(25)), row(26, Phone="1")])
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
    cancelled = import_running.cancel_import(desk.db, import_id=started["id"])
    assert (cancelled["state"], counts(cancelled)) == ("cancelled", (10, 0, 0, 0))
    desk.hear("continue_import", IMPORT_REQUESTED, {"import_id": started["id"]})
    assert (desk.imported(started["id"])["state"], client_count(desk)) == ("cancelled", 10)
    assert len(desk.error_file(started["id"])) == 1
    for attempt in (import_running.cancel_import, import_running.run_import):
        with pytest.raises(Conflict):
            attempt(desk.db, import_id=started["id"])


def test_a_row_without_a_name_updates_a_known_client_and_cannot_create_one(desk: Desk) -> None:
    ann = desk.create(phones=[{"number": "+12125550101"}])
    found = desk.import_all([["Phone", "Email"], ["+12125550101", "ann@example.com"], ["+12125550102", ""]],
                            duplicates="update")  # fmt: skip
    assert counts(found) == (0, 1, 0, 1)
    assert desk.get(ann["id"])["emails"] == [{"address": "ann@example.com", "primary": True}]


def test_update_does_not_guess_between_two_clients_nor_change_an_external_id(desk: Desk) -> None:
    one = desk.create(first_name="Ann", phones=[{"number": "+12125550101"}], external_source="import",
                      external_source_id="X1")  # fmt: skip
    two = desk.create(first_name="Bob", emails=[{"address": "bob@example.com"}])
    header = ["First name", "Phone", "Email", "External ID"]
    found = desk.import_all(
        [header, ["C", "+12125550101", "bob@example.com", ""], ["C", "+12125550101", "", "X2"]], duplicates="update"
    )
    assert [entry["errors"] for entry in found["rows"]] == [
        ["several_matches:row"], ["external_id_differs:external_source_id"],
    ]  # fmt: skip
    assert (desk.get(one["id"])["version"], desk.get(two["id"])["version"]) == (1, 1)


def test_create_makes_copies_but_no_second_client_with_an_external_id(desk: Desk, small_chunks: None) -> None:
    content = [
        HEADER,
        *(row(number, External_ID="") for number in range(12)),
        row(0, External_ID="X0"),
        row(0, External_ID="X0"),
    ]
    assert counts(desk.import_all(content, duplicates="create")) == (13, 0, 0, 1)
    assert client_count(desk) == 13


def test_an_export_with_the_same_person_by_name_and_birthday_is_a_duplicate(desk: Desk) -> None:
    header = ["Name", "Birthday", "ZIP"]
    found = desk.import_all(
        [header, ["José Muñoz", "1980-02-03", ""], ["Munoz, Jose", "02/03/1980", ""], ["Jose Munoz", "1981-02-03", ""]]
    )
    assert counts(found) == (2, 0, 1, 0)


def test_a_restart_resumes_without_a_second_copy_of_a_row(desk: Desk, small_chunks: None) -> None:
    content = [HEADER, *(row(number) for number in range(35)), row(40, Phone="1")]
    started = desk.start(content, duplicates="create")
    for done in (10, 20, 30):
        # A budget of nothing ends after each chunk, as a kill would.
        import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
        assert desk.imported(started["id"])["progress"] == {"done": done, "total": 36}
    assert len(desk.emitted(IMPORT_REQUESTED)) == 4
    for _ in range(2):
        import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
    assert counts(desk.imported(started["id"])) == (35, 0, 0, 1)
    assert client_count(desk) == 35


def test_two_at_once_take_each_chunk_in_once(desk: Desk, small_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(25))])
    real = import_running.take_in
    others = iter([True])

    def overtaken_once(*arguments: Any) -> bool:
        if next(others, False):
            import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
        return real(*arguments)

    monkeypatch.setattr(import_running, "take_in", overtaken_once)
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW)
    assert desk.imported(started["id"])["progress"]["done"] == 10
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW)
    assert counts(desk.imported(started["id"])) == (25, 0, 0, 0)
    assert client_count(desk) == 25


def test_a_row_that_the_database_refuses_fails_alone(
    desk: Desk, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = import_chunks.cards.insert

    def refuse_one(uow: Any, records: list[dict[str, Any]], **more: Any) -> set[str]:
        if any(record["first_name"] == "Ann13" for record in records):
            raise RuntimeError("refused")
        return real(uow, records, **more)

    monkeypatch.setattr(import_chunks.cards, "insert", refuse_one)
    found = desk.import_all([HEADER, *(row(number) for number in range(25))])
    assert counts(found) == (24, 0, 0, 1)
    assert found["rows"] == [{"row": 14, "errors": ["refused:row"]}]


def test_an_import_that_lost_its_file_ends_and_keeps_what_it_did(desk: Desk, small_chunks: None) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(25))])
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
    for path in Path(desk.files._folder).rglob("*.csv"):
        path.unlink()
    desk.hear("continue_import", IMPORT_REQUESTED, {"import_id": started["id"]})
    found = desk.imported(started["id"])
    assert (found["state"], found["failure"], counts(found)) == ("failed", "file_not_found", (10, 0, 0, 0))


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
    made = desk.upload([HEADER, row(1)])
    assert made["suggested_mapping"]["External ID"] == "external_source_id"
    with pytest.raises(Conflict, match="import_not_previewed"):
        import_running.run_import(desk.db, import_id=made["id"])
    importing.preview_import(desk.db, desk.files, NOW, import_id=made["id"])
    import_running.run_import(desk.db, import_id=made["id"])
    with pytest.raises(Conflict, match="import_not_finished"):
        desk.error_file(made["id"])
    for attempt in (
        lambda: import_running.run_import(desk.db, import_id=made["id"]),
        lambda: importing.preview_import(desk.db, desk.files, NOW, import_id=made["id"]),
    ):
        with pytest.raises(Conflict, match="import_started"):
            attempt()


def test_another_firms_import_does_not_exist(desk: Desk, tmp_path: Path) -> None:
    made = desk.preview([HEADER, row(1)])
    stranger = Desk(desk.everywhere, tmp_path)
    for attempt in (
        lambda: importing.get_import(stranger.db, import_id=made["id"]),
        lambda: import_running.run_import(stranger.db, import_id=made["id"]),
        lambda: importing.preview_import(stranger.db, stranger.files, NOW, import_id=made["id"]),
        lambda: stranger.error_file(made["id"]),
        lambda: importing.get_import(desk.db, import_id=new_id()),
    ):
        with pytest.raises(NotFound, match="import_not_found"):
            attempt()
