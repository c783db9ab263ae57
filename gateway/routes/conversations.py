"""/v1/conversations, /v1/communications, /v1/notifications: what was said with whom, and what staff should know."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from flask_smorest import Blueprint
from werkzeug.wsgi import FileWrapper

from contracts import messaging
from gateway.endpoints import call, expose, permitted
from gateway.tables import name_attachment

blueprint = Blueprint("conversations", __name__, url_prefix="/v1", description="Conversations across channels.")
CONVERSATION = {"id": "conversation_id"}

expose(blueprint, "GET", "/conversations", messaging.LIST_CONVERSATIONS)
expose(blueprint, "GET", "/conversations/<uuid:id>", messaging.GET_CONVERSATION, rename=CONVERSATION)
expose(blueprint, "PATCH", "/conversations/<uuid:id>", messaging.UPDATE_CONVERSATION, rename=CONVERSATION)
expose(blueprint, "POST", "/conversations/<uuid:id>/assign", messaging.ASSIGN_CONVERSATION, rename=CONVERSATION)
expose(blueprint, "GET", "/conversations/<uuid:id>/messages", messaging.LIST_CONVERSATION_MESSAGES,
       rename=CONVERSATION)  # fmt: skip
expose(blueprint, "POST", "/conversations/<uuid:id>/messages", messaging.SEND_TO_CONVERSATION, rename=CONVERSATION,
       status=202, location="/v1/messages")  # fmt: skip

expose(blueprint, "PATCH", "/communications/<uuid:id>", messaging.UPDATE_LOG_ENTRY, rename={"id": "log_entry_id"})

expose(blueprint, "GET", "/notifications", messaging.LIST_NOTICES)
expose(blueprint, "POST", "/notifications/read", messaging.MARK_NOTICES_READ)


@blueprint.route("/messages/<uuid:id>/media/<uuid:media_id>", methods=["GET"])
@permitted(messaging.GET_MEDIA)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def get_media(id: Any, media_id: Any) -> Response:
    """A picture or file that came with a message, to be saved: never shown as a page of ours."""
    found = call(messaging.GET_MEDIA, message_id=str(id), media_id=str(media_id))
    file = g.files.get(found["file_key"])
    response = Response(FileWrapper(file, 64 * 1024), content_type=found["content_type"], direct_passthrough=True)
    name_attachment(response, found["filename"])
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.content_length = found["size"]
    return response
