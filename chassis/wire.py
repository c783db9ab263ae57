"""Loading and dumping wire values by a contract's schemas."""

from __future__ import annotations

import functools
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields

from chassis.swift_schemas import SwiftSchema
from contracts.base import Event


@functools.cache
def strict(schema: type[Schema]) -> SwiftSchema:
    """The schema as its owner applies it: an unknown field is an error."""
    return SwiftSchema(schema(unknown=RAISE))


@functools.cache
def lenient(schema: type[Schema]) -> SwiftSchema:
    """The schema as a reader applies it: unknown fields are left out at every depth, so that additions keep v1."""
    instance = schema(unknown=EXCLUDE)
    _exclude_unknown(instance)
    return SwiftSchema(instance)


def _exclude_unknown(schema: Schema) -> None:
    for field in schema.fields.values():
        inner: Any = field
        while isinstance(inner, fields.List | fields.Dict):
            inner = inner.inner if isinstance(inner, fields.List) else inner.value_field
        if isinstance(inner, fields.Nested):
            inner.unknown = EXCLUDE
            inner.schema.unknown = EXCLUDE
            _exclude_unknown(inner.schema)


def event_data(event: Event, data: dict[str, Any]) -> dict[str, Any]:
    """An event's data as wire values. Raises `ValueError`, which names fields but no values, if it does not fit."""
    schema = strict(event.data)
    if unknown := set(data) - set(schema.fields):
        raise ValueError(f"{event.name} has no {', '.join(sorted(unknown))}")
    try:
        wire: dict[str, Any] = schema.dump(data)
        schema.load(wire)
    except ValidationError as error:
        raise ValueError(f"{event.name} refuses {error.messages}") from error
    except (ValueError, TypeError, AttributeError) as error:
        # Its message may quote the value.
        raise ValueError(f"{event.name} cannot hold this data: {type(error).__name__}") from None
    return wire
