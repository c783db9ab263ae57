"""/v1/conversations: what was said with each client, and with addresses that are nobody's yet."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import messaging
from gateway.endpoints import expose

blueprint = Blueprint("conversations", __name__, url_prefix="/v1", description="Conversations across channels.")
CONVERSATION = {"id": "conversation_id"}

expose(blueprint, "GET", "/conversations", messaging.LIST_CONVERSATIONS)
expose(blueprint, "GET", "/conversations/<uuid:id>", messaging.GET_CONVERSATION, rename=CONVERSATION)
expose(blueprint, "PATCH", "/conversations/<uuid:id>", messaging.UPDATE_CONVERSATION, rename=CONVERSATION)
expose(blueprint, "POST", "/conversations/<uuid:id>/assign", messaging.ASSIGN_CONVERSATION, rename=CONVERSATION)
expose(blueprint, "GET", "/conversations/<uuid:id>/messages", messaging.LIST_CONVERSATION_MESSAGES,
       rename=CONVERSATION)  # fmt: skip
