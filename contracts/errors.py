"""The error tree. Each error has a stable `code` and string `meta`, and survives the bus as its type.

`meta` holds ids and figures, never personal data. `fields` names bad input: [{"field": "phones.0.number",
"message": "..."}]. The gateway's one mapper turns an error into RFC 9457 problem+json with its `status`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class CasewireError(Exception):
    """Base of every error that a contract may declare. `status` is the HTTP status it becomes."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, code: str, /, *, fields: list[dict[str, str]] | None = None, **meta: object) -> None:
        self.code = code
        self.meta = {key: str(value) for key, value in meta.items()}
        self.fields = fields or []
        super().__init__(code)

    def __str__(self) -> str:
        meta = " ".join(f"{key}={value}" for key, value in sorted(self.meta.items()))
        named = " ".join(f"{entry['field']}: {entry['message']}" for entry in self.fields)
        return " ".join(part for part in (self.code, meta, named) if part)

    def to_wire(self) -> dict[str, Any]:
        """JSON primitives: {"type", "code", "meta", "fields"}."""
        return {"type": type(self).__name__, "code": self.code, "meta": self.meta, "fields": self.fields}


class Invalid(CasewireError):
    status, title = 422, "Invalid input"


class Unauthorized(CasewireError):
    status, title = 401, "Unauthorized"


class Forbidden(CasewireError):
    status, title = 403, "Forbidden"


class NotFound(CasewireError):
    status, title = 404, "Not found"


class Gone(CasewireError):
    status, title = 410, "Gone"


class Conflict(CasewireError):
    status, title = 409, "Conflict"


class RateLimited(CasewireError):
    status, title = 429, "Too many requests"


class Unavailable(CasewireError):
    status, title = 503, "Unavailable"


class DeadlineExceeded(CasewireError):
    status, title = 504, "Deadline exceeded"


TREE: dict[str, type[CasewireError]] = {
    cls.__name__: cls
    for cls in (Invalid, Unauthorized, Forbidden, NotFound, Gone, Conflict, RateLimited, Unavailable, DeadlineExceeded)
}


def from_wire(wire: dict[str, Any]) -> CasewireError | None:
    """The error that `to_wire` described, or None if its type is not of the tree."""
    cls = TREE.get(str(wire.get("type")))
    if cls is None:
        return None
    error = cls(str(wire["code"]), fields=list(wire.get("fields") or []))
    error.meta = {str(key): str(value) for key, value in (wire.get("meta") or {}).items()}
    return error


def invalid_field(field: str, message: str, code: str = "invalid_input", **meta: object) -> Invalid:
    """`Invalid` that names one field by its dotted path."""
    return Invalid(code, fields=[{"field": field, "message": message}], **meta)
