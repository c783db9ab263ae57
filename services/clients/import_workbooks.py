"""A workbook (XLSX) that is imported: checked before it is opened, and turned into a table of texts row by row.

It is a ZIP of XML files. Nothing in it is believed: entries are unpacked once to count what they really hold, a
document type is refused wherever it stands, and what grows with the file (the shared texts, the table) lies on disk.
Formulas are not run; of each cell the value is taken that was last shown.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import mmap
import posixpath
import re
import tempfile
import time
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO, cast
from xml.parsers import expat

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

from contracts.errors import Invalid
from services.clients import import_files
from services.clients.import_files import unreadable

BEGINNING = b"PK\x03\x04"
MOST_UNPACKED = 600 * 1024 * 1024
MOST_SHEETS = 100
_MOST_ENTRIES = 2000
_MOST_TEXTS = 4_000_000
_HIGHEST_RATIO = 250
_SMALL_ENTRY = 8 * 1024 * 1024
"""Up to this size an entry may be packed as tightly as it likes."""
_LARGEST_PART = 16 * 1024 * 1024
"""Of the parts that are read as a whole: the list of sheets, and the styles."""
_BLOCK = 64 * 1024
_IN_MEMORY = 1024 * 1024

_WHOLE = re.compile(r"-?\d{1,15}")
_ZEROS = re.compile(r"0{2,15}")


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
            raise _damaged() from error


_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, expat.ExpatError, ParseError, DefusedXmlException,
    ValueError,
)  # fmt: skip
"""What the libraries raise for a file that is not what it says."""


def _damaged() -> Invalid:
    return unreadable("file_damaged", "The workbook is damaged or was cut off.")


def _copy(stream: IO[bytes], target: IO[bytes]) -> None:
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > import_files.LARGEST_FILE:
            raise unreadable("file_too_large", f"Larger than {import_files.LARGEST_FILE // 1024 // 1024} MB.")
        target.write(block)
    target.seek(0)


def _check_archive(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if len(entries) > _MOST_ENTRIES:
        raise unreadable("file_unpacks_too_large", "The workbook consists of too many parts.")
    if len(names) < len(entries):
        raise _damaged()
    if any(entry.flag_bits & 1 for entry in entries):
        raise unreadable("file_encrypted", "The workbook is protected by a password.")
    if not {"[Content_Types].xml", "xl/workbook.xml"} <= names:
        raise unreadable("file_not_supported", "Neither CSV nor a workbook of Excel's (XLSX).")
    total = 0
    for entry in entries:
        size = 0
        with archive.open(entry) as content:
            # Counted, not read off the entry's header: that is the sender's claim.
            while block := content.read(_BLOCK):
                size += len(block)
                total += len(block)
                too_dense = size > _SMALL_ENTRY and size > _HIGHEST_RATIO * max(entry.compress_size, 1)
                if too_dense or total > MOST_UNPACKED:
                    raise unreadable("file_unpacks_too_large", "The workbook unpacks to far more than it is.")
                if not total % (64 * _BLOCK):
                    time.sleep(0)  # lets other green threads run


def _read(archive: zipfile.ZipFile, target: BinaryIO, sheet: str | None) -> Table:
    book = _Book(archive)
    wanted = [place for place in book.sheets if sheet in (None, place.name)]
    if not wanted:
        raise Invalid("unknown_sheet", fields=[{"field": "sheet", "message": "The workbook has no such sheet."}])
    with _Texts.of(archive) as texts:
        for place in wanted:
            target.seek(0)
            target.truncate()
            if _write_sheet(archive, place, texts, book, target):
                target.seek(0)
                return Table(place.name, [each.name for each in book.sheets])
    raise unreadable("file_empty", "No sheet of the workbook has rows.")


def _write_sheet(archive: zipfile.ZipFile, place: _Sheet, texts: _Texts, book: _Book, target: BinaryIO) -> int:
    """Writes one sheet's rows, each as wide as the first; returns how many there are."""
    output = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(output)
    width = count = 0
    for row in _rows(archive, place, texts, book):
        if not count:
            width = len(row)
        writer.writerow(row + [""] * (width - len(row)))
        count += 1
        if count > import_files.MOST_ROWS + 1:
            raise unreadable("file_too_many_rows", f"More than {import_files.MOST_ROWS} rows.")
    output.flush()
    output.detach()
    return count


