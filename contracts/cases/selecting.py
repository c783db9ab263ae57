"""The selectors that every bulk action takes."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Flag, Id, Operation, Text, ids
from contracts.cases.common import OWNER, CasePageMeta
from contracts.errors import Invalid, NotFound


class Selector(Schema):
    """Which cases. The union of the first three; `include_case_ids` then limits it (alone, it is the set);
    `exclude_case_ids` is taken away last. Empty, only excluding, or with an empty list: refused, never "all"."""

    case_ids = ids(10000)
    case_filter = fields.Dict()
    case_list_ids = ids(200)
    include_case_ids = ids(10000)
    exclude_case_ids = ids(10000)


class SelectCases(Schema):
    """Pages are in order of case id, and stable while cases change. `count_all`: the first page's `total` is exact,
    however many there are. `to_keep`: who asks keeps the selector, where others read it, so that it may name no value
    of a sensitive field."""

    selector = fields.Nested(Selector, required=True)
    limit = fields.Integer(strict=True, load_default=1000, validate=validate.Range(min=1, max=5000))
    cursor = Text(longest=2000, load_default=None, allow_none=True)
    count_all = Flag(load_default=False)
    to_keep = Flag(load_default=False)


class SelectedCase(Schema):
    """`client_ids`: the primary client first."""

    case_id = Id()
    case_type_id = Id()
    client_ids = fields.List(Id())


class SelectedCases(Schema):
    data = fields.List(fields.Nested(SelectedCase))
    meta = fields.Nested(CasePageMeta)


_SELECT = {"selector": {"case_filter": {"field": "state", "op": "eq", "value": "open"}}}
SELECT_CASES = Operation(
    OWNER, "select_cases", SelectCases, SelectedCases, (Invalid, NotFound), deadline=30.0, permission="cases.read",
    example=_SELECT,
)  # fmt: skip
