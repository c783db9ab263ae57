"""A workbook (XLSX) that is imported: checked before it is opened, and turned into a table of texts row by row.

It is a ZIP of XML files. Nothing in it is believed: entries are unpacked once to count what they really hold, a
document type is refused wherever it stands, and what grows with the file (the shared texts, the table) lies on disk.
Formulas are not run; of each cell the value is taken that was last shown. Why it is read by hand: ADR 0021.
"""

from __future__ import annotations

import csv
import io
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, cast
from xml.parsers import expat

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError

from chassis.imports import text_files
from chassis.imports.text_files import unreadable
from chassis.imports.workbook_parts import BLOCK, Book, SharedTexts, Sheet, damaged, parser_for
from chassis.imports.workbook_rows import SheetReader
from contracts.errors import Invalid

BEGINNING = b"PK\x03\x04"
MOST_UNPACKED = 600 * 1024 * 1024
_MOST_ENTRIES = 2000
_ENTRY, _MOST_MARKS = b"PK\x01\x02", 10 * _MOST_ENTRIES
"""What each entry of an archive's table of contents begins with, those of documents within it too."""
_HIGHEST_RATIO = 250
_SMALL_ENTRY = 8 * 1024 * 1024
"""Up to this size an entry may be packed as tightly as it likes."""
_IN_MEMORY = 1024 * 1024


@dataclass(frozen=True)
class Table:
    """The sheet that was read and the names of all; of a file that has none, none."""

    sheet: str | None
    sheets: list[str]


def read_workbook(stream: IO[bytes], target: BinaryIO, sheet: str | None = None) -> Table:
    """Writes a sheet as UTF-8 CSV into `target`: the one of that name, else the first with rows. All rows of it have
    the same width.

    Raises Invalid that names `file`: `file_too_large`, `file_damaged`, `file_not_supported`, `file_encrypted`,
    `file_unpacks_too_large`, `file_too_many_sheets`, `file_too_many_columns`, `file_too_many_rows`, `file_empty`; or
    `sheet`: `unknown_sheet`.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as packed:
        _copy(stream, cast(IO[bytes], packed))
        try:
            with zipfile.ZipFile(packed) as archive:
                _check_archive(archive)
                return _read(archive, target, sheet)
        except _DAMAGE as error:
            raise damaged() from error


_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, expat.ExpatError, ParseError, DefusedXmlException,
    ValueError,
)  # fmt: skip
"""What the libraries raise for a file that is not what it says."""


def _copy(stream: IO[bytes], target: IO[bytes]) -> None:
    size, entries, before = 0, 0, b""
    while block := stream.read(BLOCK):
        size += len(block)
        if size > text_files.LARGEST_FILE:
            raise unreadable("file_too_large", f"Larger than {text_files.LARGEST_FILE // 1024 // 1024} MB.")
        # Before the table of contents is read as a whole: a million entries take hundreds of megabytes.
        seen = before + block
        entries += seen.count(_ENTRY)
        if entries > _MOST_MARKS:
            raise _too_many_parts()
        before = seen[1 - len(_ENTRY) :]
        target.write(block)
    target.seek(0)


def _too_many_parts() -> Invalid:
    return unreadable("file_unpacks_too_large", "The workbook consists of too many parts.")


def _check_archive(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if len(entries) > _MOST_ENTRIES:
        raise _too_many_parts()
    if len(names) < len(entries):
        raise damaged()
    if any(entry.flag_bits & 1 for entry in entries):
        raise unreadable("file_encrypted", "The workbook is protected by a password.")
    if not {"[Content_Types].xml", "xl/workbook.xml"} <= names:
        raise unreadable("file_not_supported", "Neither CSV nor a workbook of Excel's (XLSX).")
    total = 0
    for entry in entries:
        size = 0
        with archive.open(entry) as content:
            # Counted, not read off the entry's header: that is the sender's claim.
            while block := content.read(BLOCK):
                size += len(block)
                total += len(block)
                too_dense = size > _SMALL_ENTRY and size > _HIGHEST_RATIO * max(entry.compress_size, 1)
                if too_dense or total > MOST_UNPACKED:
                    raise unreadable("file_unpacks_too_large", "The workbook unpacks to far more than it is.")
                if not total % (64 * BLOCK):
                    time.sleep(0)  # lets other green threads run


def _read(archive: zipfile.ZipFile, target: BinaryIO, sheet: str | None) -> Table:
    book = Book(archive)
    wanted = [place for place in book.sheets if sheet in (None, place.name)]
    if not wanted:
        raise Invalid("unknown_sheet", fields=[{"field": "sheet", "message": "The workbook has no such sheet."}])
    with SharedTexts.of(archive) as texts:
        for place in wanted:
            target.seek(0)
            target.truncate()
            if _write_sheet(archive, place, texts, book, target):
                target.seek(0)
                return Table(place.name, [each.name for each in book.sheets])
    raise unreadable("file_empty", "No sheet of the workbook has rows.")


def _write_sheet(archive: zipfile.ZipFile, place: Sheet, texts: SharedTexts, book: Book, target: BinaryIO) -> int:
    """Writes one sheet's rows, each as wide as the first; returns how many there are."""
    output = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(output)
    width = count = 0
    for row in _rows(archive, place, texts, book):
        if not count:
            width = len(row)
        writer.writerow(row + [""] * (width - len(row)))
        count += 1
        if count > text_files.MOST_ROWS + 1:
            raise unreadable("file_too_many_rows", f"More than {text_files.MOST_ROWS} rows.")
    output.flush()
    output.detach()
    return count


def _rows(archive: zipfile.ZipFile, place: Sheet, texts: SharedTexts, book: Book) -> Iterator[list[str]]:
    """The rows that are not blank."""
    found = SheetReader(texts, book)
    with archive.open(place.path) as content:
        parser = parser_for(found)
        while block := content.read(BLOCK):
            parser.Parse(block, False)
            if found.rows:
                yield from found.rows
                found.rows.clear()
            time.sleep(0)  # lets other green threads run
        parser.Parse(b"", True)
    yield from found.rows
