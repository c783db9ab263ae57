"""The file of an import: its encoding, its delimiter, its header, and its rows one after the other.

A file that cannot be read is refused whole. It is read as a stream, twice: to judge it, and to take its rows.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, dropwhile, islice
from typing import IO, Any

import charset_normalizer

from contracts.errors import Invalid

LARGEST_FILE = 50 * 1024 * 1024
MOST_ROWS = 200_000
MOST_COLUMNS = 500
_LONGEST_LINE = 1024 * 1024
_LONGEST_COLUMN_NAME = 200
_BLOCK = 64 * 1024
_SAMPLE = 256 * 1024
_SAMPLE_ROWS = 50
_ROWS_AT_ONCE = 1000
_FEWEST_BELOW_A_TITLE = 3
"""So many cells of a row are filled where the one text above them names no column."""
_DELIMITERS = (",", ";", "\t", "|")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LEGACY = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1257",
    "mac_roman",
    "cp932",
    "gb18030",
    "big5",
    "euc_kr",
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_LIKE_DATA = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[+(]?\d[\d\s().\-/]{6,}")


@dataclass(frozen=True)
class Layout:
    """How a file is read. `columns` are its header's names, each once; `rows` counts without header and blank lines;
    `sample` holds the first of them."""

    encoding: str
    delimiter: str
    columns: list[str]
    rows: int
    sample: list[list[str]] = field(default_factory=list, compare=False)


def unreadable(code: str, message: str, **meta: object) -> Invalid:
    """The error that refuses a file; it names `file`."""
    return Invalid(code, fields=[{"field": "file", "message": message}], **meta)


def detect_encoding(stream: IO[bytes]) -> str:
    """The encoding of a file, read to its end. Raises Invalid `file_empty`, `file_too_large`, `file_not_supported`,
    `file_wrong_encoding` or `file_damaged`."""
    block = stream.read(_BLOCK)
    if not block:
        raise unreadable("file_empty", "The file is empty.")
    if block.startswith(b"\xd0\xcf\x11\xe0"):
        raise unreadable("file_not_supported", "An old or a protected workbook. Save it as XLSX without a password.")
    marked = next((encoding for mark, encoding in _MARKS if block.startswith(mark)), None)
    decoder = codecs.getincrementaldecoder(marked or "utf-8")()
    sample, size, is_valid, has_accents = b"", 0, True, False
    while block:
        size += len(block)
        if size > LARGEST_FILE:
            raise unreadable("file_too_large", f"Larger than {LARGEST_FILE // 1024 // 1024} MB.")
        text = _decoded(decoder, block) if is_valid else None
        is_valid = text is not None
        has_accents = has_accents or not (text or "").isascii()
        if b"\0" in block and not (marked or "").startswith("utf-16"):
            raise wrong_encoding()
        # Once it is known not to be UTF-8, what follows is the better sample: it holds the first strange byte.
        if len(sample) < _SAMPLE and not block.isascii():
            sample += block
        block = stream.read(_BLOCK)
        time.sleep(0)  # lets other green threads run
    if is_valid and _decoded(decoder, b"", final=True) is not None:
        return marked or "utf-8"
    if is_valid and (marked or has_accents):
        # Of a file without any accent before, its last byte may as well be the only one of an older encoding.
        raise unreadable("file_damaged", "The file ends in the middle of a character: it was cut off.")
    if marked:
        raise wrong_encoding()
    return _legacy_encoding(sample)


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> str | None:
    try:
        return decoder.decode(block, final)
    except UnicodeDecodeError:
        return None


def _legacy_encoding(sample: bytes) -> str:
    matches = charset_normalizer.from_bytes(sample, cp_isolation=list(_LEGACY))
    likely = [name for match in matches for name in (match.encoding, *match.could_be_from_charset)]
    # The guess between relatives of Latin-1 is a coin's toss; Windows' own is by far the most frequent.
    chosen = "cp1252" if "cp1252" in likely else next(iter(likely), None)
    if chosen is None or _CONTROLS.search(sample.decode(chosen, errors="ignore")):
        raise wrong_encoding()
    return chosen


def wrong_encoding() -> Invalid:
    """The error for bytes that decode to nothing sensible."""
    return unreadable("file_wrong_encoding", "The text cannot be decoded. Save the file as CSV in UTF-8.")


def read_layout(stream: IO[bytes], encoding: str, delimiter: str | None = None) -> Layout:
    """The header of a file and the number of its rows, read to its end. An unstated delimiter is told by the header, or
    where that has none by the rows.

    Raises Invalid `file_no_header`, `file_no_rows`, `file_too_many_columns`, `file_too_many_rows`,
    `file_cell_too_large` or `file_open_quote` with the row, or `file_wrong_encoding`.
    """
    lines = _lines(stream, encoding)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise unreadable("file_empty", "The file is empty.")
    below = [] if delimiter else list(islice(lines, _SAMPLE_ROWS))
    delimiter = delimiter or _delimiter(first, below)
    found = _numbered_rows(chain([first], below, lines), delimiter)
    header = next(found, (0, []))[1]
    columns = _column_names(header)
    rows = 0
    sample: list[list[str]] = []
    for rows, cells in found:
        if rows > MOST_ROWS:
            raise unreadable("file_too_many_rows", f"More than {MOST_ROWS} rows.")
        if rows <= _SAMPLE_ROWS:
            sample.append(cells)
        if not rows % _ROWS_AT_ONCE:
            time.sleep(0)  # lets other green threads run
    if not rows:
        raise unreadable("file_no_rows", "The file has a header and no rows.")
    if _filled(header) == 1 and any(_filled(cells) >= _FEWEST_BELOW_A_TITLE for cells in sample):
        # Columns may go without names, but one text above several of them is a title far more often.
        message = "The first row names one column of several: delete a title above their names, or name the others too."
        raise unreadable("file_no_header", message)
    return Layout(encoding, delimiter, columns, rows, sample)


def _filled(cells: list[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


def _delimiter(header: str, below: Sequence[str]) -> str:
    """The delimiter that makes the most columns of a header, or of a table below it where none makes any: then it is a
    title."""
    try:
        columns = {candidate: len(next(csv.reader([header], delimiter=candidate))) for candidate in _DELIMITERS}
    except csv.Error as error:
        raise cell_too_large(0) from error
    if max(columns.values()) == 1:
        columns = {candidate: _table_width(below, candidate) for candidate in _DELIMITERS}
    return max(_DELIMITERS, key=columns.__getitem__)


def _table_width(lines: Sequence[str], delimiter: str) -> int:
    """How many cells each row has from the first with several on; 1 if they are too few, or not as many in each."""
    try:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if _filled(row)]
    except csv.Error:
        return 1  # whoever reads the rows one by one can say which it is
    table = list(dropwhile(lambda width: width == 1, widths))
    # A single row may as well be one cell with delimiters in it.
    is_table = len(table) > 1 and len(set(table)) == 1 and table[0] >= _FEWEST_BELOW_A_TITLE
    return table[0] if is_table else 1


def read_rows(stream: IO[bytes], encoding: str, delimiter: str, start: int = 0) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each row after the first `start` ones; numbers count from 1 without the header."""
    return islice(_numbered_rows(_lines(stream, encoding), delimiter), start + 1, None)


