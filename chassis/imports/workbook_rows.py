"""A sheet of a workbook (XLSX) as rows of texts."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any

from chassis.imports import text_files
from chassis.imports.text_files import unreadable
from chassis.imports.workbook_parts import Book, SharedTexts, damaged

_WHOLE = re.compile(r"-?\d{1,15}")


@dataclass
class SheetReader:
    """Reads `row` and `c` elements into rows of texts."""

    texts: SharedTexts
    book: Book
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
        if self._place >= text_files.MOST_COLUMNS:
            raise unreadable("file_too_many_columns", f"More than {text_files.MOST_COLUMNS} columns.")
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
            from openpyxl.utils.datetime import from_excel

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
                raise damaged()
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
