"""What every service holds about a client, for the archive that a person may ask for: page by page, plain records."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Id, Operation, Text
from contracts.errors import Gone, Invalid, NotFound, Unavailable


class ExportClientData(Schema):
    """`cursor`: where the page before ended; null for the first."""

    client_id = Id(required=True)
    limit = fields.Integer(strict=True, load_default=200, validate=validate.Range(min=1, max=500))
    cursor = Text(longest=200, load_default=None, allow_none=True)


class ExportedEntry(Schema):
    """`kind` says what it is, in the owner's words, such as `delivery`; `data` is JSON as it is read by a machine."""

    kind = fields.String()
    data = fields.Dict()


class ExportedFile(Schema):
    """A file in the object store, and what it is called in the archive."""

    file_key = fields.String()
    name = fields.String()


class ExportedPage(Schema):
    entries = fields.List(fields.Nested(ExportedEntry))
    files = fields.List(fields.Nested(ExportedFile))
    next_cursor = fields.String(allow_none=True)


def export_operation(owner: str) -> Operation:
    """The operation by which a service hands out what it holds about a client."""
    return Operation(
        owner, "export_client_data", ExportClientData, ExportedPage, (NotFound, Gone, Invalid, Unavailable),
        deadline=20.0, permission="clients.export_data", repeatable=True,
        example={"client_id": "018f4e9a-0000-7000-8000-000000000010"},
    )  # fmt: skip
