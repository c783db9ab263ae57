"""The way of a mapped answer: the task names a field, the field's owner applies the answer or refuses it."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Choice, Count, Id, Text


class Mapping(Schema):
    """Where an answer goes. `client`: first_name, last_name, phone or email; `case`: a custom field's key."""

    target = Choice("client", "case", required=True)
    field = Text(longest=60, shortest=1, required=True)


class MappedAnswer(Schema):
    """One answer to apply. `value` null is a blank answer, which clears the field.

    `answer_version` grows with each answer of the case task: an owner ignores one older than it has applied.
    `client_id` is the client who answered, null when staff did (then the case's primary client is meant, which
    `primary_client_id` names).
    """

    case_task_id = Id()
    case_id = Id()
    client_id = Id(allow_none=True)
    primary_client_id = Id(allow_none=True)
    link_id = Id(allow_none=True)
    target = fields.String()
    field = fields.String()
    value = fields.Raw(allow_none=True)
    answer_version = Count()


class FieldUpdateRejected(Schema):
    """The owner of a field refused a mapped answer; `code` says why."""

    case_task_id = Id(required=True)
    target = Choice("client", "case", required=True)
    field = fields.String(required=True)
    code = fields.String(required=True)
    answer_version = Count(required=True)
