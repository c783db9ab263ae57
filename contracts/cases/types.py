"""Case types, with their statuses and custom fields."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Flag, Id, Operation, PageRequest, Stamped, Text, page_of
from contracts.cases.common import A_CASE, OWNER
from contracts.custom_fields import CustomField
from contracts.errors import Conflict, Invalid, NotFound


class Status(Schema):
    name = Text(longest=60, shortest=1, required=True)
    closed = Flag(load_default=False)


class CaseTypeFields(Schema):
    name = Text(longest=120, shortest=1)
    statuses = fields.List(fields.Nested(Status), validate=validate.Length(min=1, max=50))
    custom_fields = fields.List(fields.Nested(CustomField), validate=validate.Length(max=100))


class CaseType(CaseTypeFields, Stamped):
    pass


class CreateCaseType(CaseTypeFields):
    name = Text(longest=120, shortest=1, required=True)
    statuses = fields.List(fields.Nested(Status), required=True, validate=validate.Length(min=1, max=50))


class CaseTypeId(Schema):
    case_type_id = Id(required=True)


class UpdateCaseType(CaseTypeId):
    changes = fields.Nested(CaseTypeFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


CREATE_CASE_TYPE = Operation(
    OWNER, "create_case_type", CreateCaseType, CaseType, (Invalid, Conflict), permission="case_types.write",
    example={"name": "Probate", "statuses": [{"name": "New"}, {"name": "Closed", "closed": True}]},
)  # fmt: skip
GET_CASE_TYPE = Operation(
    OWNER, "get_case_type", CaseTypeId, CaseType, (NotFound,), permission="cases.read", example={"case_type_id": A_CASE}
)
LIST_CASE_TYPES = Operation(
    OWNER, "list_case_types", PageRequest, page_of(CaseType), (Invalid,), permission="cases.read"
)
UPDATE_CASE_TYPE = Operation(
    OWNER, "update_case_type", UpdateCaseType, CaseType, (Invalid, NotFound, Conflict), permission="case_types.write",
    example={"case_type_id": A_CASE, "changes": {"name": "Estates"}},
)  # fmt: skip
