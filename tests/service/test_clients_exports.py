"""clients: what is filtered as a table, and an import of it, which changes nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.workbooks import workbook
from contracts.clients import ExportColumns, ExportRows
from contracts.errors import Invalid
from services.clients import exporting
from services.clients.imports.mapping import FIELDS
from tests.examples import examples
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def pages(desk: Desk, columns: list[str], **query: Any) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        page = exporting.list_export_rows(desk.db, NOW, columns=columns, after=after, **query)
        assert ExportRows().validate(page) == {}
        found.append(page["rows"])
        after = page["after"]
        if after is None:
            return found


def table(desk: Desk, **query: Any) -> list[list[str]]:
    """The export, as the gateway sends it."""
    told = exporting.list_export_columns(desk.db, NOW, **query)
    assert ExportColumns().validate(told) == {}
    text = "".join(pages(desk, told["columns"], **query))
    return [told["columns"], *csv.reader(io.StringIO(text, newline=""))]


def as_csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def as_workbook(rows: list[list[str]]) -> bytes:
    return b"".join(workbook(rows[0], rows[1:]))


def everything(desk: Desk) -> list[dict[str, Any]]:
    return sorted(desk.page(limit=200)["data"], key=lambda client: client["id"])


FULL = {
    "kind": "individual", "first_name": "=1+1", "middle_name": "'=x", "last_name": "O'Neil, \"Sue\"",
    "occupation": "@home", "company_name": "שלום (ACME)", "date_of_birth": dt.date(1980, 2, 29),
    "government_ids": [{"kind": "ssn", "number": "123-45-6789", "country": "US"},
                       {"kind": "other", "number": "=A; b, \"c\"", "country": None},
                       {"kind": "passport", "number": "AB 12", "country": None}],
    "status": "blacklisted", "spam": True,
    "flag_reason": "two\nlines;\tand \"more\"", "language": "en-US", "time_zone": "America/Denver",
    "phones": [{"number": "+12125550101", "kind": "work"},
               {"number": "+442079460958", "kind": "mobile", "primary": True}],
    "emails": [{"address": "a@example.com"}, {"address": "B@example.com"}],
    "addresses": [{"kind": "mailing", "line1": "-1 Main", "postal_code": "01234", "country": "US"},
                  {"kind": "primary", "city": "Reno"}, {"kind": "mailing", "city": "Elko"}],
    "tags": ["vip", "a; b", 'say "hi"'], "external_source": "clio", "external_source_id": "0007",
    "custom_fields": {"rate": 0.5, "member": True, "courts": ["a; b", "north, east"], "note": "+1\nx", "fee": "5.00",
                      "since": "2026-01-02", "court": "a; b"},
}  # fmt: skip


TYPES: dict[str, dict[str, Any]] = {
    "rate": {"type": "number"}, "member": {"type": "yes_no"}, "note": {}, "fee": {"type": "money"},
    "since": {"type": "date"}, "court": {"type": "choice", "options": ["a; b"]},
    "courts": {"type": "choices", "options": ["north, east", "a; b", 'say "hi"']},
}  # fmt: skip


def define(desk: Desk) -> None:
    for key, more in TYPES.items():
        desk.define(key, **more)


def test_an_export_holds_all_that_a_client_has(desk: Desk) -> None:
    define(desk)
    made = desk.create(**FULL, assigned_staff_id=(staff := new_id()))
    desk.create(first_name="Bob")
    header, full, bare = table(desk)
    row = dict(zip(header, full, strict=True))
    assert (row["id"], row["first_name"], row["middle_name"], row["occupation"]) == (
        made["id"],
        "'=1+1",
        "''=x",
        "'@home",
    )
    assert (row["phone"], row["phone_kind"], row["phone_2"], row["phone_2_kind"]) == (
        "'+442079460958", "mobile", "'+12125550101", "work",
    )  # fmt: skip
    assert (row["email_2"], row["postal_code"], row["address_3_city"], row["address_line1"]) == (
        "B@example.com", "01234", "Elko", "'-1 Main",
    )  # fmt: skip
    assert (row["tags"], row["spam"], row["assigned_staff_id"]) == ('vip; "a; b"; "say ""hi"""', "yes", staff)
    assert (row["custom_fields.rate"], row["custom_fields.courts"], row["custom_fields.member"]) == (
        "0.5", '"north, east"; "a; b"', "yes",
    )  # fmt: skip
    assert row["government_ids"] == 'ssn/US 123-45-6789; "other =A; b, ""c"""; passport AB 12'
    assert dict(zip(header, bare, strict=True))["phone"] == ""
    unknown = set(header) - FIELDS - {"created_at", "updated_at", "last_activity_at"}
    assert all(column.startswith("custom_fields.") for column in unknown)


