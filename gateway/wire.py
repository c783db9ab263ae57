"""JSON in and out of the edge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from flask import Response
from flask.json.provider import DefaultJSONProvider

DEEPEST = 100
"""How deep the parts of a body may lie in each other."""


class Json(DefaultJSONProvider):
    """How bodies are read: as services read what is handed on to them."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return read_json(s)


def read_json(text: str | bytes) -> Any:
    """JSON, and nothing that could not be handed on as such: not the NaN that Python takes besides, which would become
    null, half of a character, a whole number that only Python can hold, or what lies too deep. Raises ValueError."""
    read = orjson.loads(text)
    level = [read]
    for _ in range(DEEPEST):
        level = [part for outer in level if isinstance(outer, dict | list) for part in _parts(outer)]
        if not level:
            return read
    raise ValueError("nested too deep")


def _parts(outer: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer


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
