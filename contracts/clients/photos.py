"""A client's photo: one picture, in the object store."""

from __future__ import annotations

from marshmallow import Schema, fields

from contracts.base import Empty, Id, Operation, Text
from contracts.clients.common import A_CLIENT, OWNER, ClientId
from contracts.errors import Gone, Invalid, NotFound, Unavailable

MAX_PHOTO_BYTES = 10 * 1024 * 1024


class SetPhoto(ClientId):
    """`file_key` names the uploaded file in the object store; it is taken away from there, whatever comes of it."""

    file_key = Text(longest=300, required=True)


class Photo(Schema):
    """A JPEG of at most 512 by 512 pixels under `file_key`. Another picture has another `photo_id`."""

    client_id = Id()
    photo_id = Id()
    file_key = fields.String()


_ABSENT = (NotFound, Gone)

SET_CLIENT_PHOTO = Operation(
    OWNER, "set_client_photo", SetPhoto, Photo, (Invalid, Unavailable, *_ABSENT), deadline=30.0,
    permission="clients.write", example={"client_id": A_CLIENT, "file_key": "uploads/x"},
)  # fmt: skip
GET_CLIENT_PHOTO = Operation(
    OWNER, "get_client_photo", ClientId, Photo, _ABSENT, permission="clients.read", example={"client_id": A_CLIENT}
)
DELETE_CLIENT_PHOTO = Operation(
    OWNER, "delete_client_photo", ClientId, Empty, (Unavailable, *_ABSENT), permission="clients.write",
    example={"client_id": A_CLIENT},
)  # fmt: skip
