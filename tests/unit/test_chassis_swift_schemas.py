"""Swift schemas against marshmallow's own: whatever comes in, the same goes out, or the same error."""

from __future__ import annotations

import datetime as dt
import importlib
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, post_load, validate

from chassis.swift_schemas import SwiftSchema, Unsure
from chassis.wire import lenient, strict
from contracts.base import Choice, Count, Flag, Id, Instant, Text, declared, ids
from tests.examples import examples

_PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck))
AN_ID = "0190b5a0-7d7e-7c3a-9d3e-5d2f3b1a4c5d"


class Part(Schema):
    name = Text(longest=5, shortest=1, required=True)
    number = Count(load_default=3)


class Whole(Schema):
    id = Id(required=True)
    word = fields.String(allow_none=True)
    at = Instant()
    kind = Choice("one", "two", load_default="one")
    sure = Flag(load_default=False)
    loose = fields.Boolean()
    size = fields.Integer(validate=validate.Range(min=1, max=9))
    share = fields.Float()
    price = fields.Decimal(as_string=True)
    day = fields.Date()
    free = fields.Raw(allow_none=True)
    facts = fields.Dict(keys=fields.String())
    members = ids(3)
    parts = fields.List(fields.Nested(Part))
    part = fields.Nested(Part, load_default=lambda: {"name": "new"})
    from_ = fields.String(data_key="from", attribute="from_")


_odd = st.sampled_from(
    [None, True, False, 0, 1, 4, -1, 3.0, 1.5, "", "a", "one", "no", "1", "a\x00b", "\ud800", "longer than five", AN_ID,
     AN_ID.upper(), AN_ID.replace("-", ""), "2026-11-21T15:00:00Z", "2026-11-21T15:00:00.123456Z",
     "2026-13-01T00:00:00Z",
     "2026-11-21T15:00:00+02:00", "2026-11-21T15:00:00", "2026-11-21 15:00:00Z", "2026-11-21T15:00:00.1Z", "2026-11-21",
     "१२", [], [None], [AN_ID], [AN_ID] * 4, ["x"], {}, {"name": "a"}, {"name": "a", "more": 1}, {"name": None},
     [{"name": "a", "number": 2}], [{"name": "too long"}, {}], b"bytes", (AN_ID,)]
)  # fmt: skip
_wire = st.dictionaries(
    st.sampled_from([field.data_key or name for name, field in Whole().fields.items()] + ["unknown", "from_"]), _odd
)
_python = st.dictionaries(
    st.sampled_from([*Whole().fields, "from", "unknown"]),
    st.one_of(
        _odd,
        st.datetimes(timezones=st.just(dt.UTC)),
        st.dates(),
        st.lists(st.fixed_dictionaries({"name": st.text(), "number": st.integers()})),
    ),
)


def _outcome(action: Any, given: Any) -> str:
    try:
        return re.sub(r" at 0x\w+", "", repr(action(given)))
    except (ValidationError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        return f"{type(error).__name__} {error}"


@given(data=st.one_of(_wire, _wire.map(lambda wire: {"id": AN_ID, **wire}), _odd))
@settings(_PATIENT, max_examples=examples(100))
@pytest.mark.parametrize("unknown", [RAISE, EXCLUDE])
def test_loads_what_the_schema_loads(unknown: str, data: Any) -> None:
    swift, schema = SwiftSchema(Whole(unknown=unknown)), Whole(unknown=unknown)
    assert _outcome(swift.load, data) == _outcome(schema.load, data)


@given(obj=_python)
@settings(_PATIENT, max_examples=examples(100))
def test_dumps_what_the_schema_dumps(obj: Any) -> None:
    assert _outcome(SwiftSchema(Whole()).dump, obj) == _outcome(Whole().dump, obj)


def test_dumps_objects_as_the_schema_does() -> None:
    class Named:
        name, number = "Ann", 7

    assert SwiftSchema(Part()).dump(Named()) == {"name": "Ann", "number": 7}


def test_a_right_value_needs_no_second_look() -> None:
    right = {
        "id": AN_ID, "word": "a", "at": "2026-11-21T15:00:00Z", "kind": "two", "sure": True, "loose": False, "size": 4,
        "members": [AN_ID], "parts": [{"name": "a"}], "part": {"name": "b", "number": 1}, "from": "c", "free": {"x": 1},
    }  # fmt: skip
    assert SwiftSchema(Whole()).load_surely(right) == Whole().load(right)
    with pytest.raises(Unsure):
        SwiftSchema(Whole()).load_surely({**right, "unknown": 1})


def test_a_schema_with_hooks_is_left_to_itself() -> None:
    class Doubled(Schema):
        number = fields.Integer()

        @post_load
        def double(self, data: dict[str, int], **_: Any) -> dict[str, int]:
            return {"number": 2 * data["number"]}

    assert SwiftSchema(Doubled()).load({"number": 2}) == {"number": 4}


def test_a_schema_may_hold_itself() -> None:
    class Tree(Schema):
        name = fields.String()
        children = fields.List(fields.Nested(lambda: Tree()))

    tree = {"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}]}
    assert SwiftSchema(Tree()).load(tree) == SwiftSchema(Tree()).dump(tree) == tree


_OWNERS = ("accounts", "cases", "clients", "messaging", "portal", "tasks")
_DECLARED = [part for owner in _OWNERS for part in declared(importlib.import_module(f"contracts.{owner}"))]
_SCHEMAS = {
    schema
    for operations, events in zip(_DECLARED[::2], _DECLARED[1::2], strict=True)
    for schema in (*(entry.request for entry in operations), *(entry.response for entry in operations),
                   *(entry.data for entry in events))
}  # fmt: skip


@pytest.mark.parametrize("schema", sorted(_SCHEMAS, key=lambda schema: schema.__name__), ids=lambda s: s.__name__)
@given(drawn=st.data())
@settings(_PATIENT, max_examples=examples(3))
def test_every_contract_loads_and_dumps_as_its_schema_does(schema: type[Schema], drawn: st.DataObject) -> None:
    own = strict(schema).schema
    data = {field.data_key or name: drawn.draw(_fitting(field)) for name, field in own.fields.items()}
    for swift in (strict(schema), lenient(schema)):
        assert _outcome(swift.load, data) == _outcome(swift.schema.load, data)
        assert _outcome(swift.dump, data) == _outcome(swift.schema.dump, data)


def _fitting(field: Any, depth: int = 2) -> st.SearchStrategy[Any]:
    """Values that a field mostly takes."""
    if isinstance(field, fields.Nested):
        inner = {name: _fitting(own, depth - 1) for name, own in field.schema.fields.items()} if depth else {}
        return st.one_of(st.fixed_dictionaries(inner), _odd)
    if isinstance(field, fields.List):
        return st.one_of(st.lists(_fitting(field.inner, depth), max_size=2), _odd)
    if isinstance(field, Id):
        return st.one_of(st.just(AN_ID), _odd)
    if isinstance(field, fields.String):
        return st.one_of(st.text(max_size=5), _odd)
    if isinstance(field, fields.Number):
        return st.one_of(st.integers(), _odd)
    return _odd