def _rows(archive: zipfile.ZipFile, place: _Sheet, texts: _Texts, book: _Book) -> Iterator[list[str]]:
    """The rows that are not blank."""
    found = _SheetReader(texts, book)
    with archive.open(place.path) as content:
        parser = _parser(found)
        while block := content.read(_BLOCK):
            parser.Parse(block, False)
            if found.rows:
                yield from found.rows
                found.rows.clear()
            time.sleep(0)  # lets other green threads run
        parser.Parse(b"", True)
    yield from found.rows


def _parser(handler: Any) -> Any:
    """A parser that tells `handler` of `start(name, attributes)`, `end(name)` and `text(text)`."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    return parser


def _refuse_doctype(*_: object) -> None:
    # Entities, which read other files or grow without end, are declared there, and no workbook has one.
    raise _damaged()


@dataclass(frozen=True)
class _Sheet:
    name: str
    path: str


class _Book:
    """The workbook's list of sheets, and what its styles make of numbers."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        names = set(archive.namelist())
        root = fromstring(_part(archive, "xl/workbook.xml"), forbid_dtd=True)
        targets = _targets(archive, names)
        self.sheets: list[_Sheet] = []
        self.epoch = CALENDAR_WINDOWS_1900
        for element in root.iter():
            kind = _local(element.tag)
            if kind == "workbookPr" and element.get("date1904") in ("1", "true"):
                self.epoch = CALENDAR_MAC_1904
            elif kind == "sheet":
                link = next((value for name, value in element.attrib.items() if _local(name) == "id"), "")
                path = targets.get(link, "")
                if path in names:
                    self.sheets.append(_Sheet(element.get("name", ""), path))
        if len(self.sheets) > MOST_SHEETS:
            raise unreadable("file_too_many_sheets", f"More than {MOST_SHEETS} sheets.")
        self.dates: set[str] = set()
        self.zeros: dict[str, int] = {}
        if "xl/styles.xml" in names:
            self._read_styles(fromstring(_part(archive, "xl/styles.xml"), forbid_dtd=True))

    def _read_styles(self, root: Any) -> None:
        formats: dict[int, str] = dict(BUILTIN_FORMATS)
        for element in root.iter():
            if _local(element.tag) == "numFmt":
                formats[int(element.get("numFmtId", "0"))] = element.get("formatCode", "")
        styles = next((element for element in root if _local(element.tag) == "cellXfs"), ())
        for number, style in enumerate(styles):
            code = formats.get(int(style.get("numFmtId", "0")), "")
            if is_date_format(code):
                self.dates.add(str(number))
            elif _ZEROS.fullmatch(code):
                self.zeros[str(number)] = len(code)


def _targets(archive: zipfile.ZipFile, names: set[str]) -> dict[str, str]:
    """The parts of a workbook by the ids of its relationships. What lies outside the file is left out."""
    path = "xl/_rels/workbook.xml.rels"
    if path not in names:
        return {}
    root = fromstring(_part(archive, path), forbid_dtd=True)
    return {
        element.get("Id", ""): posixpath.normpath(posixpath.join("/xl", element.get("Target", ""))).lstrip("/")
        for element in root
        if element.get("TargetMode") != "External" and element.get("Type", "").endswith("/worksheet")
    }


def _part(archive: zipfile.ZipFile, path: str) -> bytes:
    with archive.open(path) as content:
        part = content.read(_LARGEST_PART + 1)
    if len(part) > _LARGEST_PART:
        raise unreadable("file_unpacks_too_large", "The workbook's styles or its list of sheets are too large.")
    return part


def _local(name: str) -> str:
    return name.rpartition("}")[2]


