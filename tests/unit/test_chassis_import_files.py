"""chassis: how the file of an import is read, and which files are refused whole."""

from __future__ import annotations

import csv
import io
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.imports import text_files
from chassis.imports.text_files import Layout, detect_encoding, read_layout, read_rows
from contracts.errors import Invalid


def layout(content: bytes) -> Layout:
    return read_layout(io.BytesIO(content), detect_encoding(io.BytesIO(content)))


def rows(content: bytes, start: int = 0) -> list[tuple[int, list[str]]]:
    found = layout(content)
    return list(read_rows(io.BytesIO(content), found.encoding, found.delimiter, start))


def test_rows_are_numbered_from_one_and_blank_lines_are_none():
    content = b'\r\n \r\nname,phone\r\n\r\nAnn,1\r\n\r\n,\r\n"Bob\r\nRay",2'
    assert layout(content) == Layout("utf-8", ",", ["name", "phone"], 3)
    assert rows(content) == [(1, ["Ann", "1"]), (2, ["", ""]), (3, ["Bob\r\nRay", "2"])]
    assert rows(content, start=2) == [(3, ["Bob\r\nRay", "2"])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_the_header(delimiter):
    content = f'"last, first"{delimiter}phone{delimiter}note\n"Lee, Ann"{delimiter}1{delimiter}a/b\n'.encode()
    assert rows(content) == [(1, ["Lee, Ann", "1", "a/b"])]


@pytest.mark.parametrize("lines", [["vip;new;old"], ["vip;new;old", "vip;new"], ["new", "Lee; Ann", "Ray; Bob"]])
def test_a_file_of_one_column_may_have_delimiters_in_its_cells(lines):
    assert rows("\n".join(["tags", *lines]).encode()) == [(number, [line]) for number, line in enumerate(lines, 1)]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "Zoë Łuk"), ("utf-8-sig", "Zoë Łuk"), ("utf-16", "Zoë Łuk"), ("cp1252", "José Muñoz"),
     ("cp932", "山田太郎"), ("cp1251", "Наталья")],
)  # fmt: skip
def test_encodings_are_told_apart(encoding, name):
    lines = ["name,city", *(f"{name},{name} {number}" for number in range(40))]
    content = "\n".join(lines).encode(encoding)
    assert rows(content)[0] == (1, [name, f"{name} 0"])


def test_an_accent_late_in_a_large_file_counts_too():
    content = b"name,city\n" + b"Ann,Reno\n" * 20_000 + "José,Málaga\n".encode("cp1252")
    assert rows(content)[-1] == (20_001, ["José", "Málaga"])


HEADER = b"name,phone\n"
BAD = {
    "file_empty": [b"", b"\n\n", b" \r\n"],
    "file_no_header": [
        b"Ann,+1 212 555 0123\nBob,2\n", b"ann@example.com\n", b",,\n1,2,3\n", b"x" * 201 + b",y\n1,2\n",
        b"Clients 2026,,\n,,\nname,phone,city\nAnn,1,Reno\n", b"Clients\nname,phone,city\n",
        b"Clients\n26 November\nname;note;city\nAnn;\"a;b\";Reno\n", b"Clients\n\nname\tphone\tcity\nAnn\t1\tReno\n",
    ],
    "file_no_rows": [HEADER, HEADER + b"\n\n"],
    "file_wrong_encoding": [
        "name,phone\nAnn,1\n".encode("utf-16-le"), HEADER + b"A\0nn,1\n", b"\xff\xfe\x00\xd8a\x00",
        HEADER + random.Random(7).randbytes(4000).replace(b"\0", b""), b"\xef\xbb\xbf" + HEADER + b"\xff\xfe,1\n",
    ],
    "file_not_supported": [b"\xd0\xcf\x11\xe0 and the rest of an old workbook"],
    "file_cell_too_large": [
        HEADER + b"Ann," + b"1" * 1_000_000, HEADER + b"Ann,1\n" + b"B" * 3_000_000 + b",2\n",
        b'name,"' + b"x" * 200_000,
    ],
    "file_open_quote": [b'"', HEADER + b'Ann,1\n"Bob,2\nCy,3\n', HEADER + b'Ann,1\nBob,"2', HEADER + b'Ann,1\n"'],
    "file_damaged": [
        "name,city\nZoë,Málaga\nJosé".encode()[:-1], "name\nZoë".encode("utf-16")[:-1], b"\xff\xfe" + HEADER,
    ],
    "file_too_many_columns": [b",".join(b"c%d" % number for number in range(501)) + b"\n"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "content"), [(code, content) for code, contents in BAD.items() for content in contents], ids=lambda part:
    part if isinstance(part, str) else f"{len(part)} bytes"
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_whole(code, content):
    with pytest.raises(Invalid) as caught:
        layout(content)
    assert (caught.value.code, caught.value.fields[0]["field"]) == (code, "file")


def test_a_long_name_of_a_column_is_soon_refused() -> None:
    """Others wait meanwhile."""
    began = time.process_time()
    with pytest.raises(Invalid, match="file_no_header"):
        layout(b"a@" + b"." * 40_000 + b"@,name\n1,2\n")
    assert time.process_time() - began < 1


def test_an_accent_at_the_very_end_need_not_be_a_cut():
    assert rows("name,city\nAnn,José".encode("cp1252")) == [(1, ["Ann", "José"])]
    assert rows("name,city\nJosé,José".encode("cp1252")) == [(1, ["José", "José"])]


def test_a_file_cut_anywhere_is_refused_or_loses_the_end_of_its_last_row_alone():
    table = [["name", "città", "note"], ["Zoë", "Málaga", 'two\nlines, "quoted"'], ["Łuk", "Łódź", ""]]
    text = io.StringIO()
    csv.writer(text).writerows(table)
    whole, refused = text.getvalue().encode(), 0
    for length in range(len(whole)):
        try:
            found = [row for _, row in rows(whole[:length])]
        except Invalid:
            refused += 1
            continue
        assert found[:-1] == table[1 : len(found)]
        last = table[len(found)]
        assert all(full.startswith(cell) for cell, full in zip(found[-1], last, strict=False))
    assert refused > len(whole) // 4


def test_a_cell_that_is_too_large_is_named_by_its_row():
    with pytest.raises(Invalid) as caught:
        layout(HEADER + b"Ann,1\nBob," + b"2" * 1_000_000)
    assert caught.value.meta == {"row": "2"}


def test_files_with_too_many_rows_or_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(text_files, "MOST_ROWS", 3)
    assert layout(HEADER + b"a,1\n" * 3).rows == 3
    with pytest.raises(Invalid, match="file_too_many_rows"):
        layout(HEADER + b"a,1\n" * 4)
    monkeypatch.setattr(text_files, "LARGEST_FILE", 20)
    with pytest.raises(Invalid, match="file_too_large"):
        layout(HEADER + b"a,1\n" * 3)


def test_columns_have_names_of_their_own():
    assert layout(b"Phone,,phone, Phone ,Phone\n1,2,3,4,5\n").columns == [
        "Phone", "Column 2", "phone", "Phone (2)", "Phone (3)",
    ]  # fmt: skip


CELLS = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), min_size=2, max_size=2)


@given(st.lists(CELLS, min_size=1, max_size=8))
def test_what_a_csv_writer_writes_is_what_is_read(cells):
    text = io.StringIO()
    csv.writer(text).writerows([["name", "city"], *cells])
    assert [row for _, row in rows(text.getvalue().encode())] == cells


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content):
    try:
        found = layout(content)
    except Invalid:
        return
    assert len(rows(content)) == found.rows