@on_one_database
@pytest.mark.parametrize("form", [as_csv, as_workbook], ids=["csv", "xlsx"])
@pytest.mark.parametrize("duplicates", ["update", "merge", "skip"])
def test_importing_an_export_changes_nothing(desk: Desk, form: Any, duplicates: str) -> None:
    define(desk)
    desk.create(**FULL)
    desk.create(first_name="Bob", phones=[{"number": "+12125550101"}])
    before = everything(desk)
    found = desk.import_all(form(table(desk)), duplicates=duplicates)
    assert found["counts"] == {"read": 2, "created": 0, "updated": 0, "skipped": 2, "failed": 0}
    assert everything(desk) == before


@on_one_database
@pytest.mark.parametrize("form", [as_csv, as_workbook], ids=["csv", "xlsx"])
def test_another_firm_gets_the_same_clients_from_an_export(desk: Desk, form: Any, tmp_path: Any) -> None:
    desk.define("note", "court")
    custom = {"note": "+1", "court": "a; b"}
    made = desk.create(**{**FULL, "custom_fields": custom})
    stranger = Desk(desk.everywhere, tmp_path / "other")
    found = stranger.import_all(form(table(desk)), duplicates="update")
    assert found["counts"]["created"] == 1
    [copy] = everything(stranger)
    own = ("id", "created_at", "updated_at", "last_activity_at")
    made["phones"].reverse()  # the primary one first
    assert {**copy, **{name: made[name] for name in own}} == made


TEXT = st.text(
    st.one_of(st.sampled_from("=+-@'\";,|\n\t áשz0"), st.characters(exclude_categories=["Cs", "Cc", "Cf", "Cn"])),
    max_size=12,
)  # fmt: skip
LINE = TEXT.map(lambda text: " ".join(text.split())).filter(bool)
PHONES = st.lists(st.integers(100, 199).map(lambda n: {"number": f"+121255501{n % 100:02d}"}), max_size=4,
                  unique_by=lambda phone: phone["number"])  # fmt: skip
EMAILS = st.lists(st.sampled_from("abcdef").map(lambda name: {"address": f"{name}@example.com"}), max_size=3,
                  unique_by=lambda email: email["address"])  # fmt: skip
GOVERNMENT_IDS = st.lists(
    st.fixed_dictionaries({"kind": st.sampled_from(["ssn", "passport", "other"]), "number": LINE},
                          optional={"country": st.sampled_from(["US", "FR"])}),
    max_size=3,
)  # fmt: skip
ADDRESSES = st.lists(
    st.fixed_dictionaries({"kind": st.sampled_from(["mailing", "billing", "service_area"]), "city": LINE},
                          optional={"postal_code": LINE, "line2": LINE, "country": st.just("US")}),
    max_size=3,
)  # fmt: skip
CLIENT = st.fixed_dictionaries(
    {"first_name": LINE},
    optional={
        "last_name": LINE, "company_name": LINE, "flag_reason": TEXT, "occupation": LINE, "phones": PHONES,
        "emails": EMAILS, "addresses": ADDRESSES, "government_ids": GOVERNMENT_IDS,
        "tags": st.lists(LINE, max_size=3, unique=True),
        "date_of_birth": st.dates(min_value=NOW.date().replace(year=1900), max_value=NOW.date()),
        "custom_fields": st.fixed_dictionaries({}, optional={
            "note": TEXT, "rate": st.integers(-(10**9), 10**9) | st.floats(-1000, 1000).map(lambda n: round(n, 3)),
            "member": st.booleans(), "fee": st.integers(-1000, 10**6), "since": st.dates().map(str),
            "courts": st.lists(st.sampled_from(TYPES["courts"]["options"]), unique=True),
        }),
    },
)  # fmt: skip


@settings(max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CLIENT, min_size=1, max_size=4), st.sampled_from([as_csv, as_workbook]))
def test_whatever_clients_hold_an_import_of_their_export_changes_nothing(
    desk: Desk, tmp_path_factory: Any, clients: list[dict[str, Any]], form: Any
) -> None:
    firm = Desk(desk.everywhere, tmp_path_factory.mktemp("files"))
    define(firm)
    made = 0
    for client in clients:
        try:
            firm.create(**client)
            made += 1
        except Invalid:
            continue
    assume(made)
    before = everything(firm)
    found = firm.import_all(form(table(firm)), duplicates="update")
    assert found["counts"] == {"read": made, "created": 0, "updated": 0, "skipped": made, "failed": 0}, found
    assert everything(firm) == before


