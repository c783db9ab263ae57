"""/v1/clients/{id}/photo."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import marshmallow as ma
from flask import Response, g, request
from flask_smorest import Blueprint
from flask_smorest.fields import Upload
from werkzeug.exceptions import RequestEntityTooLarge

from chassis.columns import new_id
from contracts import clients
from gateway.endpoints import call, expose, permitted
from gateway.wire import json_response

blueprint = Blueprint("photos", __name__, url_prefix="/v1/clients", description="Photos of clients.")


class PhotoFile(ma.Schema):
    """`file`: JPEG, PNG or WebP, judged by its content, of at most 10 MB."""

    file = Upload(required=True)


class PhotoAnswer(ma.Schema):
    photo_id = ma.fields.UUID()


@blueprint.route("/<uuid:id>/photo", methods=["PUT"])
@permitted(clients.SET_CLIENT_PHOTO)
@blueprint.arguments(PhotoFile, location="files")
@blueprint.response(200, PhotoAnswer)
def set_photo(files: dict[str, Any], id: object) -> Response:
    """Upload a client's photo, in place of the one before. It is resized to fit 512 by 512 pixels."""
    file_key = f"uploads/{g.context.firm_id}/{new_id()}"
    with closing(files["file"]) as upload:
        size = upload.stream.seek(0, 2)
        if size > clients.MAX_PHOTO_BYTES:
            raise RequestEntityTooLarge(f"A photo may have {clients.MAX_PHOTO_BYTES} bytes.")
        upload.stream.seek(0)
        g.files.put(file_key, upload.stream)
    made = call(clients.SET_CLIENT_PHOTO, client_id=str(id), file_key=file_key)
    return json_response({"photo_id": made["photo_id"]})


@blueprint.route("/<uuid:id>/photo", methods=["GET"])
@permitted(clients.GET_CLIENT_PHOTO)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="image/jpeg")
def get_photo(id: object) -> Response:
    """A client's photo, a JPEG. Its ETag is the record's `photo_id`."""
    photo = call(clients.GET_CLIENT_PHOTO, client_id=str(id))
    if photo["photo_id"] in request.if_none_match:
        response = Response(status=304)
    else:
        response = Response(g.files.get(photo["file_key"]), content_type="image/jpeg")
        response.headers.set("Content-Disposition", "attachment", filename="photo.jpg")
    response.set_etag(photo["photo_id"])
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


expose(blueprint, "DELETE", "/<uuid:id>/photo", clients.DELETE_CLIENT_PHOTO, rename={"id": "client_id"}, status=204)
