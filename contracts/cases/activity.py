"""What happened in a case, from every service."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Id, Instant, Operation, PageRequest, Text, page_of
from contracts.cases.common import A_CASE, OWNER
from contracts.errors import Invalid, NotFound


class CaseActivityEntry(Schema):
    """`kind` is the event's name; `facts` holds ids and words of ours, no personal data."""

    id = Id()
    at = Instant()
    kind = fields.String()
    facts = fields.Dict()


class ListCaseActivity(PageRequest):
    """`kind`: names of events; `since` and `until`: from the one instant on, and before the other. `sort`: at; newest
    first unless it says otherwise."""

    case_id = Id(required=True)
    kind = fields.List(Text(longest=120), load_default=list, validate=validate.Length(max=50))
    since = Instant(load_default=None, allow_none=True)
    until = Instant(load_default=None, allow_none=True)


LIST_CASE_ACTIVITY = Operation(
    OWNER, "list_case_activity", ListCaseActivity, page_of(CaseActivityEntry), (Invalid, NotFound),
    permission="cases.read", example={"case_id": A_CASE},
)  # fmt: skip
