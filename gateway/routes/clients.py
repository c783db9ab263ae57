"""/v1/clients."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from contracts import cases, clients, messaging
from gateway.endpoints import expose, permitted, query_arguments, start
from gateway.wire import json_response

blueprint = Blueprint("clients", __name__, url_prefix="/v1/clients", description="People and businesses.")
CLIENT = {"id": "client_id"}


def skip_duplicate_check(arguments: dict[str, Any]) -> dict[str, Any]:
    """`X-Skip-Duplicate-Check: true` creates a client although it matches another."""
    if request.headers.get("X-Skip-Duplicate-Check", "").lower() == "true":
        arguments["skip_duplicate_check"] = True
    return arguments


expose(blueprint, "GET", "", clients.LIST_CLIENTS)
expose(
    blueprint, "POST", "", clients.CREATE_CLIENT, status=201, location="/v1/clients", leave_out={"client_id"},
    prepare=skip_duplicate_check,
)  # fmt: skip
expose(blueprint, "GET", "/<uuid:id>", clients.GET_CLIENT, rename=CLIENT)
expose(blueprint, "PATCH", "/<uuid:id>", clients.UPDATE_CLIENT, rename=CLIENT)
expose(blueprint, "DELETE", "/<uuid:id>", clients.DELETE_CLIENT, rename=CLIENT, status=204)
expose(blueprint, "GET", "/<uuid:id>/activity", clients.LIST_CLIENT_ACTIVITY, rename=CLIENT)
expose(blueprint, "GET", "/<uuid:id>/preferences", messaging.GET_PREFERENCES, rename=CLIENT)
expose(
    blueprint, "PUT", "/<uuid:id>/preferences", messaging.SET_PREFERENCES, rename=CLIENT, leave_out={"source"},
)  # fmt: skip


expose(blueprint, "POST", "/<uuid:id>/communications", messaging.LOG_COMMUNICATION, rename=CLIENT, status=201,
       location="/v1/communications")  # fmt: skip


@blueprint.route("/<uuid:id>/cases", methods=["GET"])
@permitted(cases.LIST_CASES)
@query_arguments(blueprint, cases.ListCases, {"client_id"})
@blueprint.response(200, cases.LIST_CASES.response)
def list_cases_of_client(query: dict[str, Any], id: Any) -> Response:
    """The cases that a client is on."""
    exists = start(clients.GET_CLIENT, client_id=str(id))
    listed = start(cases.LIST_CASES, **query, client_id=str(id))
    exists.result()
    return json_response(listed.result())


@blueprint.route("/<uuid:id>/communications", methods=["GET"])
@permitted(messaging.LIST_COMMUNICATIONS)
@query_arguments(blueprint, messaging.ListCommunications, {"client_id"})
@blueprint.response(200, messaging.LIST_COMMUNICATIONS.response)
def list_communications(query: dict[str, Any], id: Any) -> Response:
    """What was written to a client and what came back, and notes of calls and meetings, newest first."""
    exists = start(clients.GET_CLIENT, client_id=str(id))
    listed = start(messaging.LIST_COMMUNICATIONS, **query, client_id=str(id))
    exists.result()
    return json_response(listed.result())
