"""The shape of a field that a firm defines: on a type of case, and on its clients."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Flag, Text

FIELD_TYPES = ("text", "number", "date", "yes_no", "choice", "choices", "money")


class CustomField(Schema):
    """A field that a firm adds to its records. `options` only for choice and choices."""

    key = fields.String(
        required=True, validate=validate.Regexp(r"^[a-z][a-z0-9_]{0,59}$", error="Not a key like court_date.")
    )
    label = Text(longest=120, shortest=1, required=True)
    type = Choice(*FIELD_TYPES, required=True)
    required = Flag(load_default=False)
    sensitive = Flag(load_default=False)
    options = fields.List(Text(longest=120, shortest=1), load_default=list, validate=validate.Length(max=200))
