"""What messaging hands out of a client, what it forgets, and what it says about it."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Empty, Event, Operation, Text, ids
from contracts.erasing import ErasureReported, a_report
from contracts.errors import Invalid, Unavailable
from contracts.exporting import export_operation
from contracts.messaging.common import AN_ID, OWNER


class ForgottenPerson(Schema):
    """The addresses of a person who is erased, as far as they are nobody else's; `shared` are those that somebody else
    has too. `client_ids`: every id of a client, or that of a contact."""

    client_ids = ids(1000, smallest=1, required=True)
    numbers = fields.List(Text(longest=20), required=True, validate=validate.Length(max=1000))
    emails = fields.List(Text(longest=320), required=True, validate=validate.Length(max=1000))
    shared = fields.List(Text(longest=320), load_default=list, validate=validate.Length(max=1000))


class ForgetAddresses(Schema):
    """Asked by clients before it deletes the last place where it is known whose they are."""

    people = fields.List(fields.Nested(ForgottenPerson), required=True, validate=validate.Length(max=500))


FORGET_ADDRESSES = Operation(
    OWNER, "forget_addresses", ForgetAddresses, Empty, (Invalid, Unavailable), deadline=20.0,
    example={"people": [{"client_ids": [AN_ID], "numbers": ["+12125550123"], "emails": []}]},
)  # fmt: skip
EXPORT_CLIENT_DATA = export_operation(OWNER)
ERASURE_REPORTED = Event(OWNER, "erasure.reported.v1", ErasureReported, example=a_report(OWNER))
