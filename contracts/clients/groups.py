"""Groups of clients: static ones and those of a filter, and their members."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Choice, Count, Empty, Id, Operation, PageRequest, Stamped, Text, ids, page_of
from contracts.clients.common import A_CLIENT, OWNER
from contracts.clients.finding import ClientQuery
from contracts.clients.records import Client
from contracts.errors import Conflict, Invalid, NotFound

GROUP_KINDS = ("static", "filter")
_A_GROUP = "018f4e9a-0000-7000-8000-000000000011"


class ClientGroupFields(Schema):
    """`filter`, in the filter language, is a filter group's alone."""

    name = Text(longest=120, shortest=1)
    description = Text(longest=2000, allow_none=True)
    filter = fields.Dict(allow_none=True)


class ClientGroup(ClientGroupFields, Stamped):
    """`member_count` is exact to 10,000, and then a lower bound. It is null of a filter group in a list (it is counted
    when the group itself is read), and where the filter names a field or a group that has been taken away since: such a
    group has no members any more."""

    kind = Choice(*GROUP_KINDS)
    member_count = Count(allow_none=True)
    member_count_is_lower_bound = fields.Boolean()


class CreateClientGroup(ClientGroupFields):
    """`client_ids`: the first members of a static group."""

    name = Text(longest=120, shortest=1, required=True)
    kind = Choice(*GROUP_KINDS, load_default="static")
    client_ids = ids(10_000, load_default=list)


class ClientGroupId(Schema):
    group_id = Id(required=True)


class UpdateClientGroup(ClientGroupId):
    changes = fields.Nested(ClientGroupFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ListGroupMembers(ClientGroupId, PageRequest):
    """`sort`: name, created_at, last_activity_at."""


class ChangeGroupMembers(ClientGroupId):
    """Of a static group. `add_matching`: all who answer this query now, as a list takes it, at most 50,000; a query
    that asks for nothing is refused. Who is both added and removed is removed."""

    add = ids(10_000, load_default=list)
    remove = ids(10_000, load_default=list)
    add_matching = fields.Nested(ClientQuery, load_default=None, allow_none=True)


class GroupMembersChanged(Schema):
    """`added`, `removed`: those who were not, or were, members before."""

    added = Count()
    removed = Count()
    member_count = Count()
    member_count_is_lower_bound = fields.Boolean()


class SelectGroupMembers(ClientGroupId):
    """Pages are in order of client id, and stable while members change."""

    limit = fields.Integer(strict=True, load_default=1000, validate=validate.Range(min=1, max=5000))
    cursor = Id(load_default=None, allow_none=True)


class SelectedMembers(Schema):
    """`cursor`, to go on after these; null after the last."""

    client_ids = fields.List(Id())
    cursor = Id(allow_none=True)


CREATE_CLIENT_GROUP = Operation(
    OWNER, "create_client_group", CreateClientGroup, ClientGroup, (Invalid, NotFound, Conflict),
    permission="clients.write", example={"name": "Newsletter", "client_ids": [A_CLIENT]},
)  # fmt: skip
GET_CLIENT_GROUP = Operation(
    OWNER, "get_client_group", ClientGroupId, ClientGroup, (NotFound,), permission="clients.read",
    example={"group_id": _A_GROUP},
)  # fmt: skip
LIST_CLIENT_GROUPS = Operation(
    OWNER, "list_client_groups", PageRequest, page_of(ClientGroup), (Invalid,), permission="clients.read"
)
UPDATE_CLIENT_GROUP = Operation(
    OWNER, "update_client_group", UpdateClientGroup, ClientGroup, (Invalid, NotFound, Conflict),
    permission="clients.write", example={"group_id": _A_GROUP, "changes": {"name": "News"}},
)  # fmt: skip
DELETE_CLIENT_GROUP = Operation(
    OWNER, "delete_client_group", ClientGroupId, Empty, (NotFound, Conflict), permission="clients.write",
    example={"group_id": _A_GROUP},
)  # fmt: skip
LIST_GROUP_MEMBERS = Operation(
    OWNER, "list_group_members", ListGroupMembers, page_of(Client), (Invalid, NotFound), permission="clients.read",
    example={"group_id": _A_GROUP},
)  # fmt: skip
CHANGE_GROUP_MEMBERS = Operation(
    OWNER, "change_group_members", ChangeGroupMembers, GroupMembersChanged, (Invalid, NotFound, Conflict),
    permission="clients.write", deadline=30.0,
    example={"group_id": _A_GROUP, "add": [A_CLIENT], "add_matching": {"tag": "news"}},
)  # fmt: skip
SELECT_GROUP_MEMBERS = Operation(
    OWNER, "select_group_members", SelectGroupMembers, SelectedMembers, (Invalid, NotFound), deadline=15.0,
    permission="clients.read", example={"group_id": _A_GROUP},
)  # fmt: skip
