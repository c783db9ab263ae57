"""/v1/clients/export.csv and export.xlsx: the clients that a list's filters mean, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from flask import Response, g
from flask_smorest import Blueprint

from chassis.context import use
from chassis.workbooks import CONTENT_TYPE, workbook
from contracts import clients
from gateway.endpoints import permitted, query_arguments
from gateway.tables import MARK, attachment, written

blueprint = Blueprint("exports", __name__, url_prefix="/v1/clients", description="People and businesses, as a table.")
BINARY = {"type": "string", "format": "binary"}


@blueprint.route("/export.csv", methods=["GET"])
@permitted(clients.LIST_EXPORT_ROWS)
@query_arguments(blueprint, clients.ClientQuery)
@blueprint.response(200, BINARY, content_type="text/csv")
def export_csv(query: dict[str, Any]) -> Response:
    """The clients that the list's filters mean, as CSV. An import understands its columns."""
    columns, pages = _table(query)

    def lines() -> Iterator[str]:
        yield MARK + written([columns])
        yield from pages

    return attachment(lines(), "text/csv; charset=utf-8", "clients.csv")


@blueprint.route("/export.xlsx", methods=["GET"])
@permitted(clients.LIST_EXPORT_ROWS)
@query_arguments(blueprint, clients.ClientQuery)
@blueprint.response(200, BINARY, content_type=CONTENT_TYPE)
def export_xlsx(query: dict[str, Any]) -> Response:
    """The clients that the list's filters mean, as a workbook; a million to a sheet."""
    columns, pages = _table(query)
    rows = (row for page in pages for row in csv.reader(io.StringIO(page, newline="")))
    return attachment(workbook(columns, rows), CONTENT_TYPE, "clients.xlsx")


def _table(query: dict[str, Any]) -> tuple[list[str], Iterator[str]]:
    """The columns, and the rows as CSV page by page: fetched while they are sent, so that their number costs no memory.

    Raises what the first page raises. A page that fails later breaks the transfer off, so that nobody takes a part for
    the whole.
    """
    # The answer outlives its request, and with it what the request knows.
    calls, context = g.calls.clients, g.context
    columns: list[str] = calls.list_export_columns(**query)["columns"]
    first = calls.list_export_rows(**query, columns=columns)

    def pages() -> Iterator[str]:
        page = first
        while True:
            yield page["rows"]
            if page["after"] is None:
                return
            with use(context):
                page = calls.list_export_rows(**query, columns=columns, after=page["after"])

    return columns, pages()
