"""Lists handed out as CSV: fetched page by page while they are sent, so that their length costs no memory."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from flask import Response, g

from chassis.cells import neutral_text
from chassis.context import use
from contracts.base import Operation

PAGE = 200
MARK = "\ufeff"
"""At the beginning, so that Excel takes the file for UTF-8."""


def csv_of_list(
    operation: Operation,
    query: Mapping[str, Any],
    *,
    filename: str,
    columns: Iterable[str],
    cells_of: Callable[[dict[str, Any]], Mapping[str, Any]],
) -> Response:
    """The whole of a list, by `columns`. `cells_of` gives a record's values by the columns' names; null is empty, and
    what a sheet would take for a formula is neutralised.

    Raises what the first page raises. A page that fails later breaks the transfer off, so that nobody takes a part for
    the whole.
    """
    # The answer outlives its request, and with it what the request knows.
    fetch, context = getattr(getattr(g.calls, operation.owner), operation.name), g.context
    names = list(columns)
    first = fetch(**query, limit=PAGE)

    def pages() -> Iterator[dict[str, Any]]:
        page = first
        while True:
            yield page
            cursor = page["meta"]["next_cursor"]
            if cursor is None:
                return
            with use(context):
                page = fetch(**query, limit=PAGE, cursor=cursor)

    def lines() -> Iterator[str]:
        yield MARK + written([names])
        for page in pages():
            yield written(_row(names, cells_of(record)) for record in page["data"])

    return attachment(lines(), "text/csv; charset=utf-8", filename)


def attachment(parts: Iterable[str] | Iterable[bytes], content_type: str, filename: str) -> Response:
    """What is sent part by part, to be kept as a file."""
    response = Response(parts, content_type=content_type)
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


def name_attachment(response: Response, filename: str) -> None:
    """Says that the answer is to be kept as a file of this name. A header holds ASCII alone: other letters are said
    besides, as RFC 8187 has them."""
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode().strip()
    names = {"filename": plain if not plain.startswith(".") else f"file{plain}"}
    if plain != filename:
        names["filename*"] = f"UTF-8''{quote(filename, safe='')}"
    response.headers.set("Content-Disposition", "attachment", **names)


def _row(names: list[str], cells: Mapping[str, Any]) -> list[str]:
    return ["" if cells.get(name) is None else neutral_text(str(cells[name])) for name in names]


def written(rows: Iterable[list[str]]) -> str:
    """Rows as the lines of a CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
