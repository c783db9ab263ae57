"""Is a service alive, and ready for work?

Live: the process runs its green threads. Ready: its bus connections stand and its databases answer. Every service that
serves an operation also answers the RPC `<service>.check_health`, without declaring it; a process of its own can serve
`/health/live`, `/health/ready` and `/metrics` by HTTP (`HEALTH_PORT`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import eventlet
import eventlet.wsgi
import orjson
from marshmallow import Schema, fields
from sqlalchemy import text

from chassis.database import Data, Database
from chassis.listening import Listening
from chassis.telemetry import exposition, log_of, log_unexpected
from contracts.base import Empty, Operation

CHECK_METHOD = "check_health"
PATIENCE = 2.0
"""Seconds that a database has to answer."""

_log = log_of(__name__)


class Health(Schema):
    """`parts` maps a part ("database", "bus") to true or false."""

    ok = fields.Boolean(required=True)
    parts = fields.Dict(keys=fields.String(), values=fields.Boolean())


@cache
def check_operation(owner: str) -> Operation:
    """`<owner>.check_health`, which no contract has to declare."""
    return Operation(
        owner=owner, name=CHECK_METHOD, request=Empty, response=Health, deadline=PATIENCE + 0.5, firm=False
    )


def check_container(container: Any) -> dict[str, Any]:
    """A service container's health as wire values: {"ok", "parts"}."""
    parts: dict[str, bool] = {}
    links = [entry for entry in container.shared_extensions.values() if hasattr(entry, "connected")]
    if links:
        parts["bus"] = all(entry.connected for entry in links)
    for provider in container.dependencies:
        if isinstance(provider, Data):
            parts["database"] = parts.get("database", True) and _answers(provider)
    return {"ok": all(parts.values()), "parts": parts}


def _answers(provider: Data) -> bool:
    database = Database(provider.url, provider.base)
    try:
        with eventlet.Timeout(PATIENCE), database.across_firms("health check").read() as session:
            session.execute(text("SELECT 1"))
    except (Exception, eventlet.Timeout) as error:
        log_unexpected(_log, error, "database_not_ready")
        return False
    return True


class HealthServer:
    """A small HTTP server next to the services of one process.

    The first request for readiness checks; others within a second get the same answer.
    """

    def __init__(self, port: int, containers: Callable[[], Iterable[Any]], host: str) -> None:
        self._containers = containers
        self._checked_at = float("-inf")
        self._ready: dict[str, Any] = {}
        self._socket = Listening(eventlet.listen((host, port)))
        self._thread = eventlet.spawn(
            eventlet.wsgi.server, self._socket, self._answer, log_output=False, socket_timeout=5, max_size=20
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        """Close the port."""
        self._thread.kill()
        self._socket.close()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/health/live":
            status, kind, body = "200 OK", "application/json", b'{"ok":true}'
        elif path == "/health/ready":
            found = self._check()
            status = "200 OK" if found["ok"] else "503 Service Unavailable"
            kind, body = "application/json", orjson.dumps(found)
        elif path == "/metrics":
            status, kind, body = "200 OK", "text/plain; version=0.0.4", exposition()
        else:
            status, kind, body = "404 Not Found", "text/plain", b""
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    def _check(self) -> dict[str, Any]:
        if time.monotonic() - self._checked_at > 1:
            services = {entry.service_name: check_container(entry) for entry in self._containers()}
            self._ready = {"ok": all(entry["ok"] for entry in services.values()), "services": services}
            self._checked_at = time.monotonic()
        return self._ready