class _Texts:
    """The texts that cells share, by their numbers: on disk, for a sheet of names may hold a million."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = array("Q", [0])
        self._map: Any = b""

    @classmethod
    @contextmanager
    def of(cls, archive: zipfile.ZipFile) -> Iterator[_Texts]:
        """Those of a workbook, while it is open."""
        with tempfile.TemporaryFile() as file, ExitStack() as stack:
            texts = cls(file)
            if "xl/sharedStrings.xml" in archive.namelist():
                parser = _parser(_TextReader(texts._add))
                content = stack.enter_context(archive.open("xl/sharedStrings.xml"))
                while block := content.read(_BLOCK):
                    parser.Parse(block, False)
                    time.sleep(0)  # lets other green threads run
                parser.Parse(b"", True)
            file.flush()
            if texts._ends[-1]:
                texts._map = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            yield texts

    def _add(self, text: str) -> None:
        if len(self._ends) > _MOST_TEXTS:
            raise unreadable("file_unpacks_too_large", f"More than {_MOST_TEXTS} texts.")
        self._file.write(packed := text.encode())
        self._ends.append(self._ends[-1] + len(packed))

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self._ends) - 1:
            raise _damaged()
        return bytes(self._map[self._ends[number] : self._ends[number + 1]]).decode()


class _TextReader:
    """Reads `si` elements: the runs of a text, without how it is pronounced."""

    def __init__(self, add: Callable[[str], None]) -> None:
        self._add = add
        self._parts: list[str] = []
        self._taking = False
        self._beside = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "si":
            self._parts = []
        elif local == "rPh":
            self._beside += 1
        elif local == "t":
            self._taking = not self._beside

    def end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        if local == "t":
            self._taking = False
        elif local == "rPh":
            self._beside -= 1
        elif local == "si":
            self._add("".join(self._parts))

    def text(self, text: str) -> None:
        if self._taking:
            self._parts.append(text)


@dataclass
class _SheetReader:
    """Reads `row` and `c` elements into rows of texts."""

    texts: _Texts
    book: _Book
    rows: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._row: list[str] = []
        self._columns: dict[str, int] = {}
        self._place = -1
        self._kind: str | None = None
        self._style = ""
        self._parts: list[str] = []
        self._taking = False
        self._beside = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        if name == "c":
            self._kind, self._style, self._parts = attributes.get("t"), attributes.get("s", ""), []
            reference = attributes.get("r")
            self._place = self._place + 1 if reference is None else self._column(reference)
        elif name in ("v", "t"):
            self._taking = not self._beside
        elif name == "rPh":
            self._beside += 1
        elif name == "row":
            self._row, self._place = [], -1

    def end(self, name: str) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        if name == "c":
            if self._parts:
                self._take("".join(self._parts))
        elif name in ("v", "t"):
            self._taking = False
        elif name == "rPh":
            self._beside -= 1
        elif name == "row" and any(cell.strip() for cell in self._row):
            self.rows.append(self._row)

    def text(self, text: str) -> None:
        if self._taking:
            self._parts.append(text)

    def _take(self, value: str) -> None:
        text = self._shown(value)
        if not text:
            return
        if self._place >= import_files.MOST_COLUMNS:
            raise unreadable("file_too_many_columns", f"More than {import_files.MOST_COLUMNS} columns.")
        self._row += [""] * (self._place + 1 - len(self._row))
        self._row[self._place] = text

    def _shown(self, value: str) -> str:
        kind = self._kind
        if kind == "s":
            return self.texts[int(value)]
        if kind == "b":
            return "TRUE" if value.strip() == "1" else "FALSE"
        if kind is None or kind == "n":
            return self._number(value.strip())
        return value

    def _number(self, value: str) -> str:
        if self._style in self.book.dates:
            try:
                return _day(from_excel(float(value), self.book.epoch))
            except (ValueError, OverflowError):
                return value  # no day of the calendar
        if not _WHOLE.fullmatch(value):
            number = float(value)
            value = str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"
        zeros = self.book.zeros.get(self._style)
        return value.zfill(zeros) if zeros else value

    def _column(self, reference: str) -> int:
        """The number, from 0, of the column that a reference such as `AB12` names."""
        letters = reference.rstrip("0123456789")
        place = self._columns.get(letters)
        if place is None:
            if not 1 <= len(letters) <= 3 or not letters.isascii() or not letters.isalpha():
                raise _damaged()
            place = -1
            for letter in letters.upper():
                place = (place + 1) * 26 + ord(letter) - ord("A")
            self._columns[letters] = place
        return place


def _day(moment: Any) -> str:
    """A date as ISO 8601; with its time if it has one."""
    if isinstance(moment, dt.datetime):
        return moment.date().isoformat() if moment.time() == dt.time() else moment.isoformat(sep=" ")
    return str(moment.isoformat()) if isinstance(moment, dt.date | dt.time) else str(moment)
