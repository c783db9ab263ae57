"""Changes that others ask for by events."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Event, Id
from contracts.cases.common import A_CASE, OWNER


class CaseChangeRejected(Schema):
    """The change that this run of an automation asked for was not made: `unknown_status`, `case_archived`,
    `case_pending`, `case_not_found`."""

    automation_run_id = Id(required=True)
    case_id = Id(required=True)
    code = fields.String(required=True)


CASE_CHANGE_REJECTED = Event(
    OWNER,
    "case_change.rejected.v1",
    CaseChangeRejected,
    example={"automation_run_id": A_CASE, "case_id": A_CASE, "code": "unknown_status"},
)
