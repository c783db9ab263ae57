"""The fields that a firm adds to its clients: /v1/client-fields."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import (
    Choice,
    Count,
    Empty,
    Event,
    Flag,
    Id,
    Operation,
    PageRequest,
    Stamped,
    Text,
    page_of,
)
from contracts.clients.common import A_CLIENT, OWNER
from contracts.custom_fields import FIELD_TYPES, CustomField
from contracts.errors import Conflict, Invalid, NotFound

_LAST = 1_000_000
"""The largest `position`: a database's whole number holds no more than two thousand times that."""


class ClientFieldBody(CustomField):
    """`position` orders the fields; a new one comes last."""

    position = Count(validate=validate.Range(min=0, max=_LAST))


class ClientField(ClientFieldBody, Stamped):
    pass


class ClientFieldId(Schema):
    client_field_id = Id(required=True)


class ClientFieldChanges(Schema):
    """The key stays. Another type is refused while clients have values. An option that is taken away stays where it is
    stored. Made required, it binds new clients and changes that name it. Made sensitive or not, its values are sealed
    or opened in the background, and are hidden or shown at once."""

    label = Text(longest=120, shortest=1)
    type = Choice(*FIELD_TYPES)
    required = Flag()
    sensitive = Flag()
    options = fields.List(Text(longest=120, shortest=1), validate=validate.Length(max=200))
    position = Count(validate=validate.Range(min=0, max=_LAST))


class UpdateClientField(ClientFieldId):
    changes = fields.Nested(ClientFieldChanges, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ClientFieldResealing(Schema):
    """clients' own: a field became sensitive, or no more; goes on after the client `after`."""

    client_field_id = Id(required=True)
    after = Id(required=True, allow_none=True)


_FIELD = {"key": "court", "label": "Court", "type": "text"}

LIST_CLIENT_FIELDS = Operation(
    OWNER, "list_client_fields", PageRequest, page_of(ClientField), (Invalid,), permission="clients.read"
)
CREATE_CLIENT_FIELD = Operation(
    OWNER, "create_client_field", ClientFieldBody, ClientField, (Invalid, Conflict),
    permission="client_fields.write", example=_FIELD,
)  # fmt: skip
GET_CLIENT_FIELD = Operation(
    OWNER, "get_client_field", ClientFieldId, ClientField, (NotFound,), permission="clients.read",
    example={"client_field_id": A_CLIENT},
)  # fmt: skip
UPDATE_CLIENT_FIELD = Operation(
    OWNER, "update_client_field", UpdateClientField, ClientField, (Invalid, NotFound, Conflict),
    permission="client_fields.write", example={"client_field_id": A_CLIENT, "changes": {"label": "Court room"}},
)  # fmt: skip
DELETE_CLIENT_FIELD = Operation(
    OWNER, "delete_client_field", ClientFieldId, Empty, (NotFound,), permission="client_fields.write",
    example={"client_field_id": A_CLIENT},
)  # fmt: skip
CLIENT_FIELD_RESEALING = Event(
    OWNER, "client_field.resealing.v1", ClientFieldResealing, example={"client_field_id": A_CLIENT, "after": None}
)
