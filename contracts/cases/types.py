"""Case types, with their statuses and custom fields."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Empty, Event, Flag, Id, Operation, PageRequest, Stamped, Text, ids, page_of
from contracts.cases.common import A_CASE, OWNER
from contracts.custom_fields import CustomField
from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


class Status(Schema):
    name = Text(longest=60, shortest=1, required=True)
    closed = Flag(load_default=False)


class ChangedStatus(Status):
    """`was`: what the status is called now, if this renames it. Its cases go along."""

    was = Text(longest=60, shortest=1, load_default=None, allow_none=True)


class CaseTypeFields(Schema):
    """Its cases are numbered by `number_prefix`, the firm's year and a dash if `number_yearly`, and a count of at least
    `number_digits`. Types with the same beginning share its count; those with none have the firm's.
    `default_form_ids`: forms of tasks that each new case of the type gets when it is open, in this order."""

    name = Text(longest=120, shortest=1)
    number_prefix = fields.String(
        allow_none=True,
        validate=validate.Regexp(r"^[A-Z0-9-]{1,10}\Z", error="Not a prefix like PR-: A to Z, digits, dashes."),
    )
    number_digits = fields.Integer(strict=True, validate=validate.Range(min=3, max=9))
    number_yearly = Flag()
    statuses = fields.List(fields.Nested(Status), validate=validate.Length(min=1, max=50))
    custom_fields = fields.List(fields.Nested(CustomField), validate=validate.Length(max=100))
    default_form_ids = ids(20)


class CaseType(CaseTypeFields, Stamped):
    """`archived`: no new case is made of it."""

    archived = fields.Boolean()


class CreateCaseType(CaseTypeFields):
    name = Text(longest=120, shortest=1, required=True)
    statuses = fields.List(fields.Nested(Status), required=True, validate=validate.Length(min=1, max=50))


class ListCaseTypes(PageRequest):
    """`archived`: only those. `sort`: name, created_at."""

    archived = Flag(load_default=False)


class CaseTypeId(Schema):
    case_type_id = Id(required=True)


class CaseTypeIds(Schema):
    case_type_ids = ids(200, smallest=1, required=True)


class CaseTypeChanges(CaseTypeFields):
    statuses = fields.List(fields.Nested(ChangedStatus), validate=validate.Length(min=1, max=50))
    archived = Flag()


class UpdateCaseType(CaseTypeId):
    changes = fields.Nested(CaseTypeChanges, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class CaseStatusRenamed(Schema):
    """A status of a case type is called otherwise from now on, and its cases with it. `elsewhere`: another type of case
    has a status that is still called so."""

    case_type_id = Id(required=True)
    was = fields.String(required=True)
    name = fields.String(required=True)
    elsewhere = fields.Boolean(required=True)


CREATE_CASE_TYPE = Operation(
    OWNER, "create_case_type", CreateCaseType, CaseType, (Invalid, Forbidden, Conflict, Unavailable),
    permission="case_types.write",
    example={"name": "Probate", "statuses": [{"name": "New"}, {"name": "Closed", "closed": True}]},
)  # fmt: skip
GET_CASE_TYPE = Operation(
    OWNER, "get_case_type", CaseTypeId, CaseType, (NotFound,), permission="cases.read", example={"case_type_id": A_CASE}
)
LIST_CASE_TYPES = Operation(
    OWNER, "list_case_types", ListCaseTypes, page_of(CaseType), (Invalid,), permission="cases.read"
)
CHECK_CASE_TYPES = Operation(
    OWNER, "check_case_types", CaseTypeIds, Empty, (Invalid,), example={"case_type_ids": [A_CASE]}
)
UPDATE_CASE_TYPE = Operation(
    # The cases in a status that is renamed are changed with it.
    OWNER, "update_case_type", UpdateCaseType, CaseType, (Invalid, Forbidden, NotFound, Conflict, Unavailable),
    deadline=60.0,
    permission="case_types.write",
    example={"case_type_id": A_CASE, "changes": {"name": "Estates"}},
)  # fmt: skip
CASE_STATUS_RENAMED = Event(
    OWNER, "case_status.renamed.v1", CaseStatusRenamed,
    example={"case_type_id": A_CASE, "was": "New", "name": "Intake", "elsewhere": False},
)  # fmt: skip