def _numbered_rows(lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, numbered; the header is 0."""
    number, at_end = 0, False

    def to_the_end() -> Iterator[str]:
        nonlocal at_end
        yield from lines
        at_end = True

    reader = csv.reader(to_the_end(), delimiter=delimiter)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise cell_too_large(number) from error
        if row is None:
            return
        if at_end:
            raise _open_quote(number)
        if len(row) > 1 or (row and row[0].strip()):
            yield number, row
            number += 1


def cell_too_large(row: int) -> Invalid:
    """The error for a cell that no sheet of clients has. `row` 0 is the header."""
    longest = csv.field_size_limit()
    return unreadable("file_cell_too_large", f"Row {row} holds a cell of more than {longest} characters.", row=row)


def _open_quote(row: int) -> Invalid:
    # Only within quotation marks a row goes on where its line ends.
    message = f"Row {row} opens a quotation mark that nothing closes: one is missing, or the file was cut off."
    return unreadable("file_open_quote", message, row=row)


def _lines(stream: IO[bytes], encoding: str) -> Iterator[str]:
    text = io.TextIOWrapper(io.BufferedReader(_Raw(stream), _BLOCK), encoding=encoding, newline="")
    number = 0
    while line := _next_line(text):
        if len(line) >= _LONGEST_LINE:
            raise cell_too_large(number)
        if "\0" in line:
            raise wrong_encoding()
        yield line
        number += 1


def _next_line(text: io.TextIOWrapper) -> str:
    try:
        return text.readline(_LONGEST_LINE)
    except UnicodeDecodeError as error:
        raise wrong_encoding() from error


class _Raw(io.RawIOBase):
    """A view of a stream, which stays open when the view goes: it is its owner's."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _column_names(header: list[str]) -> list[str]:
    """The header's cells as names, each once: a blank one is called by its place, a repeated one is numbered."""
    if len(header) > MOST_COLUMNS:
        raise unreadable("file_too_many_columns", f"More than {MOST_COLUMNS} columns.", columns=len(header))
    cells = [" ".join(cell.split()) for cell in header]
    # First: what is long takes the expression below long, too.
    if any(len(cell) > _LONGEST_COLUMN_NAME for cell in cells):
        raise unreadable("file_no_header", f"A column's name is longer than {_LONGEST_COLUMN_NAME} characters.")
    if not any(cells) or any(_LIKE_DATA.fullmatch(cell) for cell in cells):
        raise unreadable("file_no_header", "The first row does not hold the names of the columns.")
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name, count = cell or f"Column {place}", 1
        while name in names:
            count += 1
            name = f"{cell or f'Column {place}'} ({count})"
        names.append(name)
    return names
