"""Notes that staff write about a client."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Choice, Empty, Event, Flag, Id, Operation, PageRequest, Stamped, Text, page_of
from contracts.clients.common import A_CLIENT, OWNER, ClientId
from contracts.errors import Conflict, Forbidden, Gone, Invalid, NotFound


class NoteFields(Schema):
    """A confidential note is kept sealed; only who may read what is sensitive reads, writes or changes it."""

    text = Text(longest=20_000, shortest=1)
    confidential = Flag()


class Note(Stamped):
    """`text` is null where the caller may not read it. `author_id`: the staff member, null if it was no person."""

    text = fields.String(allow_none=True)
    confidential = fields.Boolean()
    client_id = Id()
    author_id = Id(allow_none=True)


class ListNotes(ClientId, PageRequest):
    pass


class NoteId(ClientId):
    note_id = Id(required=True)


class CreateNote(ClientId, NoteFields):
    text = Text(longest=20_000, shortest=1, required=True)
    confidential = Flag(load_default=False)


class UpdateNote(NoteId):
    """By its author, or by who may read what is sensitive."""

    changes = fields.Nested(NoteFields, required=True)
    expected_version = fields.Integer(load_default=None, allow_none=True)


class ClientNoted(Schema):
    """A note was added, changed or removed."""

    client_id = Id(required=True)
    note_id = Id(required=True)
    change = Choice("added", "changed", "removed", required=True)
    confidential = fields.Boolean(required=True)


_NOTE = {"client_id": A_CLIENT, "note_id": A_CLIENT}
_ABSENT = (NotFound, Gone)

LIST_CLIENT_NOTES = Operation(
    OWNER, "list_client_notes", ListNotes, page_of(Note), (Invalid, *_ABSENT), permission="clients.read",
    example={"client_id": A_CLIENT},
)  # fmt: skip
GET_CLIENT_NOTE = Operation(
    OWNER, "get_client_note", NoteId, Note, _ABSENT, permission="clients.read", example=_NOTE
)  # fmt: skip
CREATE_CLIENT_NOTE = Operation(
    OWNER, "create_client_note", CreateNote, Note, (Invalid, Forbidden, *_ABSENT), permission="clients.write",
    example={"client_id": A_CLIENT, "text": "Prefers to be called after five."},
)  # fmt: skip
UPDATE_CLIENT_NOTE = Operation(
    OWNER, "update_client_note", UpdateNote, Note, (Invalid, Forbidden, Conflict, *_ABSENT), permission="clients.write",
    example={**_NOTE, "changes": {"text": "Prefers letters."}},
)  # fmt: skip
DELETE_CLIENT_NOTE = Operation(
    OWNER, "delete_client_note", NoteId, Empty, (Forbidden, *_ABSENT), permission="clients.write", example=_NOTE
)
CLIENT_NOTED = Event(
    OWNER, "client.noted.v1", ClientNoted, example={**_NOTE, "change": "added", "confidential": False}
)  # fmt: skip
