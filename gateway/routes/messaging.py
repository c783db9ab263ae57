"""/v1/message-templates, /v1/messages, /v1/message-batches, /v1/senders."""

from __future__ import annotations

from flask_smorest import Blueprint

from contracts import messaging
from gateway.endpoints import expose

blueprint = Blueprint("messaging", __name__, url_prefix="/v1", description="Messages and batches.")
TEMPLATE, BATCH = {"id": "message_template_id"}, {"id": "batch_id"}

expose(blueprint, "GET", "/message-templates", messaging.LIST_MESSAGE_TEMPLATES)
expose(blueprint, "POST", "/message-templates", messaging.CREATE_MESSAGE_TEMPLATE, status=201,
       location="/v1/message-templates")  # fmt: skip
expose(blueprint, "GET", "/message-templates/<uuid:id>", messaging.GET_MESSAGE_TEMPLATE, rename=TEMPLATE)
expose(blueprint, "PATCH", "/message-templates/<uuid:id>", messaging.UPDATE_MESSAGE_TEMPLATE, rename=TEMPLATE)

expose(blueprint, "GET", "/messages", messaging.LIST_MESSAGES)
expose(blueprint, "POST", "/messages", messaging.SEND_MESSAGE, status=202, location="/v1/messages",
       leave_out={"needs_link"})  # fmt: skip
expose(blueprint, "GET", "/messages/<uuid:id>", messaging.GET_MESSAGE, rename={"id": "message_id"})

expose(blueprint, "POST", "/messages/<uuid:id>/cancel", messaging.CANCEL_MESSAGE, rename={"id": "message_id"})

expose(blueprint, "GET", "/message-batches", messaging.LIST_BATCHES)
expose(blueprint, "POST", "/message-batches", messaging.REQUEST_MESSAGES, status=202)
expose(blueprint, "GET", "/message-batches/<uuid:id>", messaging.GET_BATCH, rename=BATCH)
expose(blueprint, "GET", "/message-batches/<uuid:id>/deliveries", messaging.LIST_DELIVERIES, rename=BATCH)
expose(blueprint, "POST", "/message-batches/<uuid:id>/pause", messaging.PAUSE_BATCH, rename=BATCH)
expose(blueprint, "POST", "/message-batches/<uuid:id>/resume", messaging.RESUME_BATCH, rename=BATCH)
expose(blueprint, "POST", "/message-batches/<uuid:id>/cancel", messaging.CANCEL_BATCH, rename=BATCH)

expose(blueprint, "GET", "/senders", messaging.LIST_SENDERS)
expose(blueprint, "PUT", "/senders", messaging.PUT_SENDER)
