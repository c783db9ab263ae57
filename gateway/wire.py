"""JSON in and out of the edge."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response


def json_response(body: Any, status: int = 200, *, content_type: str = "application/json") -> Response:
    """A response of wire values (JSON primitives)."""
    return Response(orjson.dumps(body), status=status, content_type=content_type)


def record_response(record: dict[str, Any], status: int = 200, *, location: str | None = None) -> Response:
    """One record, with its version as ETag and, when it was made, its `Location`."""
    response = json_response(record, status)
    if "version" in record:
        response.set_etag(str(record["version"]))
    if location is not None:
        response.headers["Location"] = location
    return response
