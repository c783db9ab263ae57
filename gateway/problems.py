"""Every error leaves as RFC 9457 problem+json, by one mapper."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from chassis.rpc import RemoteFault
from chassis.telemetry import log_of, log_unexpected
from contracts.errors import TREE, CasewireError
from gateway.wire import json_response

log = log_of(__name__)

_TITLES = {"stale_version": "Precondition failed"}
_TITLES_BY_STATUS = {error.status: error.title for error in TREE.values()}
_STATUSES = {"stale_version": 412}
_HTTP_CODES = {
    400: "bad_request", 404: "not_found", 405: "method_not_allowed", 408: "request_timeout", 413: "too_large",
    415: "unsupported_media_type", 422: "invalid_input", 429: "too_many_requests",
}  # fmt: skip


# What marshmallow says of a body, or of an object in it, that is something else.
_NO_OBJECT = ("Invalid input type.", "Not a valid mapping type.")


def problem(
    status: int,
    code: str,
    title: str,
    detail: str = "",
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> Response:
    """A problem+json answer with the members that `4-api` fixes; `extra` members come beside them."""
    body: dict[str, Any] = {
        "type": f"urn:casewire:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail or title,
        "code": code,
        "correlation_id": getattr(g, "correlation_id", ""),
        **extra,
    }
    if errors:
        body["errors"] = errors
    response = json_response(body, status, content_type="application/problem+json")
    response.headers.update(headers or {})
    return response


def from_error(error: CasewireError) -> Response:
    """A contract's error as an answer. `meta` comes as members; `candidates` becomes a list of ids."""
    status = _STATUSES.get(error.code, error.status)
    extra: dict[str, Any] = dict(error.meta)
    if "candidates" in extra:
        extra["candidates"] = [{"id": client_id} for client_id in extra["candidates"].split(",") if client_id]
    for reserved in ("type", "title", "status", "detail", "code", "correlation_id", "errors"):
        extra.pop(reserved, None)
    headers: dict[str, str] = {}
    if status == 429:
        headers["Retry-After"] = error.meta.get("retry_after", "1")
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = "1"
    detail = _detail(error.fields)
    title = _TITLES.get(error.code, error.title)
    return problem(
        status, error.code, title, detail or error.code.replace("_", " ").capitalize() + ".",
        errors=error.fields, headers=headers, **extra,
    )  # fmt: skip


def _detail(errors: list[dict[str, str]]) -> str:
    """The errors in one line. What is about the whole body names no field."""
    return "; ".join(": ".join(filter(None, (entry["field"], entry["message"]))) for entry in errors)


def _flatten(messages: Any, path: str = "") -> list[dict[str, str]]:
    """marshmallow's nested messages as a list of {field, message} with dotted paths."""
    if isinstance(messages, dict):
        found: list[dict[str, str]] = []
        for key, value in messages.items():
            if key == "_schema" or (key in ("json", "query", "form", "files") and not path):
                found += _flatten(value, path)
            else:
                found += _flatten(value, f"{path}.{key}" if path else str(key))
        return found
    if isinstance(messages, list):
        return [entry for message in messages for entry in _flatten(message, path)]
    return [{"field": path, "message": "Not an object." if messages in _NO_OBJECT else str(messages)}]


def register(app: Flask) -> None:
    """Teach the app to answer every error as a problem."""

    @app.errorhandler(CasewireError)
    def _casewire(error: CasewireError) -> Response:
        return from_error(error)

    @app.errorhandler(RemoteFault)
    def _remote(error: RemoteFault) -> Response:
        log.error("remote_fault", route=request.url_rule.rule if request.url_rule else None)
        return problem(502, "remote_fault", "Bad gateway", "A service failed; quote the correlation id.")

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if error.response is not None:
            return error.response  # type: ignore[return-value]
        status = error.code or 500
        messages = getattr(error, "data", {}) or {}
        errors = _flatten(messages.get("messages", {})) or None
        detail = _detail(errors or [])
        code = _HTTP_CODES.get(status, error.name.lower().replace(" ", "_"))
        headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        title = _TITLES_BY_STATUS.get(status, error.name)
        return problem(status, code, title, detail or error.description or title, errors=errors, headers=headers)

    @app.errorhandler(Exception)
    def _bug(error: Exception) -> Response:
        log_unexpected(log, error, route=request.url_rule.rule if request.url_rule else None)
        return problem(500, "internal_error", "Internal error", "Something went wrong here; quote the correlation id.")
