"""How an operation and an event are declared, and the wire types they are made of.

Wire values are JSON primitives: ids and decimals as strings, instants as UTC ISO 8601. Loading gives Python values
(ids stay strings, instants become aware UTC datetimes); dumping gives wire values.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from contracts.errors import CasewireError

# Most ids are ours and canonical already; parsing each of the thousands in a bulk event costs ten times this look.
CANONICAL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Id(fields.String):
    """A UUID as a lower-case string with dashes."""

    default_error_messages = {"invalid_id": "Not a valid UUID."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if CANONICAL_ID.fullmatch(text):
            return text
        try:
            return str(uuid.UUID(text))
        except ValueError as error:
            raise self.make_error("invalid_id") from error


class Instant(fields.AwareDateTime):
    """An instant: aware datetime in Python, UTC ISO 8601 with `Z` on the wire. A value without a zone is refused."""

    default_error_messages = dict.fromkeys(
        ("invalid", "invalid_awareness"), "Not an instant with its zone, like 2026-01-31T15:00:00Z."
    )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dt.datetime:
        moment: dt.datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            return moment.astimezone(dt.UTC)
        except OverflowError as error:
            # The first and the last hours that a zone can name lie outside of all years in UTC.
            raise self.make_error("invalid") from error

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        moment: dt.datetime = value
        return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _encodable(value: str) -> None:
    # JSON can spell half of a character (`"\\ud800"`), which no database and no message can carry.
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("Holds half of a character.") from error


def _composed(longest: int) -> Callable[[str], None]:
    """Texts are kept in Unicode's NFC form, in which a few letters of India and of Hebrew are two or three."""

    def check(value: str) -> None:
        if not value.isascii() and len(value) <= longest < len(unicodedata.normalize("NFC", value)):
            raise ValidationError(f"Longer than maximum length {longest}, as it is kept.")

    return check


class Text(fields.String):
    """A string with a largest length (default 500 characters, also in NFC), no NUL and no half of a character."""

    def __init__(self, longest: int = 500, shortest: int = 0, **kwargs: Any) -> None:
        checks: list[Callable[[str], object]] = [
            validate.Length(min=shortest, max=longest),
            validate.ContainsNoneOf("\x00", error="Holds a NUL."),
            _encodable,
            _composed(longest),
        ]
        kwargs["validate"] = checks + list(kwargs.get("validate") or [])
        super().__init__(**kwargs)


class Choice(fields.String):
    """A string out of a fixed set."""

    def __init__(self, *options: str, **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf(options), **kwargs)


class Count(fields.Integer):
    """A whole number that is not negative; `"3"` and `3.0` are refused."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("validate", validate.Range(min=0))
        super().__init__(strict=True, **kwargs)


class Flag(fields.Boolean):
    """true or false; `"yes"` and `1` are refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Not a boolean.")
        return value


class Amount(fields.Decimal):
    """An amount of money: a string with two decimals on the wire. More decimals are refused, and not rounded away."""

    default_error_messages = {"too_precise": "At most 2 digits after the point."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(places=2, as_string=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        amount = super()._deserialize(value, attr, data, **kwargs)
        if Decimal(str(value)) != amount:
            raise self.make_error("too_precise")
        return amount


class Entries(fields.Dict):
    """An object whose keys are the caller's. What is wrong with an entry is said under its key: marshmallow says it
    under `key` or `value` in it, where the body has no such place."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[Any, Any]:
        try:
            entries: dict[Any, Any] = super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        except ValidationError as error:
            if not isinstance(error.messages, dict):
                raise
            raise ValidationError(
                {key: found.get("key") or found["value"] for key, found in error.messages.items()}
            ) from error
        return entries


def ids(largest: int, smallest: int = 0, **kwargs: Any) -> fields.List[str]:
    """A list of ids with a largest length."""
    return fields.List(Id(), validate=validate.Length(min=smallest, max=largest), **kwargs)


class Empty(Schema):
    """No arguments, or no answer."""


class PageRequest(Schema):
    """What every list takes. `sort` is a field name, with `-` for descending; what is allowed is the owner's."""

    limit = fields.Integer(strict=True, load_default=50, validate=validate.Range(min=1, max=200))
    cursor = Text(longest=2000, load_default=None, allow_none=True)
    sort = Text(longest=60, load_default=None, allow_none=True)


class PageMeta(Schema):
    """`total` is exact up to 10,000; above, it is 10,000 and `total_is_lower_bound` is true."""

    next_cursor = fields.String(allow_none=True)
    total = Count()
    total_is_lower_bound = fields.Boolean()


@functools.cache
def page_of(record: type[Schema]) -> type[Schema]:
    """The answer of a list: {"data": [record], "meta": PageMeta}."""
    return Schema.from_dict(
        {"data": fields.List(fields.Nested(record)), "meta": fields.Nested(PageMeta)}, name=f"{record.__name__}Page"
    )


class Progress(Schema):
    """How far long work has come."""

    done = Count()
    total = Count()


class Stamped(Schema):
    """What every record carries. `version` grows by one per change and makes the ETag."""

    id = Id()
    version = Count()
    created_at = Instant()
    updated_at = Instant()


@dataclass(frozen=True)
class Operation:
    """One RPC: `owner.name(**request) -> response`.

    `deadline` is in seconds. `firm` False marks the few operations that run before a firm is known (a credential, a
    link, a webhook). `permission` is what the gateway demands of the caller's role. `repeatable`: a request that was
    perhaps carried out may be carried out again, for that changes nothing more; of what only reads, that goes without
    saying. `example` is a request and `answer` a response that contract tests load at both ends.
    """

    owner: str
    name: str
    request: type[Schema] = Empty
    response: type[Schema] = Empty
    errors: tuple[type[CasewireError], ...] = ()
    deadline: float = 5.0
    firm: bool = True
    permission: str | None = None
    repeatable: bool = False
    example: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)
    answer: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"


@dataclass(frozen=True)
class Event:
    """One event: `noun.past_tense.v1`, with `data` as its schema. `example` is data that contract tests load."""

    owner: str
    name: str
    data: type[Schema]
    example: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def __str__(self) -> str:
        return self.name


def declared(module: object) -> tuple[list[Operation], list[Event]]:
    """All operations and events that a contract module declares."""
    values = [value for value in vars(module).values() if isinstance(value, Operation | Event)]
    return (
        [value for value in values if isinstance(value, Operation)],
        [value for value in values if isinstance(value, Event)],
    )
