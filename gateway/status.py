"""/health/live, /health/ready, /metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from contracts.errors import CasewireError
from gateway.wire import json_response

blueprint = Blueprint("status", __name__)


@blueprint.get("/health/live")
def live() -> Response:
    """This process answers."""
    return json_response({"status": "live"})


@blueprint.get("/health/ready")
def ready() -> Response:
    """Every service answers over the bus and reaches its database: 200, else 503 naming those that do not."""
    begun = {owner: _attempt(calls.check_health.start) for owner, calls in vars(g.calls).items()}
    services = {owner: _readiness(reply) for owner, reply in begun.items()}
    is_ready = all(state == "ready" for state in services.values())
    return json_response(
        {"status": "ready" if is_ready else "not_ready", "services": services}, 200 if is_ready else 503
    )


def _attempt(action: Callable[[], Any]) -> Any:
    """What the action gives, or the error that it raises."""
    try:
        return action()
    except CasewireError as error:
        return error


def _readiness(reply: Any) -> str:
    answer = reply if isinstance(reply, CasewireError) else _attempt(reply.result)
    if isinstance(answer, CasewireError):
        return answer.code
    return "ready" if answer["ok"] else "not_ready"


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text."""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
