"""What happened to a client, from every service."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Id, Instant, Operation, PageRequest, page_of
from contracts.clients.common import A_CLIENT, OWNER, ClientId
from contracts.errors import Gone, Invalid, NotFound


class ActivityEntry(Schema):
    """`kind` is the event's name; `facts` holds ids and words of ours, no personal data."""

    id = Id()
    at = Instant()
    kind = fields.String()
    facts = fields.Dict()


class ListActivity(ClientId, PageRequest):
    pass


LIST_CLIENT_ACTIVITY = Operation(
    OWNER, "list_client_activity", ListActivity, page_of(ActivityEntry), (NotFound, Gone, Invalid),
    permission="clients.read", example={"client_id": A_CLIENT},
)  # fmt: skip
