"""What other services ask about clients: how to reach them, what to filter by, and whose an address is."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Choice, Count, Id, Operation, Text, ids
from contracts.clients.common import A_CLIENT, OWNER, ClientId
from contracts.errors import Invalid


class ClientIds(Schema):
    client_ids = ids(1000, smallest=1, required=True)


class RecipientContact(Schema):
    """A contact of a business whom notices about its cases go to."""

    contact_id = Id()
    first_name = fields.String(allow_none=True)
    last_name = fields.String(allow_none=True)
    sms = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    email = fields.String(allow_none=True)


class Recipient(Schema):
    """What messaging needs to reach one client. `sms` is the primary phone if it is a mobile, else the first mobile;
    `phone`, for calls, the primary phone of any kind.

    `state`: found, blocked (blacklisted or spam), erased (archived or unknown). `postal`: state and country of the
    primary address, for quiet hours. `surviving_id`: given where the client was merged into this one, whose facts
    these are. `contacts`: given for a business that has such, in the order in which they were tied. A contact's own id
    is answered as well: with their name and addresses, and nothing of a business.
    """

    client_id = Id()
    surviving_id = Id(allow_none=True)
    state = Choice("found", "blocked", "erased")
    first_name = fields.String(allow_none=True)
    last_name = fields.String(allow_none=True)
    display_name = fields.String(allow_none=True)
    language = fields.String(allow_none=True)
    time_zone = fields.String(allow_none=True)
    postal_state = fields.String(allow_none=True)
    postal_country = fields.String(allow_none=True)
    sms = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)
    email = fields.String(allow_none=True)
    assigned_staff_id = Id(allow_none=True)
    contacts = fields.List(fields.Nested(RecipientContact))


class Recipients(Schema):
    """In the order that was asked for, one for each id."""

    recipients = fields.List(fields.Nested(Recipient))


class ClientFacts(Schema):
    """What other services may keep of a client to filter by: no personal data."""

    client_id = Id()
    status = fields.String()
    tags = fields.List(fields.String())
    language = fields.String(allow_none=True)
    version = Count()


class MergedClient(ClientId):
    surviving_id = Id()


class ClientFactsList(Schema):
    """Unknown ids are left out: this is also how another service checks that clients exist. `merged`: those that were
    merged into another client, and are left out as well."""

    clients = fields.List(fields.Nested(ClientFacts))
    merged = fields.List(fields.Nested(MergedClient))


class FindByAddress(Schema):
    """Whose number or address is this. `address`: E.164 or an email address."""

    channel = Choice("sms", "email", "phone", required=True)
    address = Text(longest=320, required=True)


class FoundClients(Schema):
    client_ids = fields.List(Id())


GET_RECIPIENTS = Operation(
    OWNER, "get_recipients", ClientIds, Recipients, (Invalid,), deadline=10.0, example={"client_ids": [A_CLIENT]}
)
GET_CLIENT_FACTS = Operation(
    OWNER, "get_client_facts", ClientIds, ClientFactsList, (Invalid,), example={"client_ids": [A_CLIENT]}
)
FIND_CLIENTS_BY_ADDRESS = Operation(
    OWNER, "find_clients_by_address", FindByAddress, FoundClients, (Invalid,),
    example={"channel": "sms", "address": "+12125550123"},
)  # fmt: skip
