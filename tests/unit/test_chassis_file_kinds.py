"""What a document is, judged by its table of contents."""

from __future__ import annotations

import io
import zipfile

import pytest

from chassis.file_kinds import Kind, judge

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
