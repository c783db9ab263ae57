"""Workbooks (XLSX) written as a stream: a row needs no more memory than itself, and nothing is written to disk.

Every cell is a text, so that a number keeps its zeros. Whoever has cells of strangers neutralises them
(`chassis.cells`).
"""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_ROWS = 1_048_576
"""Rows that a sheet can have. What follows goes on another, under the same header."""
_LARGEST_SHEET = 1_800_000_000
"""Bytes of a sheet: at two gigabytes a ZIP would need another form, which not everybody reads."""
_ROWS_AT_ONCE = 100

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MADE_FOR = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# Whatever is XML and nothing else is a sheet: how many there are is known at the end only.
_TYPES = (
    f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="{_MADE_FOR}.worksheet+xml"/>'
    f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_MADE_FOR}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_MADE_FOR}.styles+xml"/></Types>'
)
_ROOT = (
    f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_LINKS}/officeDocument"'
    ' Target="xl/workbook.xml"/></Relationships>'
)
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/>'
    '<sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs'
    ' count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf numFmtId="49" applyNumberFormat="1"/><xf numFmtId="49"'
    ' fontId="1" applyNumberFormat="1" applyFont="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0"'
    ' builtinId="0"/></cellStyles></styleSheet>'
)
_BEGINNING = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2"'
    ' activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
_END = "</sheetData></worksheet>"
_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_WRITTEN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_UNFIT = "\ufffd"
"""In place of a character that XML cannot hold."""


def workbook(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The bytes of a workbook, part by part. An empty text is an empty cell."""
    outlet = _Outlet()
    left: Iterator[Sequence[str]] = iter(rows)
    sheets = 0
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _ROOT)
        archive.writestr("xl/styles.xml", _STYLES)
        while True:
            following = next(left, None)
            if sheets and following is None:
                break
            part = left if following is None else chain([following], left)
            sheets += 1
            with archive.open(f"xl/worksheets/sheet{sheets}.xml", "w") as target:
                for block in _sheet(header, part):
                    target.write(block)
                    yield outlet.taken()
                    time.sleep(0)  # lets other green threads run
        archive.writestr("xl/workbook.xml", _list_of(sheets))
        archive.writestr("xl/_rels/workbook.xml.rels", _links_to(sheets))
    yield outlet.taken()


def _sheet(header: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[bytes]:
    """A sheet's XML, of as many of the rows as it can hold."""
    parts = [_BEGINNING, _row(1, header, ' s="1"')]
    size, number = 0, 1
    while number < MOST_ROWS and size < _LARGEST_SHEET and (row := next(rows, None)) is not None:
        number += 1
        parts.append(_row(number, row))
        if not number % _ROWS_AT_ONCE:
            yield (block := "".join(parts).encode())
            size += len(block)
            parts = []
    yield "".join((*parts, _END)).encode()


def _row(number: int, cells: Sequence[str], style: str = "") -> str:
    written = [
        f'<c r="{_letters(place)}{number}"{style} t="inlineStr"><is><t xml:space="preserve">'
        f"{cell if _SPECIAL.search(cell) is None else _SPECIAL.sub(_escaped, cell)}</t></is></c>"
        for place, cell in enumerate(cells)
        if cell
    ]
    return f'<row r="{number}">{"".join(written)}</row>'


def _escaped(found: re.Match[str]) -> str:
    return _WRITTEN.get(found[0], _UNFIT)


@cache
def _letters(place: int) -> str:
    """The name of a column: A to Z, AA, …"""
    before, letter = divmod(place, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + letter)


def _list_of(sheets: int) -> str:
    listed = "".join(
        f'<sheet name="Sheet{number}" sheetId="{number}" r:id="rId{number}"/>' for number in range(1, sheets + 1)
    )
    return f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets>{listed}</sheets></workbook>'


def _links_to(sheets: int) -> str:
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{_LINKS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, sheets + 1)
    )
    styles = f'<Relationship Id="rId{sheets + 1}" Type="{_LINKS}/styles" Target="styles.xml"/>'
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{links}{styles}</Relationships>'


class _Outlet(io.RawIOBase):
    """What is written, until it is taken. It has no place to go back to, and the archive is written for that."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """All since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
