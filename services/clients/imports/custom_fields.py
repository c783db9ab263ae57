"""The fields of the firm's own that an import fills, with those that it defines. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chassis.custom_fields import Definition
from services.clients.models import ClientField


def fields_of_import(fields: Sequence[Definition], keys: Iterable[str]) -> list[Definition]:
    """The firm's fields, and as texts those that the import would define."""
    known = {field.key: field for field in fields}
    new = [key for key in keys if key not in known]
    # One that was removed comes back as it was.
    back = {key: _as_defined(known[key]) for key in keys if key in known and known[key].removed_at is not None}
    missing: list[Definition] = [ClientField(key=key, type="text", required=False, options=[]) for key in new]
    return [back.get(field.key, field) for field in fields] + missing


def _as_defined(field: Definition) -> ClientField:
    return ClientField(key=field.key, type=field.type, required=field.required, options=field.options)
