"""chassis: how a workbook is read, and which ones are refused."""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from chassis.imports import text_files, workbooks
from chassis.imports.workbooks import Table, read_workbook
from contracts.errors import Invalid
from tests.examples import examples


def saved(book: Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def book_of(*rows: Any) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    return saved(book)


def rows_of(content: bytes, sheet: str | None = None) -> list[list[str]]:
    target = io.BytesIO()
    read_workbook(io.BytesIO(content), target, sheet)
    return list(csv.reader(io.StringIO(target.getvalue().decode())))


def refused(content: bytes, sheet: str | None = None) -> str:
    with pytest.raises(Invalid) as caught:
        read_workbook(io.BytesIO(content), io.BytesIO(), sheet)
    assert caught.value.fields[0]["field"] in ("file", "sheet")
    return caught.value.code


def test_cells_become_the_texts_that_a_person_reads() -> None:
    book = Workbook()
    sheet = book.active
    sheet.append(["name", "phone", "born", "zip", "rate", "ok", "seen", "note"])
    seen = dt.datetime.fromisoformat("2026-01-02 03:04")
    sheet.append(["José", 2125550101, dt.date(1980, 2, 29), 1234, 1.5, True, seen, "a\nb"])
    sheet["D2"].number_format = "00000"
    sheet.append([])
    sheet.append(["Bob", 12345678901234, None, None, 1e-7, False, None, "=1+1"])
    assert rows_of(saved(book)) == [
        ["name", "phone", "born", "zip", "rate", "ok", "seen", "note"],
        ["José", "2125550101", "1980-02-29", "01234", "1.5", "TRUE", "2026-01-02 03:04:00", "a\nb"],
        # What a formula showed last is not in a file that no sheet has run.
        ["Bob", "12345678901234", "", "", "1e-07", "FALSE", "", ""],
    ]  # fmt: skip


def test_the_first_sheet_with_rows_is_read_or_the_one_that_is_named() -> None:
    book = Workbook()
    book.active.title = "Cover"
    book.create_sheet("People").append(["name"])
    book.create_sheet("Firms").append(["firm"])
    content, target = saved(book), io.BytesIO()
    assert read_workbook(io.BytesIO(content), target) == Table("People", ["Cover", "People", "Firms"])
    assert rows_of(content, "Firms") == [["firm"]]
    assert refused(content, "Cover") == "file_empty"
    assert refused(content, "Shoes") == "unknown_sheet"


def edited(content: bytes, changes: dict[str, Any]) -> bytes:
    """The workbook with some of its parts changed: a text in place of another, or a whole new part."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in dict.fromkeys([*old.namelist(), *changes]):
            part = old.read(name) if name in old.namelist() else b""
            change = changes.get(name)
            new.writestr(name, change(part) if callable(change) else change if change is not None else part)
    return made.getvalue()


SHEET, TEXTS, BOOK = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"
MAIN = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
# As Excel writes it: texts that are shared, by their numbers.
PLAIN = edited(book_of(["x"]), {
    TEXTS: b"<sst %b><si><t>name</t></si><si><t>phone</t></si><si><t>Ann</t></si></sst>" % MAIN,
    SHEET: b'<worksheet %b><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
           b'<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2"><v>2125550101</v></c></row></sheetData>'
           b"</worksheet>" % MAIN,
})  # fmt: skip
ENTITY = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def with_doctype(part: bytes) -> bytes:
    return (
        part.replace(b"<", ENTITY + b"<", 1) if not part.startswith(b"<?") else part.replace(b"?>", b"?>" + ENTITY, 1)
    )


def test_formulas_are_read_as_they_were_last_shown() -> None:
    shown = edited(PLAIN, {SHEET: lambda part: part.replace(b'<c r="A2" t="s"><v>2</v></c>',
                                                           b'<c r="A2" t="str"><f>1+1</f><v>Eve</v></c>')})  # fmt: skip
    assert rows_of(shown)[1] == ["Eve", "2125550101"]


def test_texts_in_runs_are_whole_and_without_how_they_are_said() -> None:
    rich = b"<si><r><t>A</t></r><r><t>nn</t></r><rPh><t>xx</t></rPh></si>"
    assert rows_of(edited(PLAIN, {TEXTS: lambda part: part.replace(b"<si><t>Ann</t></si>", rich)}))[1][0] == "Ann"


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("file_damaged", PLAIN[: len(PLAIN) // 2]),
        ("file_damaged", b"PK\x03\x04 and no more"),
        ("file_damaged", edited(PLAIN, {SHEET: lambda part: part[:-40]})),
        ("file_damaged", edited(PLAIN, {SHEET: with_doctype})),
        ("file_damaged", edited(PLAIN, {TEXTS: with_doctype})),
        ("file_damaged", edited(PLAIN, {BOOK: with_doctype})),
        ("file_damaged", edited(PLAIN, {SHEET: lambda part: part.replace(b"<v>2</v>", b"<v>99</v>")})),
        ("file_damaged", edited(PLAIN, {SHEET: lambda part: part.replace(b"<v>2</v>", b"<v>two</v>")})),
        ("file_damaged", edited(PLAIN, {SHEET: lambda part: part.replace(b'"A2"', b'"../2"')})),
        ("file_too_many_columns", edited(PLAIN, {SHEET: lambda part: part.replace(b'"A2"', b'"XFD2"')})),
        ("file_unpacks_too_large", edited(PLAIN, {"xl/media/zeros.bin": bytes(64 * 1024 * 1024)})),
        ("file_unpacks_too_large", edited(PLAIN, {TEXTS: b"<sst>" + b"<si/>" * 3_000_000 + b"</sst>"})),
        ("file_not_supported", edited(b"PK\x05\x06" + bytes(18), {"content.xml": b"<office/>"})),
        ("file_empty", book_of()),
        ("file_empty", book_of([None, "  "], [""])),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_a_workbook_that_is_not_what_it_says_is_refused(code: str, content: bytes) -> None:
    assert refused(content) == code


def test_entries_without_end_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = edited(PLAIN, {f"xl/media/{number}.bin": b"" for number in range(20_001)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert refused(content) == "file_unpacks_too_large"


def test_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "MOST_ROWS", 2)
    assert len(rows_of(book_of(["name"], ["a"], ["b"]))) == 3
    assert refused(book_of(["name"], ["a"], ["b"], ["c"])) == "file_too_many_rows"
    monkeypatch.setattr(workbooks, "MOST_UNPACKED", 5000)
    assert refused(PLAIN) == "file_unpacks_too_large"
    monkeypatch.setattr(text_files, "LARGEST_FILE", 1000)
    assert refused(PLAIN) == "file_too_large"
    book = Workbook()
    for _ in range(100):
        book.create_sheet()
    monkeypatch.undo()
    assert refused(saved(book)) == "file_too_many_sheets"


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8)


@settings(max_examples=examples(15), deadline=None)
@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=5))
def test_what_a_sheet_holds_is_what_is_read(cells: list[list[str]]) -> None:
    book = Workbook()
    for row in [["name", "city"], *cells]:
        book.active.append(row)
        for cell in book.active[book.active.max_row]:
            cell.data_type = "s"
    kept = [row for row in cells if any(cell.strip() for cell in row)]
    assert rows_of(saved(book)) == [["name", "city"], *kept]


def test_any_broken_workbook_is_read_or_refused() -> None:
    chance = random.Random(5)
    for _ in range(150):
        broken = bytearray(PLAIN)
        for _ in range(chance.randint(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            rows_of(bytes(broken))
        except Invalid:
            pass
