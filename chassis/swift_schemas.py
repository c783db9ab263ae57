"""Schemas that load and dump as marshmallow does, several times as fast.

A schema's fields become plain functions once. What a function does not know for certain, another type, a value that
might be refused, a field that is missing or unknown, it leaves to marshmallow itself, and so every error too: nothing
passes here that would not pass there.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, missing, validate

from contracts.base import CANONICAL_ID, Id, Instant

Loader = Callable[[Any], Any]
"""From a wire value to a Python value, or Unsure."""
Dumper = Callable[[Any, str, Any], Any]
"""From a Python value, with the name and the object that it was found in, to a wire value."""

_WIRE_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


class Unsure(Exception):
    """The schema itself must decide."""


class SwiftSchema:
    """A schema as it is applied: `load` and `dump` give, and raise, what the schema's own would."""

    def __init__(self, schema: Schema, unknown: Any = None) -> None:
        self.schema = schema
        self._unknown: Any = unknown or schema.unknown
        self._loaders = _loaders(schema) if self._unknown in (RAISE, EXCLUDE) else None
        self._dumpers = _dumpers(schema)

    @property
    def fields(self) -> Mapping[str, fields.Field[Any]]:
        """The schema's fields by name."""
        return self.schema.fields

    def load(self, data: Any) -> Any:
        """Wire values to Python values. Raises ValidationError."""
        try:
            return self.load_surely(data)
        except Unsure:
            return self.schema.load(data, unknown=self._unknown)

    def dump(self, obj: Any) -> Any:
        """Python values to wire values."""
        if self._dumpers is None or type(obj) is not dict:
            return self.schema.dump(obj)
        wire: dict[str, Any] = {}
        for key, name, attribute, dumper, field in self._dumpers:
            if attribute in obj:
                wire[key] = dumper(obj[attribute], name, obj)
                continue
            value = field.serialize(name, obj, accessor=self.schema.get_attribute)
            if value is not missing:
                wire[key] = value
        return wire

    def load_surely(self, data: Any) -> dict[str, Any]:
        """`load` of what is certainly right. Raises Unsure."""
        if self._loaders is None or type(data) is not dict:
            raise Unsure
        loaded: dict[str, Any] = {}
        known = 0
        for key, attribute, loader, default in self._loaders:
            if key in data:
                known += 1
                loaded[attribute] = loader(data[key])
            elif default is Unsure:
                raise Unsure
            elif default is not missing:
                loaded[attribute] = default() if callable(default) else default
        if known != len(data) and self._unknown == RAISE:
            raise Unsure
        return loaded


def _plain(schema: Schema, *overridable: str) -> bool:
    """Whether a schema has nothing but its fields."""
    inherited = all(getattr(type(schema), name) is getattr(Schema, name) for name in overridable)
    return inherited and not any(schema._hooks.values()) and not schema.many and schema.dict_class is dict


def _loaders(schema: Schema) -> list[tuple[str, str, Loader, Any]] | None:
    if not _plain(schema, "load", "_do_load", "_deserialize") or schema.partial:
        return None
    found = []
    for name, field in schema.load_fields.items():
        attribute = field.attribute or name
        if "." in attribute or not field._CHECK_ATTRIBUTE:
            return None
        default = Unsure if field.required else field.load_default
        found.append((name if field.data_key is None else field.data_key, attribute, _loader(field), default))
    return found


def _dumpers(schema: Schema) -> list[tuple[str, str, str, Dumper, fields.Field[Any]]] | None:
    if not _plain(schema, "dump", "_serialize", "get_attribute"):
        return None
    found = []
    for name, field in schema.dump_fields.items():
        attribute = name if field.attribute is None else field.attribute
        if "." in attribute or type(field).serialize is not fields.Field.serialize or not field._CHECK_ATTRIBUTE:
            return None
        found.append((name if field.data_key is None else field.data_key, name, attribute, _dumper(field), field))
    return found


# Loading


def _loader(field: fields.Field[Any]) -> Loader:
    convert = None
    if type(field).deserialize is fields.Field.deserialize and not field.pre_load and not field.post_load:
        convert = _converter(field)
    if convert is None:
        return _by_the_field(field)
    sure, checks, none_is_right = convert, [_check(entry) for entry in field.validators], field.allow_none
    if not checks and not none_is_right and type(field)._deserialize is not fields.Field._deserialize:
        return sure  # None is not of its type

    def load(value: Any) -> Any:
        if value is None:
            if none_is_right:
                return None
            raise Unsure
        loaded = sure(value)
        for passes in checks:
            if not passes(loaded):
                raise Unsure
        return loaded

    return load


