"""Clients as a table: what is filtered, in columns that an import understands by the same names."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Id, Operation, Text
from contracts.clients.common import A_CLIENT, OWNER
from contracts.clients.finding import ClientQuery
from contracts.errors import Invalid, NotFound


class ExportColumns(Schema):
    """The columns that the clients fill: of a list as many as the client with the most has entries."""

    columns = fields.List(fields.String())


class ListExportRows(ClientQuery):
    """`after`: the last client of the page before."""

    columns = fields.List(Text(longest=200), required=True, validate=validate.Length(min=1, max=1000))
    after = Id(load_default=None, allow_none=True)


class ExportRows(Schema):
    """A page of clients, the oldest first. `rows`: the lines of a CSV without its header; what a sheet would take for a
    formula is neutralised. `after` asks for the next page; null at the end."""

    rows = fields.String()
    after = Id(allow_none=True)


LIST_EXPORT_COLUMNS = Operation(
    OWNER, "list_export_columns", ClientQuery, ExportColumns, (Invalid, NotFound), deadline=60.0,
    permission="clients.read", example={"status": "active"},
)  # fmt: skip
LIST_EXPORT_ROWS = Operation(
    OWNER, "list_export_rows", ListExportRows, ExportRows, (Invalid, NotFound), deadline=30.0,
    permission="clients.read", example={"status": "active", "columns": ["id", "first_name"], "after": A_CLIENT},
)  # fmt: skip
