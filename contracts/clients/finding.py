"""Which clients: the search box, the filters and the orders of every list of clients."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Choice, Flag, Id, Instant, Operation, PageRequest, Text, page_of
from contracts.clients.common import CLIENT_STATUSES, OWNER
from contracts.clients.records import Client
from contracts.errors import Invalid, NotFound


class ClientQuery(Schema):
    """Which clients are meant; what is left out does not narrow. Archived ones never are.

    `q` is the one search box: name, phone in any form, or email. `mine`: assigned to the staff member who asks.
    `new`: added within the last 30 days. `inactive_since`: nothing has happened since. `flagged`: has a flag with its
    reason. `filter`: a filter of the filter language over clients' fields, or `{"saved_filter_id": id}`.
    """

    q = Text(longest=200, load_default=None, allow_none=True)
    status = Choice(*CLIENT_STATUSES, load_default=None, allow_none=True)
    tag = Text(longest=60, load_default=None, allow_none=True)
    group_id = Id(load_default=None, allow_none=True)
    assigned_staff_id = Id(load_default=None, allow_none=True)
    mine = Flag(load_default=None, allow_none=True)
    flagged = Flag(load_default=None, allow_none=True)
    spam = Flag(load_default=None, allow_none=True)
    new = Flag(load_default=None, allow_none=True)
    created_since = Instant(load_default=None, allow_none=True)
    inactive_since = Instant(load_default=None, allow_none=True)
    filter = fields.Dict(load_default=None, allow_none=True)


class ListClients(ClientQuery, PageRequest):
    """`sort`: name, created_at (the default, newest first), last_activity_at, last_case_at (when a case was last opened
    with the client). With `inactive_since` who has been quiet longest is first unless it is given."""


LIST_CLIENTS = Operation(
    OWNER, "list_clients", ListClients, page_of(Client), (Invalid, NotFound), permission="clients.read",
    example={"q": "ann"},
)  # fmt: skip
