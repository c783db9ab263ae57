"""Clients from a file, and the clients of cases from a file."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import Count, Event, Flag, Id, Operation, Text, ids
from contracts.clients.common import A_CLIENT, FACTS, OWNER
from contracts.clients.facts import ClientFacts
from contracts.errors import Invalid
from contracts.importing import import_operations

MOST_PEOPLE = 5000


class ClientsImported(Schema):
    """Many clients created or changed by an import, at most 500 in one event."""

    import_id = Id(required=True)
    clients = fields.List(fields.Nested(ClientFacts), required=True)


class ImportedPerson(Schema):
    """A client as a row of a file of cases has it; those of one `row` are made together or not at all. `client_id` is
    the one that a new client gets: chosen beforehand, so that asking again makes no other. `values`: texts by the names
    that an import of clients has for its fields. `on_case`: who is on the case already; whom nothing but a name tells
    is one of those, if they have that name."""

    row = Count(required=True)
    client_id = Id(required=True)
    values = fields.Dict(keys=Text(longest=60), values=Text(longest=1000), required=True)
    on_case = ids(100)


class MatchPeople(Schema):
    """`create`: those who are nobody yet are made; otherwise it is only told who would be."""

    import_id = Id(required=True)
    people = fields.List(fields.Nested(ImportedPerson), required=True, validate=validate.Length(min=1, max=MOST_PEOPLE))
    default_country = fields.String(load_default="US", validate=validate.Regexp(r"^[A-Z]{2}$"))
    create = Flag(load_default=False)


class MatchedPerson(Schema):
    """`client_id` is null where there are `errors` (`code:field`; `several_matches` if several clients could be meant).
    `created`: the client is a new one, of this import, or would be. `keys`: hashes of what it can be found by."""

    client_id = Id(allow_none=True)
    created = fields.Boolean()
    errors = fields.List(fields.String())
    keys = fields.List(fields.String())


class MatchedPeople(Schema):
    """In the order that was asked for."""

    people = fields.List(fields.Nested(MatchedPerson))


(
    CREATE_IMPORT, PREVIEW_IMPORT, RUN_IMPORT, CANCEL_IMPORT, UNDO_IMPORT, GET_IMPORT, LIST_IMPORTS, GET_IMPORT_ERRORS,
    IMPORT_REQUESTED, IMPORT_UNDO_REQUESTED,
) = import_operations(OWNER, "imports.write")  # fmt: skip
MATCH_PEOPLE = Operation(
    OWNER, "match_people", MatchPeople, MatchedPeople, (Invalid,), deadline=30.0, repeatable=True,
    example={"import_id": A_CLIENT, "people": [{"row": 1, "client_id": A_CLIENT, "values": {"full_name": "Ann Lee"}}]},
)  # fmt: skip
CLIENTS_IMPORTED = Event(
    OWNER, "clients.imported.v1", ClientsImported, example={"import_id": A_CLIENT, "clients": [FACTS]}
)
