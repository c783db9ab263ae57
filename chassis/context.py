"""On whose behalf the running work is done, and how long it may take.

A context travels in the headers of an RPC request (`to_headers`, `from_headers`) and comes from an event's envelope in
a consumer. `current()` is the context of the running worker; it does not follow `eventlet.spawn` into another green
thread, which sets its own with `use`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Literal

ActorKind = Literal["staff", "client", "api_key", "system"]

# The name under which a worker's Nameko context data holds the context as an object.
DATA_KEY = "casewire"


@dataclass(frozen=True, slots=True)
class Context:
    """`deadline_at` is in seconds of this process's `time.monotonic()`: on the wire only what is left of it travels,
    so that hosts need not agree on the time. `firm_id` is None only before a credential or link is known.
    `sees_only`: the kinds of records that the actor is limited to, by their ids (see `chassis.scoping.ByKind`); None:
    no limit."""

    firm_id: str | None = None
    actor_id: str | None = None
    actor_kind: ActorKind = "system"
    correlation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    idempotency_key: str | None = None
    deadline_at: float | None = None
    sees_sensitive: bool = False
    sees_only: tuple[str, ...] | None = None

    def remaining(self, at_most: float) -> float:
        """Seconds that work may still take: what is left until the deadline, but not more than `at_most`."""
        if self.deadline_at is None:
            return at_most
        return min(at_most, self.deadline_at - time.monotonic())

    def with_deadline(self, seconds: float) -> Context:
        """The same, ending in `seconds` or earlier."""
        return replace(self, deadline_at=time.monotonic() + self.remaining(seconds))

    def for_firm(self, firm_id: str) -> Context:
        """The same for a firm that has just become known."""
        return replace(self, firm_id=firm_id)

    def to_headers(self, remaining: float | None = None, idempotency_key: str | None = None) -> dict[str, Any]:
        """Message headers, without those that are None. `remaining` is the time left in seconds."""
        headers: dict[str, Any] = {
            "nameko.correlation_id": self.correlation_id,
            "nameko.actor_kind": self.actor_kind,
        }
        if self.firm_id is not None:
            headers["nameko.firm_id"] = self.firm_id
        if self.actor_id is not None:
            headers["nameko.actor_id"] = self.actor_id
        if idempotency_key is not None:
            headers["nameko.idempotency_key"] = idempotency_key
        if self.sees_sensitive:
            headers["nameko.sees_sensitive"] = "yes"
        if self.sees_only is not None:
            # Empty where the actor may see none: what is missing would be no limit.
            headers["nameko.sees_only"] = ",".join(self.sees_only)
        if remaining is not None:
            # As text: AMQP has no header type for a double that every client reads alike.
            headers["nameko.remaining"] = f"{remaining:.3f}"
        return headers

    @classmethod
    def from_headers(cls, headers: Mapping[str, Any]) -> Context:
        """The context that `to_headers` described; what is missing keeps its default."""
        get = headers.get
        remaining = get("nameko.remaining")
        return cls(
            firm_id=get("nameko.firm_id"),
            actor_id=get("nameko.actor_id"),
            actor_kind=get("nameko.actor_kind") or "system",
            correlation_id=get("nameko.correlation_id") or str(uuid.uuid4()),
            idempotency_key=get("nameko.idempotency_key"),
            deadline_at=None if remaining is None else time.monotonic() + float(remaining),
            sees_sensitive=get("nameko.sees_sensitive") == "yes",
            sees_only=None if (kinds := get("nameko.sees_only")) is None else tuple(kinds.split(",") if kinds else ()),
        )


_current: ContextVar[Context | None] = ContextVar("casewire_context", default=None)


def current() -> Context | None:
    """The context of the running worker, or None outside of one."""
    return _current.get()


def kinds_seen() -> tuple[str, ...] | None:
    """The kinds of records that the running work is limited to; None: no limit."""
    context = current()
    return None if context is None else context.sees_only


def limited_to(kinds: Iterable[str] | None) -> Context:
    """The running context with this limit in place of its own: for work that goes on in the background for somebody
    who has one."""
    return replace(current() or Context(), sees_only=None if kinds is None else tuple(kinds))


@contextmanager
def use(context: Context) -> Iterator[Context]:
    """Run a block under a context."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def context_of(worker_ctx: Any) -> Context:
    """The context of a Nameko worker, for dependency providers, which run before the worker's method does.

    It is the one that an entrypoint of the chassis gave it, else the running one, else that of the system itself.
    """
    return worker_ctx.data.get(DATA_KEY) or current() or Context()
