"""What happened to a client, from every service."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Id, Instant, Operation, PageRequest, Text, page_of
from contracts.clients.common import A_CLIENT, OWNER, ClientId
from contracts.errors import Gone, Invalid, NotFound


class ActivityEntry(Schema):
    """`kind` is the event's name; `facts` holds ids and words of ours, no personal data."""

    id = Id()
    at = Instant()
    kind = fields.String()
    facts = fields.Dict()


class ListActivity(ClientId, PageRequest):
    """`kind`: names of events; `since` and `until`: from the one instant on, and before the other."""

    kind = fields.List(Text(longest=120), load_default=list, validate=validate.Length(max=50))
    since = Instant(load_default=None, allow_none=True)
    until = Instant(load_default=None, allow_none=True)


LIST_CLIENT_ACTIVITY = Operation(
    OWNER, "list_client_activity", ListActivity, page_of(ActivityEntry), (NotFound, Gone, Invalid),
    permission="clients.read", example={"client_id": A_CLIENT},
)  # fmt: skip
