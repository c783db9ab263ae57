"""Contacts: people who use the portal for the business clients that they are tied to."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Empty, Event, Flag, Id, Operation, PageRequest, Stamped, Text, ids, page_of
from contracts.clients.common import A_CLIENT, OWNER, ClientId
from contracts.errors import Conflict, Gone, Invalid, NotFound

_A_CONTACT = "018f4e9a-0000-7000-8000-000000000012"


class ContactFields(Schema):
    """A first or a last name is needed; an `email`, a firm's once, for the portal. `phone` in any common form on the
    way in, E.164 on the way out. `title`: what they are in the business."""

    first_name = Text(longest=120, allow_none=True)
    last_name = Text(longest=120, allow_none=True)
    email = Text(longest=320, allow_none=True)
    phone = Text(longest=40, allow_none=True)
    title = Text(longest=120, allow_none=True)


class ContactTie(Schema):
    """`notify`: notices about the business's cases go to this contact."""

    client_id = Id()
    notify = fields.Boolean()


class Contact(ContactFields, Stamped):
    """`clients`: the businesses, in the order in which they were tied, at most 200; none is left of one that is
    deleted. `portal_access`: whether there is an email and a business."""

    clients = fields.List(fields.Nested(ContactTie))
    portal_access = fields.Boolean()


class CreateContact(ContactFields):
    """Of one or more business clients. A contact with the same email is assigned to them as it is, and not made a
    second time."""

    client_ids = ids(100, smallest=1, required=True)
    notify = Flag(load_default=False)


class AddClientContact(ContactFields):
    """Either `contact_id`, of a contact that is there, or the fields of one that may be."""

    client_id = Id(required=True)
    contact_id = Id(load_default=None, allow_none=True)
    notify = Flag(load_default=False)


class ContactId(Schema):
    contact_id = Id(required=True)


class UpdateContact(ContactId):
    changes = fields.Nested(ContactFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ListContacts(PageRequest):
    """`q`: name, email or phone. `sort`: name, created_at."""

    q = Text(longest=200, load_default=None, allow_none=True)
    client_id = Id(load_default=None, allow_none=True)


class ClientContactId(ClientId, ContactId):
    pass


class ContactTieFields(Schema):
    notify = Flag()


class UpdateClientContact(ClientContactId):
    changes = fields.Nested(ContactTieFields, required=True)


class ContactAccess(Schema):
    """May the contact use the portal for the business now; and what pages call them."""

    access = fields.Boolean()
    first_name = fields.String(allow_none=True)


class ContactAccessChanged(Schema):
    """Told when a contact is tied to a business or no longer, reached elsewhere, or marked for notices or not. `access`
    false: whatever was opened to the contact for this business until now is closed."""

    contact_id = Id(required=True)
    client_id = Id(required=True)
    access = fields.Boolean(required=True)


class ContactDeleted(Schema):
    contact_id = Id(required=True)


_TIE = {"client_id": A_CLIENT, "contact_id": _A_CONTACT}

CREATE_CONTACT = Operation(
    OWNER, "create_contact", CreateContact, Contact, (Invalid, NotFound, Gone, Conflict), permission="clients.write",
    example={"first_name": "Ann", "email": "ann@example.com", "client_ids": [A_CLIENT]},
)  # fmt: skip
GET_CONTACT = Operation(
    OWNER, "get_contact", ContactId, Contact, (NotFound,), permission="clients.read",
    example={"contact_id": _A_CONTACT},
)  # fmt: skip
UPDATE_CONTACT = Operation(
    OWNER, "update_contact", UpdateContact, Contact, (Invalid, NotFound, Conflict), permission="clients.write",
    example={"contact_id": _A_CONTACT, "changes": {"title": "Office manager"}},
)  # fmt: skip
DELETE_CONTACT = Operation(
    OWNER, "delete_contact", ContactId, Empty, (NotFound,), permission="clients.delete",
    example={"contact_id": _A_CONTACT},
)  # fmt: skip
LIST_CONTACTS = Operation(
    OWNER, "list_contacts", ListContacts, page_of(Contact), (Invalid, NotFound, Gone), permission="clients.read",
    example={"q": "ann"},
)  # fmt: skip
ADD_CLIENT_CONTACT = Operation(
    OWNER, "add_client_contact", AddClientContact, Contact, (Invalid, NotFound, Gone, Conflict),
    permission="clients.write", example={**_TIE, "notify": True},
)  # fmt: skip
UPDATE_CLIENT_CONTACT = Operation(
    OWNER, "update_client_contact", UpdateClientContact, Contact, (Invalid, NotFound, Gone), permission="clients.write",
    example={**_TIE, "changes": {"notify": False}},
)  # fmt: skip
REMOVE_CLIENT_CONTACT = Operation(
    OWNER, "remove_client_contact", ClientContactId, Empty, (NotFound, Gone), permission="clients.write", example=_TIE
)
GET_CONTACT_ACCESS = Operation(
    OWNER, "get_contact_access", ClientContactId, ContactAccess, (Invalid,), example=_TIE,
)  # fmt: skip
CONTACT_ACCESS_CHANGED = Event(
    OWNER, "contact_access.changed.v1", ContactAccessChanged, example={**_TIE, "access": False}
)
CONTACT_DELETION_REQUESTED = Event(
    OWNER, "contact_deletion.requested.v1", ContactDeleted, example={"contact_id": _A_CONTACT}
)
"""clients' own: what others know by the contact's addresses is forgotten outside the request that deleted them."""
CONTACT_DELETED = Event(OWNER, "contact.deleted.v1", ContactDeleted, example={"contact_id": _A_CONTACT})
"""A contact is gone: whoever holds something of theirs forgets it."""
