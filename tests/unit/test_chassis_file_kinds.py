"""What a file is, judged by its content."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import pytest

from chassis.file_kinds import Kind, clean_name, judge

TYPES = "[Content_Types].xml"


def archive(*names: str) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name in names:
            packed.writestr(name, "<x/>")
    return made


@pytest.mark.parametrize(("part", "ending"), [("word/document.xml", "docx"), ("xl/workbook.xml", "xlsx")])
def test_documents_and_spreadsheets_are_kept(part: str, ending: str) -> None:
    kind = judge(archive(TYPES, part))
    assert isinstance(kind, Kind)
    assert kind.extension == ending


@pytest.mark.parametrize(
    "names",
    [
        ("word/document.xml",),
        (TYPES, "notes.txt"),
        (TYPES, "word/document.xml", "word/vbaProject.bin"),
        (TYPES, "word/document.xml", "xl/workbook.xml"),
    ],
)
def test_other_archives_and_what_carries_a_program_are_not(names: tuple[str, ...]) -> None:
    assert judge(archive(*names)) is None


def test_half_an_archive_is_nothing() -> None:
    whole = archive(TYPES, "word/document.xml").getvalue()
    assert judge(io.BytesIO(whole[: len(whole) // 2])) is None
    assert judge(io.BytesIO(b"PK\x03\x04" + b"\x00" * 200)) is None


@pytest.mark.parametrize("around", [(b"PK\x03\x04", b""), (b"", b"<script>")])
def test_nothing_stands_before_or_behind_an_archive(around: tuple[bytes, bytes]) -> None:
    before, behind = around
    document = archive(TYPES, "word/document.xml").getvalue()
    assert judge(io.BytesIO(document)) is not None
    assert judge(io.BytesIO(before + document + behind)) is None


def test_a_table_of_contents_is_read_only_up_to_a_size() -> None:
    flood = archive(TYPES, "word/document.xml", *(f"{number:x}" for number in range(30_000)))
    tracemalloc.start()
    assert judge(flood) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"Dear Sir, 1 < 2", "text/plain"),
        ("\ufeffÑandú 🦊".encode() * 40_000, "text/plain"),
        (b" \r\nbegin:vcard\r\nFN:Ann", "text/vcard"),
        (b" " * 70_000 + b"<html>", None),
        (b"", None),
        (b" \n", None),
        (b"ends in half a letter \xc3", None),
        (b"a" * 70_000 + b"\x00", None),
        (b"\xef\xbb\xbf<svg>", None),
    ],
)
def test_text_is_text_to_its_end_and_no_page(content: bytes, content_type: str | None) -> None:
    kind = judge(io.BytesIO(content))
    assert (kind and kind.content_type) == content_type


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Re\u0301sume\u0301.pdf", "Résumé.pdf"),
        ("हिन्दी.pdf", "हिन्दी.pdf"),
        ("a\u200db\u202egpj.exe", "a_b_gpj.pdf"),
        ("..", "file.pdf"),
        (".htaccess", "htaccess.pdf"),
        (None, "file.pdf"),
    ],
)
def test_a_name_keeps_its_letters_and_nothing_that_misleads(given: str | None, kept: str) -> None:
    assert clean_name(given, "file", Kind("application/pdf")) == kept
