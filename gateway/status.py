"""/health/live, /health/ready, /metrics."""

from __future__ import annotations

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
    started = {owner: calls.check_health.start() for owner, calls in vars(g.calls).items()}
    services: dict[str, str] = {}
    for owner, handle in started.items():
        try:
            services[owner] = "ready" if handle.result()["ok"] else "not_ready"
        except CasewireError as error:
            services[owner] = error.code
    is_ready = all(state == "ready" for state in services.values())
    return json_response(
        {"status": "ready" if is_ready else "not_ready", "services": services}, 200 if is_ready else 503
    )


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text."""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
