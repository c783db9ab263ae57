"""What clients know of a client for its card, at once."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Id, Operation, page_of
from contracts.clients.activity import ActivityEntry
from contracts.clients.common import A_CLIENT, OWNER
from contracts.clients.notes import Note
from contracts.clients.records import Client
from contracts.errors import Gone, Invalid, NotFound


class GetClientCard(Schema):
    """`limit`: entries of activity, and notes."""

    client_id = Id(required=True)
    limit = fields.Integer(strict=True, load_default=10, validate=validate.Range(min=1, max=50))


class ClientCardPart(Schema):
    """The record, and the first page of what happened to it and of its notes, as their own operations give them."""

    client = fields.Nested(Client)
    activity = fields.Nested(page_of(ActivityEntry))
    notes = fields.Nested(page_of(Note))


GET_CLIENT_CARD = Operation(
    OWNER, "get_client_card", GetClientCard, ClientCardPart, (NotFound, Gone, Invalid), permission="clients.read",
    example={"client_id": A_CLIENT},
)  # fmt: skip
