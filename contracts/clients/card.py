"""What clients know of a client for its card, at once."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Id, Operation, page_of
from contracts.clients.activity import ActivityEntry
from contracts.clients.common import A_CLIENT, OWNER
from contracts.clients.contacts import Contact
from contracts.clients.notes import Note
from contracts.clients.records import Client
from contracts.errors import Gone, Invalid, NotFound


class GetClientCard(Schema):
    """`limit`: entries of each list."""

    client_id = Id(required=True)
    limit = fields.Integer(strict=True, load_default=10, validate=validate.Range(min=1, max=50))


class BusinessOfContact(Schema):
    """A business that has a contact with an email address of the client. `title`: what they are there. `notify`:
    notices about the business's cases go to them."""

    client_id = Id()
    name = fields.String()
    contact_id = Id()
    title = fields.String(allow_none=True)
    notify = fields.Boolean()


class GroupOfClient(Schema):
    id = Id()
    name = fields.String()


class ClientCardPart(Schema):
    """The record, and the first page of what happened to it, of its notes, and of its contacts, which a business has,
    as their own operations give them. `businesses`: where somebody with the client's email address is a contact.
    `groups`: the static ones that the client was added to; who answers a filter, the group itself says."""

    client = fields.Nested(Client)
    activity = fields.Nested(page_of(ActivityEntry))
    notes = fields.Nested(page_of(Note))
    contacts = fields.Nested(page_of(Contact))
    businesses = fields.Nested(page_of(BusinessOfContact))
    groups = fields.Nested(page_of(GroupOfClient))


GET_CLIENT_CARD = Operation(
    OWNER, "get_client_card", GetClientCard, ClientCardPart, (NotFound, Gone, Invalid), permission="clients.read",
    example={"client_id": A_CLIENT},
)  # fmt: skip
