"""The fields of cases that filters may name, and what a firm's own fields mean in them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from chassis.columns import utc_now
from chassis.filters.fields import OPERATORS
from chassis.filters.parsing import Vocabulary, parse
from chassis.filters.sql import condition
from contracts.custom_fields import FIELD_TYPES
from contracts.errors import Invalid
from services.cases.filter_fields import CASE_FIELDS, CUSTOM_KINDS, custom_meanings
from services.cases.models import Case, CustomField


def custom(key: str, kind: str, case_type_id: str = "t1", removed_at: Any = None) -> CustomField:
    return CustomField(key=key, type=kind, case_type_id=case_type_id, removed_at=removed_at)


def test_every_type_of_custom_field_has_a_kind() -> None:
    assert set(CUSTOM_KINDS) == set(FIELD_TYPES)
    assert set(CUSTOM_KINDS.values()) <= set(OPERATORS)


@pytest.mark.parametrize("name", CASE_FIELDS.fields)
def test_every_field_is_reached_by_each_of_its_operators(name: str) -> None:
    field = CASE_FIELDS.fields[name]
    values = {"id": "0190b5a0-0000-7000-8000-00000000000a", "number": 5, "instant": "2026-01-31", "day": "2026-01-31"}
    value = values.get(field.kind, field.options[0] if field.options else "x")
    for op in OPERATORS[field.kind]:
        if op in ("in", "not_in", "between"):
            wire = {"field": name, "op": op, "value": [value, value]}
        elif op in ("is_empty", "is_not_empty"):
            wire = {"field": name, "op": op}
        else:
            wire = {"field": name, "op": op, "value": 3 if op.endswith("_days") else value}
        tree = parse(wire, Vocabulary(CASE_FIELDS))
        assert "FROM cases " in " ".join(str(select(Case.id).where(condition(tree, now=utc_now()))).split())


def test_a_channel_or_a_removed_field_that_is_not_there_is_no_field_of_cases() -> None:
    removed = {"old": custom_meanings("old", [custom("old", "text", removed_at="then")])}
    for name in ("clients.consent.fax", "custom_fields.old", "custom_fields.nothing"):
        with pytest.raises(Invalid) as refused:
            parse({"field": name, "op": "is_empty"}, Vocabulary(CASE_FIELDS, removed))
        assert refused.value.fields == [{"field": "filter.field", "message": "Not a field of cases."}]


def test_a_custom_field_of_several_types_means_each_where_it_has_it() -> None:
    same = custom_meanings("fee", [custom("fee", "money"), custom("fee", "number", "t2")])
    assert [(field.name, field.kind, field.reach.within) for field in same] == [("custom_fields.fee", "number", None)]
    mixed = custom_meanings("fee", [custom("fee", "text", "t3"), custom("fee", "money"), custom("fee", "text", "t2")])
    bound = [(field.kind, field.reach.within.right.value) for field in mixed]
    assert bound == [("number", ["t1"]), ("text", ["t2", "t3"])]
    (left,) = custom_meanings("fee", [custom("fee", "text"), custom("fee", "text", "t2", removed_at="then")])
    assert left.reach.within.right.value == ["t1"]
