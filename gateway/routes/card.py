"""/v1/clients/{id}/card: a client at a glance, from every service at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma
from flask import Response, g
from flask_smorest import Blueprint

from chassis.context import use
from chassis.rpc import RemoteFault
from contracts import cases, clients, messaging, tasks
from contracts.base import Amount, Count, Instant, Operation
from contracts.errors import DeadlineExceeded, Unavailable
from gateway.endpoints import permitted, query_arguments, start
from gateway.wire import json_response

blueprint = Blueprint("card", __name__, url_prefix="/v1/clients", description="A client at a glance.")

SHOWN = 10
"""Entries of each part."""
SECONDS = 5.0
"""The deadline of a card as a whole."""


@dataclass(frozen=True)
class Asked:
    """One call, and the parts of the card that it brings; of several, the answer names each."""

    operation: Operation
    parts: tuple[str, ...]
    arguments: dict[str, Any] = field(default_factory=lambda: {"limit": SHOWN}, hash=False)


RECORD = Asked(clients.GET_CLIENT_CARD, ("client", "activity", "notes", "contacts", "businesses", "groups"))
CASES = Asked(cases.SUMMARIZE_CLIENT_CASES, ("cases",))
TASKS = Asked(tasks.LIST_CLIENT_TASKS, ("tasks",))
CONTACT = Asked(messaging.GET_CLIENT_CONTACT, ("communications", "preferences"))
MESSAGES = Asked(messaging.LIST_COMMUNICATIONS, ("communications",))
WISHES = Asked(messaging.GET_PREFERENCES, ("preferences",), {})


def calls_for(granted: Collection[str]) -> list[Asked]:
    """What a caller with these permissions is shown: one call for each service. What others wait for comes first, then
    what takes longest, for it asks a further service."""
    of_messaging = [one for one in (MESSAGES, WISHES) if one.operation.permission in granted]
    of_cases = [one for one in (CASES, TASKS) if one.operation.permission in granted]
    return [*of_cases, *([CONTACT] if len(of_messaging) == 2 else of_messaging), RECORD]


class CardStatistics(ma.Schema):
    """Null: the service that knows it does not answer, or the caller may not see it."""

    cases_open = Count(allow_none=True)
    cases_closed = Count(allow_none=True)
    open_tasks = Count(allow_none=True)
    total_value = Amount(allow_none=True)
    last_activity_at = Instant(allow_none=True)


class ClientCard(ma.Schema):
    """Every part as its own route gives it; {"unavailable": true} where its service does not answer. A part that the
    caller may not see is left out."""

    client = ma.fields.Nested(clients.Client)
    statistics = ma.fields.Nested(CardStatistics)
    activity = ma.fields.Dict()
    notes = ma.fields.Dict()
    contacts = ma.fields.Dict()
    businesses = ma.fields.Dict()
    groups = ma.fields.Dict()
    communications = ma.fields.Dict()
    cases = ma.fields.Dict()
    tasks = ma.fields.Dict()
    preferences = ma.fields.Dict()


@blueprint.route("/<uuid:id>/tasks", methods=["GET"])
@permitted(tasks.LIST_CLIENT_TASKS)
@query_arguments(blueprint, tasks.ListClientTasks, {"client_id", "case_ids"})
@blueprint.response(200, tasks.LIST_CLIENT_TASKS.response)
def list_tasks_of_client(query: dict[str, Any], id: Any) -> Response:
    """The open tasks of a client's open cases, those that are due first."""
    exists = start(clients.GET_CLIENT, client_id=str(id))
    listed = start(tasks.LIST_CLIENT_TASKS, **query, client_id=str(id))
    exists.result()
    return json_response(listed.result())


@blueprint.route("/<uuid:id>/card", methods=["GET"])
@permitted(clients.GET_CLIENT)
@blueprint.response(200, ClientCard)
def get_card(id: Any) -> Response:
    """A client with its statistics, and the latest of what every service knows of it, in one request."""
    with use(g.context.with_deadline(SECONDS)):
        card = _card(str(id), calls_for(g.credential["permissions"]))
    card["statistics"] = _statistics(card)
    return json_response(card)


def _card(client_id: str, asked: Collection[Asked]) -> dict[str, Any]:
    """Every part that is `asked` for. Tasks would ask cases for what cases are asked for here: they wait for it."""
    last = [TASKS] if TASKS in asked and CASES in asked else []
    begun = {one: _begin(one, client_id) for one in asked if one not in last}
    parts: dict[str, Any] = {}
    for one in last:
        parts.update(_told(CASES, begun.pop(CASES).result))
        try:
            begun[one] = _begin(one, client_id, case_ids=parts["cases"].get("open_case_ids"))
        except (Unavailable, DeadlineExceeded):
            parts.update(_away(one))
    # Whether there is such a client, and whether this firm's, its owner says.
    card: dict[str, Any] = begun.pop(RECORD).result()
    for one, reply in begun.items():
        parts.update(_told(one, reply.result))
    parts.get("cases", {}).pop("open_case_ids", None)  # shown with the cases, as far as they are
    return {**card, **parts}


def _begin(one: Asked, client_id: str, **more: Any) -> Any:
    return start(one.operation, client_id=client_id, **one.arguments, **more)


def _told(one: Asked, result: Callable[[], Any]) -> dict[str, Any]:
    """The parts that a call brings."""
    try:
        answer = result()
    except (Unavailable, DeadlineExceeded, RemoteFault):
        return _away(one)
    return dict(answer) if len(one.parts) > 1 else {one.parts[0]: answer}


def _away(one: Asked) -> dict[str, Any]:
    return {part: {"unavailable": True} for part in one.parts}


def _statistics(card: Mapping[str, Any]) -> dict[str, Any]:
    of_cases, of_tasks = card.get("cases", {}), card.get("tasks", {})
    return {
        "cases_open": of_cases.get("open"),
        "cases_closed": of_cases.get("closed"),
        "total_value": of_cases.get("total_value"),
        "open_tasks": of_tasks.get("open"),
        "last_activity_at": card["client"].get("last_activity_at"),
    }
