"""Saved filters and case lists."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts import saved_filters
from contracts.base import Count, Empty, Id, Operation, PageRequest, Stamped, Text, ids, page_of
from contracts.cases.common import A_CASE, OWNER, ClientFactsFreshness
from contracts.errors import Conflict, Forbidden, Invalid, NotFound


class _Description(Schema):
    name = Text(longest=120, shortest=1)
    description = Text(longest=2000, allow_none=True)
    filter = fields.Dict(allow_none=True)


class CaseListFields(_Description):
    """Static by `include_ids`, dynamic by `filter`, or both, with `exclude_ids` taken away."""

    include_ids = ids(10000)
    exclude_ids = ids(10000)


class _Counted(Stamped):
    case_count = Count(allow_none=True)
    case_count_is_lower_bound = fields.Boolean()
    client_facts = fields.Nested(ClientFactsFreshness)


class CaseList(CaseListFields, _Counted):
    """`case_count` is exact to 10,000, and then a lower bound. Null: the filter names a field that has been taken away
    since, and selects nothing any more. `client_facts` where the filter asks about clients."""


class CaseListSummary(_Description, _Counted):
    """A case list as a page of them shows it: `include_count` and `exclude_count` in place of the ids."""

    include_count = Count()
    exclude_count = Count()


class CreateCaseList(CaseListFields):
    name = Text(longest=120, shortest=1, required=True)


class CaseListId(Schema):
    case_list_id = Id(required=True)


class UpdateCaseList(CaseListId):
    changes = fields.Nested(CaseListFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


(
    CREATE_SAVED_FILTER,
    GET_SAVED_FILTER,
    LIST_SAVED_FILTERS,
    UPDATE_SAVED_FILTER,
    DELETE_SAVED_FILTER,
) = saved_filters.operations(OWNER, {"field": "state", "op": "eq", "value": "open"})
CREATE_CASE_LIST = Operation(
    OWNER, "create_case_list", CreateCaseList, CaseList, (Invalid, NotFound, Conflict), permission="cases.write",
    example={"name": "Hearing next week", "include_ids": [A_CASE]},
)  # fmt: skip
GET_CASE_LIST = Operation(
    OWNER, "get_case_list", CaseListId, CaseList, (NotFound,), permission="cases.read", example={"case_list_id": A_CASE}
)
LIST_CASE_LISTS = Operation(
    OWNER, "list_case_lists", PageRequest, page_of(CaseListSummary), (Invalid,), permission="cases.read"
)
UPDATE_CASE_LIST = Operation(
    OWNER, "update_case_list", UpdateCaseList, CaseList, (Invalid, NotFound, Conflict), permission="cases.write",
    example={"case_list_id": A_CASE, "changes": {"name": "Hearings"}},
)  # fmt: skip
DELETE_CASE_LIST = Operation(
    OWNER, "delete_case_list", CaseListId, Empty, (NotFound, Forbidden), permission="cases.write",
    example={"case_list_id": A_CASE},
)  # fmt: skip
