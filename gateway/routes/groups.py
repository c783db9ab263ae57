"""/v1/client-groups: groups of clients, their members, and what is sent to all of them."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from contracts import clients, messaging
from gateway.endpoints import expose, permitted, query_arguments, start
from gateway.wire import json_response

blueprint = Blueprint("client_groups", __name__, url_prefix="/v1/client-groups", description="Groups of clients.")
GROUP = {"id": "group_id"}

expose(blueprint, "GET", "", clients.LIST_CLIENT_GROUPS)
expose(blueprint, "POST", "", clients.CREATE_CLIENT_GROUP, status=201, location="/v1/client-groups")
expose(blueprint, "GET", "/<uuid:id>", clients.GET_CLIENT_GROUP, rename=GROUP)
expose(blueprint, "PATCH", "/<uuid:id>", clients.UPDATE_CLIENT_GROUP, rename=GROUP)
expose(blueprint, "DELETE", "/<uuid:id>", clients.DELETE_CLIENT_GROUP, rename=GROUP, status=204)
expose(blueprint, "GET", "/<uuid:id>/members", clients.LIST_GROUP_MEMBERS, rename=GROUP)
expose(blueprint, "POST", "/<uuid:id>/members", clients.CHANGE_GROUP_MEMBERS, rename=GROUP)
expose(blueprint, "POST", "/<uuid:id>/messages", messaging.REQUEST_GROUP_MESSAGES, rename=GROUP, status=202)


@blueprint.route("/<uuid:id>/messages", methods=["GET"])
@permitted(clients.GET_CLIENT_GROUP, messaging.LIST_GROUP_MESSAGES)
@query_arguments(blueprint, messaging.ListGroupMessages, {"group_id"})
@blueprint.response(200, messaging.LIST_GROUP_MESSAGES.response)
def list_messages_to_group(query: dict[str, Any], id: Any) -> Response:
    """What was sent to a group, newest first, and what became of it."""
    exists = start(clients.GET_CLIENT_GROUP, group_id=str(id))
    listed = start(messaging.LIST_GROUP_MESSAGES, **query, group_id=str(id))
    exists.result()
    return json_response(listed.result())
