"""Clients that are one person: suspected duplicates, what was said of them, merging two and taking that back."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from contracts.base import (
    Choice,
    Count,
    Empty,
    Entries,
    Event,
    Flag,
    Id,
    Instant,
    Operation,
    PageRequest,
    Text,
    page_of,
)
from contracts.clients.common import A_CLIENT, OWNER, ClientId
from contracts.clients.records import Client
from contracts.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Unavailable

ANOTHER_CLIENT = "018f4e9a-0000-7000-8000-000000000011"
A_MERGE = "018f4e9a-0000-7000-8000-000000000012"


class MergeClients(ClientId):
    """`client_id` survives, `duplicate_id` is merged into it. `keep`: {field: whose value is kept}; of a custom field
    `custom_fields.<key>`; of `phones`, `emails` and `addresses`, which are joined, whose primary one stays primary. A
    field that is not named keeps this client's value, or the duplicate's where this one has none; a mark as spam and
    the status `blacklisted` stay, whosever they are. `dry_run` shows the outcome and writes nothing."""

    duplicate_id = Id(required=True)
    keep = Entries(
        keys=Text(longest=80), values=Choice("this", "duplicate"), load_default=dict, validate=validate.Length(max=200)
    )
    dry_run = Flag(load_default=False)


class FieldDifference(Schema):
    """A field that both have, with different values. `kept`: whose the merge keeps."""

    field = fields.String()
    this = fields.Raw(allow_none=True)
    duplicate = fields.Raw(allow_none=True)
    kept = Choice("this", "duplicate", "both")


class MergedConsent(Schema):
    """Of one channel: what holds for each, and for the survivor afterwards: an opt-out of either, else its own. An
    opt-in of the duplicate's is not taken over; what was said from an address stays with the address."""

    channel = fields.String()
    this = fields.String(allow_none=True)
    duplicate = fields.String(allow_none=True)
    after = fields.String(allow_none=True)


class MergeConflict(Schema):
    """A field that the merge set and somebody has changed since: its value `now`, and `then`, before the merge."""

    field = fields.String()
    now = fields.Raw(allow_none=True)
    then = fields.Raw(allow_none=True)


class ClientMerge(Schema):
    """`id` is null in a dry run. `client`: the survivor as it is after the merge, or after the undo. `moves`: how many
    rows of each kind go along within clients; cases, tasks, messages and links follow by event. `consent` is told in a
    dry run. `conflicts`: what an undo would have to be told about."""

    id = Id(allow_none=True)
    surviving_id = Id()
    merged_id = Id()
    at = Instant()
    by = Id(allow_none=True)
    undo_until = Instant()
    undone_at = Instant(allow_none=True)
    dry_run = Flag()
    keep = fields.Dict(keys=fields.String(), values=fields.String())
    differences = fields.List(fields.Nested(FieldDifference))
    moves = fields.Dict(keys=fields.String(), values=Count())
    consent = fields.List(fields.Nested(MergedConsent), allow_none=True)
    client = fields.Nested(Client, allow_none=True)
    conflicts = fields.List(fields.Nested(MergeConflict))


class MergeId(Schema):
    merge_id = Id(required=True)


class UndoMerge(MergeId):
    """`resolve`: {field: which value to take} of each field that was changed since: as it is `now`, or as it was
    `then`, before the merge."""

    resolve = Entries(
        keys=Text(longest=80), values=Choice("now", "then"), load_default=dict, validate=validate.Length(max=200)
    )


class ListMerges(PageRequest):
    """Merges that this client survived or was part of; of all clients if none is named."""

    client_id = Id(load_default=None, allow_none=True)


class ClientMergeLine(Schema):
    id = Id()
    surviving_id = Id()
    merged_id = Id()
    at = Instant()
    by = Id(allow_none=True)
    undo_until = Instant()
    undone_at = Instant(allow_none=True)


class SuspectedPair(Schema):
    """Two clients that look like one. `why`: a phone or an email address in common, or a similar name with the same day
    of birth or postal code."""

    id = Id()
    found_at = Instant()
    why = fields.List(Choice("phone", "email", "government_id", "name_and_birth", "name_and_postal_code"))
    clients = fields.List(fields.Nested(Client))


class TwoClients(Schema):
    """`this_id` and `client_id` are two, in no order."""

    this_id = Id(required=True)
    client_id = Id(required=True)


class NotDuplicate(Schema):
    """That two clients are two: remembered, and they are not suspected again."""

    client_ids = fields.List(Id())
    at = Instant()
    by = Id(allow_none=True)


class ClientsMerged(Schema):
    """`merged_id` is `surviving_id` from now on: what refers to it follows. `version`: the survivor's."""

    merge_id = Id(required=True)
    surviving_id = Id(required=True)
    merged_id = Id(required=True)
    version = Count(required=True)
    at = Instant(required=True)


class ClientsUnmerged(Schema):
    """`merged_id` is a client of its own again: what followed the merge goes back, what came since stays. `version`:
    the survivor's; `merged_at`: when they had been merged."""

    merge_id = Id(required=True)
    surviving_id = Id(required=True)
    merged_id = Id(required=True)
    version = Count(required=True)
    at = Instant(required=True)
    merged_at = Instant(required=True)


MERGE_CLIENTS = Operation(
    OWNER, "merge_clients", MergeClients, ClientMerge, (Invalid, Forbidden, NotFound, Gone, Conflict, Unavailable),
    deadline=15.0, permission="clients.merge", example={"client_id": A_CLIENT, "duplicate_id": ANOTHER_CLIENT},
)  # fmt: skip
GET_MERGE = Operation(
    OWNER, "get_merge", MergeId, ClientMerge, (NotFound,), permission="clients.read", example={"merge_id": A_MERGE}
)
LIST_MERGES = Operation(
    OWNER, "list_merges", ListMerges, page_of(ClientMergeLine), (Invalid,), permission="clients.read", example={}
)
UNDO_MERGE = Operation(
    OWNER, "undo_merge", UndoMerge, ClientMerge, (Invalid, NotFound, Conflict), deadline=15.0,
    permission="clients.merge", example={"merge_id": A_MERGE, "resolve": {"first_name": "now"}},
)  # fmt: skip
LIST_DUPLICATES = Operation(
    OWNER, "list_duplicates", PageRequest, page_of(SuspectedPair), (Invalid,), permission="clients.read"
)
MARK_NOT_DUPLICATE = Operation(
    OWNER, "mark_not_duplicate", TwoClients, NotDuplicate, (Invalid, NotFound, Gone, Conflict),
    permission="clients.write", example={"this_id": A_CLIENT, "client_id": ANOTHER_CLIENT},
)  # fmt: skip
UNMARK_NOT_DUPLICATE = Operation(
    OWNER, "unmark_not_duplicate", TwoClients, Empty, (Invalid, NotFound, Gone, Conflict), permission="clients.write",
    example={"this_id": A_CLIENT, "client_id": ANOTHER_CLIENT},
)  # fmt: skip
_MERGED = {
    "merge_id": A_MERGE, "surviving_id": A_CLIENT, "merged_id": ANOTHER_CLIENT, "version": 2,
    "at": "2026-11-26T09:00:00Z",
}  # fmt: skip
CLIENTS_MERGED = Event(OWNER, "clients.merged.v1", ClientsMerged, example=_MERGED)
CLIENTS_UNMERGED = Event(
    OWNER, "clients.unmerged.v1", ClientsUnmerged, example={**_MERGED, "merged_at": "2026-11-26T08:00:00Z"}
)