def _by_the_field(field: fields.Field[Any]) -> Loader:
    def load(value: Any) -> Any:
        try:
            return field.deserialize(value)
        except ValidationError as error:
            raise Unsure from error

    return load


def _converter(field: fields.Field[Any]) -> Loader | None:
    """What the field's type does to a value that it certainly takes; None if that is not known here."""
    own = type(field)._deserialize
    if own is Id._deserialize:
        return _load_id
    if own is Instant._deserialize:
        return _load_instant if field.format in (None, "iso") else None  # type: ignore[attr-defined]
    if own is fields.String._deserialize:
        return _exactly(str)
    if isinstance(field, fields.Integer) and type(field)._validated is fields.Integer._validated:
        return _exactly(int)
    if isinstance(field, fields.Boolean):
        return _exactly(bool) if True in field.truthy and False in field.falsy else None
    if own is fields.Field._deserialize:
        return lambda value: value
    if type(field) is fields.List:
        return _load_list(_loader(field.inner))
    if type(field) is fields.Nested:
        return _load_nested(field)
    return None


def _exactly(kind: type) -> Loader:
    def load(value: Any) -> Any:
        if type(value) is not kind:
            raise Unsure
        return value

    return load


def _load_id(value: Any) -> Any:
    if type(value) is not str or not CANONICAL_ID.fullmatch(value):
        raise Unsure
    return value


def _load_instant(value: Any) -> Any:
    if type(value) is not str or not _WIRE_INSTANT.fullmatch(value):
        raise Unsure
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError as error:
        raise Unsure from error


def _load_list(inner: Loader) -> Loader:
    def load(value: Any) -> Any:
        if type(value) is not list:
            raise Unsure
        return [inner(each) for each in value]

    return load


def _load_nested(field: fields.Nested) -> Loader:
    made: list[SwiftSchema] = []

    def load(value: Any) -> Any:
        if not made:  # not before it is needed: a schema may hold itself
            made.append(SwiftSchema(field.schema, field.unknown))
        return made[0].load_surely(value)

    return load


def _check(validator: Any) -> Callable[[Any], bool]:
    """Whether a value passes a validator."""
    if type(validator) is validate.Length:
        least, most, equal = validator.min or 0, validator.max, validator.equal
        if equal is None:
            return lambda value: least <= len(value) and (most is None or len(value) <= most)
    if type(validator) is validate.ContainsNoneOf and isinstance(validator.iterable, str):
        forbidden = validator.iterable
        return lambda value: isinstance(value, str) and not any(letter in value for letter in forbidden)

    def passes(value: Any) -> bool:
        try:
            validator(value)
        except ValidationError:
            return False
        return True

    return passes


# Dumping


def _dumper(field: fields.Field[Any]) -> Dumper:
    own = type(field)._serialize
    if own is fields.Field._serialize:
        return lambda value, name, obj: value
    if type(field) is fields.List:
        inner = _dumper(field.inner)

        def dump_list(value: Any, name: str, obj: Any) -> Any:
            return None if value is None else [inner(each, name, obj) for each in value]

        return dump_list
    if type(field) is fields.Nested:
        return _dump_nested(field)
    as_it_is = {fields.String._serialize: str, fields.Number._serialize: int}.get(own)
    if isinstance(field, fields.Number) and (not isinstance(field, fields.Integer) or field.as_string):
        as_it_is = None
    if as_it_is is None:
        return field._serialize

    def dump(value: Any, name: str, obj: Any) -> Any:
        return value if value is None or type(value) is as_it_is else field._serialize(value, name, obj)

    return dump


def _dump_nested(field: fields.Nested) -> Dumper:
    made: list[SwiftSchema] = []

    def dump(value: Any, name: str, obj: Any) -> Any:
        if value is None:
            return None
        if not made:
            made.append(SwiftSchema(field.schema))
        return made[0].schema.dump(value, many=True) if field.many else made[0].dump(value)

    return dump
