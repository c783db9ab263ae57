"""/v1/clients/{id}/card: a client at a glance, from every service at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, g
from flask_smorest import Blueprint

from chassis.rpc import RemoteFault
from contracts import cases, clients, messaging, tasks
from contracts.base import Count, Instant, Operation
from contracts.errors import DeadlineExceeded, Unavailable
from gateway.endpoints import expose, permitted, start
from gateway.wire import json_response

blueprint = Blueprint("card", __name__, url_prefix="/v1/clients", description="A client at a glance.")

SHOWN = 10
"""Entries of each part."""
PARTS: dict[str, tuple[Operation, dict[str, Any]]] = {
    "client": (clients.GET_CLIENT, {}),
    "activity": (clients.LIST_CLIENT_ACTIVITY, {"limit": SHOWN}),
    "notes": (clients.LIST_CLIENT_NOTES, {"limit": SHOWN}),
    "cases": (cases.SUMMARIZE_CLIENT_CASES, {"limit": SHOWN}),
    "tasks": (tasks.LIST_CLIENT_TASKS, {"limit": SHOWN}),
    "communications": (messaging.LIST_COMMUNICATIONS, {"limit": SHOWN}),
    "preferences": (messaging.GET_PREFERENCES, {}),
}
"""Each part by one call; none waits for another."""


class CardStatistics(ma.Schema):
    """Null: the service that knows it does not answer, or the caller may not see it."""

    cases_open = Count(allow_none=True)
    cases_closed = Count(allow_none=True)
    open_tasks = Count(allow_none=True)
    total_value = ma.fields.Decimal(as_string=True, allow_none=True)
    last_activity_at = Instant(allow_none=True)


class ClientCard(ma.Schema):
    """Every part as its own route gives it; {"unavailable": true} where its service does not answer. A part that the
    caller may not see is left out."""

    client = ma.fields.Nested(clients.Client)
    statistics = ma.fields.Nested(CardStatistics)
    activity = ma.fields.Dict()
    notes = ma.fields.Dict()
    communications = ma.fields.Dict()
    cases = ma.fields.Dict()
    tasks = ma.fields.Dict()
    preferences = ma.fields.Dict()


expose(blueprint, "GET", "/<uuid:id>/tasks", tasks.LIST_CLIENT_TASKS, rename={"id": "client_id"})


@blueprint.route("/<uuid:id>/card", methods=["GET"])
@permitted(clients.GET_CLIENT)
@blueprint.response(200, ClientCard)
def get_card(id: Any) -> Response:
    """A client with its statistics, and the latest of what every service knows of it, in one request."""
    granted = g.credential["permissions"]
    asked = {
        name: start(operation, client_id=str(id), **arguments)
        for name, (operation, arguments) in PARTS.items()
        if operation.permission in granted
    }
    # Whether there is such a client, and whether this firm's, its owner says.
    card: dict[str, Any] = {"client": asked.pop("client").result()}
    for name, reply in asked.items():
        try:
            card[name] = reply.result()
        except (Unavailable, DeadlineExceeded, RemoteFault):
            card[name] = {"unavailable": True}
    card["statistics"] = _statistics(card)
    return json_response(card)


def _statistics(card: Mapping[str, Any]) -> dict[str, Any]:
    of_cases, of_tasks = card.get("cases", {}), card.get("tasks", {})
    return {
        "cases_open": of_cases.get("open"),
        "cases_closed": of_cases.get("closed"),
        "total_value": of_cases.get("total_value"),
        "open_tasks": of_tasks.get("open"),
        "last_activity_at": card["client"].get("last_activity_at"),
    }
