"""The parts of a workbook (XLSX) beside its rows: its list of sheets, its styles, and the texts that cells share."""

from __future__ import annotations

import mmap
import posixpath
import re
import tempfile
import time
import zipfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any
from xml.parsers import expat

from defusedxml.ElementTree import fromstring

from chassis.imports.text_files import unreadable
from contracts.errors import Invalid

BLOCK = 64 * 1024
"""Bytes that are read at once."""
MOST_SHEETS = 100
_MOST_TEXTS = 4_000_000
_LARGEST_PART = 16 * 1024 * 1024
"""Of the parts that are read as a whole: the list of sheets, and the styles."""
_ZEROS = re.compile(r"0{2,15}")


def damaged() -> Invalid:
    return unreadable("file_damaged", "The workbook is damaged or was cut off.")


def parser_for(handler: Any) -> Any:
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
    raise damaged()


@dataclass(frozen=True)
class Sheet:
    name: str
    path: str


class Book:
    """The workbook's list of sheets, and what its styles make of numbers."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        # Only where a workbook is read: openpyxl is a slow import, of 180 modules.
        from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

        names = set(archive.namelist())
        root = fromstring(_part(archive, "xl/workbook.xml"), forbid_dtd=True)
        targets = _targets(archive, names)
        self.sheets: list[Sheet] = []
        self.epoch = CALENDAR_WINDOWS_1900
        for element in root.iter():
            kind = _local(element.tag)
            if kind == "workbookPr" and element.get("date1904") in ("1", "true"):
                self.epoch = CALENDAR_MAC_1904
            elif kind == "sheet":
                link = next((value for name, value in element.attrib.items() if _local(name) == "id"), "")
                path = targets.get(link, "")
                if path in names:
                    self.sheets.append(Sheet(element.get("name", ""), path))
        if len(self.sheets) > MOST_SHEETS:
            raise unreadable("file_too_many_sheets", f"More than {MOST_SHEETS} sheets.")
        self.dates: set[str] = set()
        self.zeros: dict[str, int] = {}
        if "xl/styles.xml" in names:
            self._read_styles(fromstring(_part(archive, "xl/styles.xml"), forbid_dtd=True))

    def _read_styles(self, root: Any) -> None:
        from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format

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


class SharedTexts:
    """The texts that cells share, by their numbers: on disk, for a sheet of names may hold a million."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = array("Q", [0])
        self._map: Any = b""

    @classmethod
    @contextmanager
    def of(cls, archive: zipfile.ZipFile) -> Iterator[SharedTexts]:
        """Those of a workbook, while it is open."""
        with tempfile.TemporaryFile() as file, ExitStack() as stack:
            texts = cls(file)
            if "xl/sharedStrings.xml" in archive.namelist():
                parser = parser_for(_TextReader(texts._add))
                content = stack.enter_context(archive.open("xl/sharedStrings.xml"))
                while block := content.read(BLOCK):
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
            raise damaged()
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
