"""Answers that are written to a case's custom fields."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Event, Id, Operation, Text
from contracts.cases.common import A_CASE, OWNER
from contracts.errors import Invalid
from contracts.mapping import FieldUpdateRejected


class CheckMapping(Schema):
    """May an answer of this question kind be written to this custom field of some case type? `options`: those of a
    question with choices, which a field with choices must have."""

    field = Text(longest=60, required=True)
    question_kind = Text(longest=30, required=True)
    options = fields.List(Text(longest=200), load_default=list, validate=validate.Length(max=200))


class CheckedMapping(Schema):
    """`sensitive`: such a field is sensitive on some type of case, so that the answers are as well."""

    sensitive = fields.Boolean()


class FieldBecameSensitive(Schema):
    """A custom field of a case type is sensitive from now on: as it is defined, or as it was changed."""

    case_type_id = Id(required=True)
    field = fields.String(required=True)


CHECK_MAPPING = Operation(
    OWNER,
    "check_mapping",
    CheckMapping,
    CheckedMapping,
    (Invalid,),
    example={"field": "court", "question_kind": "short_text"},
)
FIELD_UPDATE_REJECTED = Event(
    OWNER, "field_update.rejected.v1", FieldUpdateRejected,
    example={"case_task_id": A_CASE, "target": "case", "field": "court", "code": "not_an_option", "answer_version": 1},
)  # fmt: skip
FIELD_BECAME_SENSITIVE = Event(
    OWNER, "custom_field.became_sensitive.v1", FieldBecameSensitive,
    example={"case_type_id": A_CASE, "field": "passport_number"},
)  # fmt: skip
