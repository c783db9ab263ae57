"""A client's record: its fields, its commands, and what is told of its changes."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import (
    Choice,
    Count,
    Empty,
    Event,
    Flag,
    Id,
    Instant,
    Operation,
    Stamped,
    Text,
)
from contracts.clients.common import A_CLIENT, CLIENT_STATUSES, FACTS, GOVERNMENT_IDS, OWNER, ClientId
from contracts.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Unavailable
from contracts.mapping import FieldUpdateRejected


class Phone(Schema):
    """`number` in any common form on the way in, E.164 on the way out. An unstated `kind` comes from its range."""

    number = Text(longest=40, shortest=1, required=True)
    kind = Choice("mobile", "home", "work", allow_none=True)
    primary = Flag()


class EmailAddress(Schema):
    address = Text(longest=320, shortest=1, required=True)
    primary = Flag()


class Address(Schema):
    """At least one of its texts is given: a list often has no more than the city and the postal code. The primary one
    is that of the kind `primary`, one at most; with none, the first."""

    kind = Choice("primary", "mailing", "billing", "service_area", required=True)
    line1 = Text(allow_none=True)
    line2 = Text(allow_none=True)
    city = Text(longest=120, allow_none=True)
    state = Text(longest=60, allow_none=True)
    postal_code = Text(longest=20, allow_none=True)
    country = fields.String(allow_none=True, validate=validate.Regexp(r"^[A-Z]{2}$", error="Two capital letters."))


class GovernmentId(Schema):
    """Sensitive. `number` as it is written, without outer spaces."""

    kind = Choice(*GOVERNMENT_IDS, required=True)
    number = Text(longest=60, shortest=1, required=True)
    country = fields.String(allow_none=True, validate=validate.Regexp(r"^[A-Z]{2}$", error="Two capital letters."))


class DataConsent(Schema):
    """The newest consent to data collection, or its withdrawal, with the version of the firm's privacy policy."""

    given = fields.Boolean()
    policy_version = fields.String()
    at = Instant()
    source = fields.String()


class ClientFields(Schema):
    """`custom_fields`: by the keys of /v1/client-fields; null takes a value away. Sensitive: `date_of_birth`,
    `government_ids`, and custom fields that the firm marks so; only who may read them may change them."""

    kind = Choice("individual", "business")
    first_name = Text(longest=120, allow_none=True)
    middle_name = Text(longest=120, allow_none=True)
    last_name = Text(longest=120, allow_none=True)
    company_name = Text(longest=200, allow_none=True)
    date_of_birth = fields.Date(allow_none=True)
    government_ids = fields.List(fields.Nested(GovernmentId), validate=validate.Length(max=10))
    occupation = Text(longest=120, allow_none=True)
    industry = Text(longest=120, allow_none=True)
    referral_source = Text(longest=120, allow_none=True)
    special_requirements = Text(longest=2000, allow_none=True)
    status = Choice(*CLIENT_STATUSES)
    spam = Flag()
    flag_reason = Text(longest=500, allow_none=True)
    language = fields.String(
        allow_none=True, validate=validate.Regexp(r"^[a-z]{2,3}(-[A-Z]{2})?$", error="Not a language like en or pt-BR.")
    )
    time_zone = Text(longest=60, allow_none=True)
    assigned_staff_id = Id(allow_none=True)
    phones = fields.List(fields.Nested(Phone), validate=validate.Length(max=20))
    emails = fields.List(fields.Nested(EmailAddress), validate=validate.Length(max=20))
    addresses = fields.List(fields.Nested(Address), validate=validate.Length(max=20))
    tags = fields.List(Text(longest=60, shortest=1), validate=validate.Length(max=50))
    custom_fields = fields.Dict(keys=Text(longest=60), values=fields.Raw(allow_none=True))
    external_source = Text(longest=60, allow_none=True)
    external_source_id = Text(longest=120, allow_none=True)


class Client(ClientFields, Stamped):
    """`hidden` names what is there and not shown to who asks: sensitive fields, which are null then. `photo_id` changes
    with the photo."""

    government_ids = fields.List(fields.Nested(GovernmentId), allow_none=True)
    last_activity_at = Instant(allow_none=True)
    data_consent = fields.Nested(DataConsent, allow_none=True)
    photo_id = Id(allow_none=True)
    hidden = fields.List(fields.String())


class CreateClient(ClientFields):
    """A name and a phone are enough. `client_id` is chosen beforehand by a service that must be able to repeat the
    call (the same id again answers the client as it is). Who may not read sensitive fields may still state them for a
    new client."""

    client_id = Id(load_default=None, allow_none=True)
    skip_duplicate_check = Flag(load_default=False)


class UpdateClient(ClientId):
    changes = fields.Nested(ClientFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ClientEvent(Schema):
    """`changed` names fields. Consumers keep what filters need; the rest they fetch. `merge_id`: a merge, or its undo,
    made the change."""

    client_id = Id(required=True)
    version = Count(required=True)
    status = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    language = fields.String(required=True, allow_none=True)
    changed = fields.List(fields.String(), required=True)
    case_task_id = Id(allow_none=True)
    merge_id = Id(allow_none=True)


class ClientDeleted(Schema):
    client_id = Id(required=True)
    version = Count(required=True)


CREATE_CLIENT = Operation(
    OWNER, "create_client", CreateClient, Client, (Invalid, Conflict, Unavailable), permission="clients.write",
    example={"first_name": "Ann", "phones": [{"number": "+12125550123"}]},
)  # fmt: skip
GET_CLIENT = Operation(
    OWNER, "get_client", ClientId, Client, (NotFound, Gone), permission="clients.read", example={"client_id": A_CLIENT}
)
UPDATE_CLIENT = Operation(
    OWNER, "update_client", UpdateClient, Client, (Invalid, NotFound, Gone, Conflict, Forbidden, Unavailable),
    permission="clients.write",
    example={"client_id": A_CLIENT, "changes": {"first_name": "Anna"}},
)  # fmt: skip
DELETE_CLIENT = Operation(
    OWNER, "delete_client", ClientId, Empty, (NotFound, Gone), permission="clients.delete",
    example={"client_id": A_CLIENT},
)  # fmt: skip
CLIENT_CREATED = Event(OWNER, "client.created.v1", ClientEvent, example={**FACTS, "changed": []})
CLIENT_CHANGED = Event(OWNER, "client.changed.v1", ClientEvent, example={**FACTS, "changed": ["phones"]})
CLIENT_DELETED = Event(OWNER, "client.deleted.v1", ClientDeleted, example={"client_id": A_CLIENT, "version": 3})
FIELD_UPDATE_REJECTED = Event(
    OWNER, "field_update.rejected.v1", FieldUpdateRejected,
    example={"case_task_id": A_CLIENT, "target": "client", "field": "phone", "code": "invalid_phone",
             "answer_version": 1},
)  # fmt: skip