def test_an_export_is_what_the_lists_filters_mean(desk: Desk) -> None:
    desk.create(first_name="Ann", status="inactive")
    desk.create(first_name="Bob", phones=[{"number": "+12125550101"}, {"number": "+12125550102"}])
    header, *rows = table(desk, status="inactive")
    assert [row[header.index("first_name")] for row in rows] == ["Ann"]
    assert "phone_2" not in header
    header, *rows = table(desk, q="bob")
    assert [row[header.index("phone_2")] for row in rows] == ["'+12125550102"]
    assert len(table(desk, filter={"field": "status", "op": "eq", "value": "active"})) == 2
    with pytest.raises(Invalid, match="invalid_filter"):
        table(desk, filter={"field": "shoe", "op": "eq", "value": "9"})


def test_what_is_sensitive_is_left_out_for_who_may_not_see_it(desk: Desk) -> None:
    desk.define("ssn", sensitive=True)
    desk.define("court")
    passport = {"kind": "passport", "number": "AB12", "country": None}
    custom = {"ssn": "123", "court": "north"}
    ann = desk.create(date_of_birth=dt.date(1980, 1, 2), government_ids=[passport], custom_fields=custom)
    sensitive = {"date_of_birth", "government_ids", "custom_fields.ssn"}
    assert sensitive <= set(table(desk)[0])
    with use(Context(firm_id=desk.firm_id, actor_kind="staff", sees_sensitive=False)):
        header, row = table(desk)
        told = pages(desk, [*sorted(sensitive), "custom_fields.court"])
    assert sensitive.isdisjoint(header)
    assert ("1980-01-02" in row, "123" in row, "north" in row) == (False, False, True)
    assert told == [",,,north\r\n"]
    # Cleared by what it does not say, it would be lost.
    desk.import_all([header, row], duplicates="update", clear_empty=True)
    after = desk.get(ann["id"])
    assert (after["date_of_birth"], after["custom_fields"]["ssn"]) == (dt.date(1980, 1, 2), "123")
    assert after["government_ids"] == [passport]


def test_pages_end_by_rows_and_by_size_and_hold_each_client_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"Ann{number}" for number in range(7)]
    for name in names:
        desk.create(first_name=name)
    columns = ["first_name"]
    for page, largest in ((3, 1000), (1000, 10), (7, 1000), (4, 10)):
        monkeypatch.setattr(exporting, "PAGE", page)
        monkeypatch.setattr(exporting, "_LARGEST_PAGE", largest)
        found = pages(desk, columns)
        assert "".join(found).split() == names
        assert len(found) > 1


def test_clients_that_come_and_go_meanwhile_leave_the_rest_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [desk.create(first_name=f"Ann{number}")["id"] for number in range(4)]
    monkeypatch.setattr(exporting, "PAGE", 2)
    first = exporting.list_export_rows(desk.db, NOW, columns=["first_name"])
    desk.delete(ids[1])
    desk.delete(ids[2])
    new = desk.create(first_name="New")
    second = exporting.list_export_rows(desk.db, NOW, columns=["first_name", "shoe"], after=first["after"])
    assert second["rows"].splitlines() == ["Ann3,", "New,"]
    assert new["id"] > ids[3]


def test_another_firms_clients_are_in_no_export(desk: Desk, tmp_path: Any) -> None:
    desk.define("court")
    desk.create(first_name="Ann", custom_fields={"court": "north"})
    stranger = Desk(desk.everywhere, tmp_path / "other")
    header, *rows = table(stranger)
    assert rows == []
    assert "custom_fields.court" not in header


def test_a_workbook_opens_with_its_rows_on_as_many_sheets_as_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.workbooks.MOST_ROWS", 4)
    rows = [[f"a{number}", "", "<&>\r\n\x01 x"] for number in range(7)]
    content = b"".join(workbook(["one", "two", "three"], iter(rows)))
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    book = load_workbook(io.BytesIO(content), read_only=True)
    sheets = [[list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book]
    assert [len(sheet) for sheet in sheets] == [4, 4, 2]
    assert sheets[2] == [["one", "two", "three"], ["a6", None, "<&>\r\n\ufffd x"]]
    book.close()
    empty = load_workbook(io.BytesIO(b"".join(workbook(["one"], []))))
    assert [list(row) for row in empty.active.iter_rows(values_only=True)] == [["one"]]
