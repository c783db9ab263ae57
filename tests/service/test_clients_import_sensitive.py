"""clients: government ids out of files, and who may import what is sensitive."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.context import Context, use
from contracts.errors import Forbidden
from services.clients import importing
from services.clients.imports import running, undo
from services.clients.imports.mapping import suggest_mapping
from services.clients.models import Client
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def ids(record: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(entry["kind"], entry["number"], entry["country"]) for entry in record["government_ids"]]


def test_government_ids_come_out_of_one_cell_and_out_of_columns_of_a_kind(desk: Desk) -> None:
    found = desk.import_all([
        ["First name", "SSN", "Driver's license number", "government_ids"],
        ["Ann", "123-45-6789", "D  1", "passport/fr 12AB; other: x"],
        ["Bob", "", "", ""],
        ["Cal", "", "", "12AB"],
        ["Dan", "", "", "licence 12; ssn"],
        ["Eve", "1" * 61, "", "; ".join(f"other {number}" for number in range(11))],
    ])  # fmt: skip
    assert [(row["row"], row["errors"]) for row in found["rows"]] == [
        (3, ["unknown_government_id:government_ids"]),
        (4, ["unknown_government_id:government_ids"] * 2),
        (5, ["too_long:government_ids.ssn", "too_many:government_ids"]),
    ]
    made = {client["first_name"]: client for client in desk.page()["data"]}
    assert ids(made["Ann"]) == [
        ("passport", "12AB", "FR"), ("other", "x", None), ("ssn", "123-45-6789", None),
        ("drivers_license", "D 1", None),
    ]  # fmt: skip
    assert ids(made["Bob"]) == []
    with desk.db.read() as session:
        kept = {row.first_name: row.government_ids for row in session.query(Client)}
    assert (kept["Ann"].startswith("v1."), kept["Bob"]) == (True, None)


@pytest.mark.parametrize("duplicates", ["update", "merge"])
@on_one_database
def test_ids_are_added_to_those_there(desk: Desk, duplicates: str) -> None:
    known = [{"kind": "ssn", "number": "123-45-6789", "country": "US"}]
    ann = desk.create(phones=[{"number": "+12125550101"}], government_ids=known)["id"]
    header = ["phone", "government_ids.ssn", "government_ids"]
    again = desk.import_all([header, ["+12125550101", "123456789", ""]], duplicates=duplicates)
    assert again["counts"]["skipped"] == 1
    more = desk.import_all([header, ["+12125550101", "123456789", "ssn/CA 123456789; itin 9"]], duplicates=duplicates)
    assert more["counts"]["updated"] == 1
    assert ids(desk.get(ann)) == [("ssn", "123-45-6789", "US"), ("ssn", "123456789", "CA"), ("itin", "9", None)]
    taken_back = desk.import_all([header, ["+12125550101", "", ""]], duplicates="update", clear_empty=True)
    assert taken_back["counts"]["updated"] == 1
    assert ids(desk.get(ann)) == []


def test_columns_of_ids_are_known_by_their_names() -> None:
    columns = ["Social Security Number", "EIN", "Passport No.", "Driver\u2019s License", "DNI", "ITIN",
               "government_ids", "government_ids.other"]  # fmt: skip
    assert list(suggest_mapping(columns).values()) == [
        "government_ids.ssn", "government_ids.ein", "government_ids.passport", "government_ids.drivers_license",
        "government_ids.national_id", "government_ids.itin", "government_ids", "government_ids.other",
    ]  # fmt: skip


def test_who_may_not_see_what_is_sensitive_cannot_change_it_by_an_import(desk: Desk) -> None:
    desk.define("secret", sensitive=True)
    desk.define("court")
    columns = {"A": "date_of_birth", "B": "government_ids", "C": "government_ids.ssn", "D": "custom_fields.secret"}
    rows = [["Name", *columns, "E"], ["Ann Lee", "1980-01-02", "itin 9", "1", "x", "north"]]
    mapping = {"Name": "full_name", "E": "custom_fields.court", **columns}
    made = desk.upload(rows)
    settings = {"mapping": mapping, "default_values": {"government_ids": "other 1"}}

    def preview(**more: Any) -> dict[str, Any]:
        return importing.preview_import(desk.db, desk.files, NOW, import_id=made["id"], **{**settings, **more})

    with use(Context(firm_id=desk.firm_id, actor_kind="api_key", sees_sensitive=False)):
        for duplicates in ("update", "merge"):
            with pytest.raises(Forbidden) as refused:
                preview(duplicates=duplicates)
            assert (refused.value.code, refused.value.meta["permission"]) == (
                "permission_denied", "clients.read_sensitive",
            )  # fmt: skip
            assert {entry["field"] for entry in refused.value.fields} == {
                *(f"mapping.{column}" for column in columns), "default_values.government_ids",
            }  # fmt: skip
        # Of a new client anybody may state it.
        for duplicates in ("skip", "create"):
            assert preview(duplicates=duplicates)["counts"]["created"] == 1
        open_ones = {"Name": "full_name", "E": "custom_fields.court"}
        assert preview(duplicates="update", mapping=open_ones, default_values={})["counts"]["created"] == 1
    assert preview(duplicates="update")["counts"]["created"] == 1
    # Nor by what another has previewed.
    blind = Context(firm_id=desk.firm_id, actor_kind="api_key", sees_sensitive=False)
    with use(blind), pytest.raises(Forbidden, match="permission_denied"):
        running.run_import(desk.db, import_id=made["id"])
    assert running.run_import(desk.db, import_id=made["id"])["state"] == "running"


@pytest.mark.parametrize("column", ["date_of_birth", "government_ids.ssn", "custom_fields.secret"])
@on_one_database
def test_failed_rows_with_what_is_sensitive_are_for_those_who_may_see_it(desk: Desk, column: str) -> None:
    desk.define("secret", sensitive=True)
    blind = Context(firm_id=desk.firm_id, actor_kind="api_key", sees_sensitive=False)
    rows = [["full_name", "phone", column], ["Ann Lee", "1", "1980-01-02"]]
    # What a column is taken for counts as well, though it was not read.
    for mapping in (None, {"full_name": "full_name", "phone": "phone"}):
        found = desk.import_all(rows, mapping=mapping)
        assert found["rows"] == [{"row": 1, "errors": ["invalid_phone:phone"]}]
        assert desk.error_file(found["id"])[1][:3] == rows[1]
        for read in (desk.error_file, desk.error_workbook):
            with use(blind), pytest.raises(Forbidden) as refused:
                read(found["id"])
            assert (refused.value.code, refused.value.meta["permission"]) == (
                "permission_denied", "clients.read_sensitive",
            )  # fmt: skip
            assert [entry["field"] for entry in refused.value.fields] == [f"mapping.{column}"]
    opened = desk.import_all([["full_name", "phone"], ["Ann Lee", "1"]])
    with use(blind):
        assert desk.error_file(opened["id"])[1][:2] == ["Ann Lee", "1"]


def test_an_undo_gives_ids_back(desk: Desk) -> None:
    known = [{"kind": "ssn", "number": "1", "country": None}]
    born = dt.date(1980, 1, 2)
    ann = desk.create(phones=[{"number": "+12125550101"}], government_ids=known, date_of_birth=born)["id"]
    made = desk.import_all([["phone", "SSN"], ["+12125550101", "2"]], duplicates="update")
    assert len(ids(desk.get(ann))) == 2
    undo.undo_import(desk.db, NOW, import_id=made["id"])
    undo.continue_undo(desk.db, made["id"])
    assert desk.get(ann)["government_ids"] == known
