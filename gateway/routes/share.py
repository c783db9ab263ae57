"""/v1/case-tasks/{id}/share: one task for one client, by a message or by a link to hand over."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, request
from flask_smorest import Blueprint

from contracts import messaging, portal, tasks
from contracts.base import Choice, Id, Instant
from contracts.errors import invalid_field
from gateway.credentials import demand
from gateway.endpoints import IDEMPOTENCY_KEY, Problem, call, permitted
from gateway.routes.portal import CreatedPortalLink, link_response, token_of_request
from gateway.wire import record_response

blueprint = Blueprint("share", __name__, url_prefix="/v1", description="A task handed to a client.")

_BY_MESSAGE = ("sms", "email")
_ONLY_FOR = {"message": _BY_MESSAGE, "timing": _BY_MESSAGE, "contact_id": ("copy", "portal"),
             "expires_at": ("copy", "portal")}  # fmt: skip


class ShareCaseTask(ma.Schema):
    """By `sms` or `email`: a message that holds {{ task.link }} or, for the whole form of the task, {{ form.link }}, of
    our own words if there is no `message`, at its `timing`; of a business each contact hears who is marked for notices.
    `copy`: a link to this task. `portal`: a link to all that the client has to do. `contact_id`: the contact of a
    business who alone may use the link. `client_id` null: the primary client of the case."""

    channel = Choice(*tasks.SHARED_BY, required=True)
    client_id = Id(load_default=None, allow_none=True)
    message = ma.fields.Nested(tasks.Message, load_default=None, allow_none=True)
    timing = ma.fields.Nested(tasks.Timing, load_default=None, allow_none=True)
    contact_id = Id(load_default=None, allow_none=True)
    expires_at = Instant(load_default=None, allow_none=True)


@blueprint.route("/case-tasks/<uuid:id>/share", methods=["POST"])
@permitted(tasks.RECORD_SHARING)
@blueprint.arguments(ShareCaseTask)
@blueprint.response(202, messaging.MessageRecord)
@blueprint.alt_response(201, schema=CreatedPortalLink)
@blueprint.alt_response(404, schema=Problem, content_type="application/problem+json")
@blueprint.alt_response(409, schema=Problem, content_type="application/problem+json")
@blueprint.doc(parameters=[IDEMPOTENCY_KEY], operationId="share_case_task")
def share_case_task(body: dict[str, Any], id: Any) -> Response:
    """Share a case task: 202 with the message, `accepted` or `suppressed` with its reason, or 201 with the link."""
    channel = body["channel"]
    by_message = channel in _BY_MESSAGE
    demand((messaging.SEND_MESSAGE if by_message else portal.CREATE_LINK).permission)
    for name, channels in _ONLY_FOR.items():
        if body[name] is not None and channel not in channels:
            raise invalid_field(name, f"Not for {channel}.", "not_for_channel")
    task = {"case_task_id": str(id)}
    client_id = call(tasks.PREPARE_SHARING, **task, client_id=body["client_id"])["client_id"]
    # What the caller sent goes on as it was sent: it has been checked, and is wire values.
    given = {name: value for name, value in request.get_json().items() if name in _ONLY_FOR and value is not None}
    if by_message:
        message = call(
            messaging.SEND_MESSAGE, **task, client_id=client_id, channel=channel, needs_link=True,
            **given.pop("message", {}), **given,
        )  # fmt: skip
        if message["state"] == "accepted":
            call(tasks.RECORD_SHARING, **task, channel=channel, message_id=message["id"])
        return record_response(message, 202, location=f"/v1/messages/{message['id']}")
    token, token_hash = token_of_request("shared-link")
    scope = {"kind": "task", **task} if channel == "copy" else {"kind": "tasks"}
    link = call(
        portal.CREATE_LINK, client_id=client_id, scope=scope, token_hash=token_hash, channel="copy", **given
    )  # fmt: skip
    call(tasks.RECORD_SHARING, **task, channel=channel, link_id=link["link_id"])
    return link_response(link, token)
