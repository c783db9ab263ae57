"""The first answer to a request with an idempotency key, kept 24 hours by the service that owns the effect.

`serve` opens `answering(...)` around a use case; `unit_of_work` looks the key up under a lock at its begin, and
`uow.answer(...)` stores the answer in the transaction of the effect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from chassis.bookkeeping import KEEP_KEYS, Bookkeeping
from chassis.columns import utc_now
from chassis.scoping import UNGUARDED
from contracts.errors import Conflict, Invalid

Wire = dict[str, Any]


@dataclass(frozen=True)
class KeyedRequest:
    """A request that carries a key: operation name, key, SHA-256 of the canonical request, and how its answer is
    dumped to wire values."""

    operation: str
    key: str
    request_hash: str
    dump: Callable[[Any], Wire]


class AlreadyAnswered(Exception):
    """The same request was answered before: `answer` is the stored wire answer. `serve` returns it."""

    def __init__(self, answer: Wire) -> None:
        self.answer = answer
        super().__init__("answered before")


_running: ContextVar[KeyedRequest | None] = ContextVar("keyed_request", default=None)


def hash_request(wire_request: Wire) -> str:
    """SHA-256 (hex) of a request's canonical JSON."""
    return hashlib.sha256(orjson.dumps(wire_request, option=orjson.OPT_SORT_KEYS)).hexdigest()


def running() -> KeyedRequest | None:
    """The keyed request that this green thread answers, if any."""
    return _running.get()


@contextmanager
def answering(request: KeyedRequest) -> Iterator[None]:
    """Marks this green thread as answering `request`."""
    token = _running.set(request)
    try:
        yield
    finally:
        _running.reset(token)


def stored_answer(session: Session, tables: Bookkeeping, firm_id: str, request: KeyedRequest) -> Wire | None:
    """The stored wire answer, or None. Raises Invalid `idempotency_key_reused` if the key came with another request."""
    keys = tables.keys
    statement = select(keys.c.request_hash, keys.c.answer).where(
        keys.c.firm_id == firm_id,
        keys.c.operation == request.operation,
        keys.c.key == request.key,
        keys.c.created_at > utc_now() - KEEP_KEYS,
    )
    row = session.execute(statement, execution_options=UNGUARDED).one_or_none()
    if row is None:
        return None
    if row.request_hash != request.request_hash:
        raise Invalid("idempotency_key_reused", operation=request.operation)
    answer: Wire = row.answer
    return answer


def claim_key(session: Session, tables: Bookkeeping, firm_id: str, request: KeyedRequest) -> None:
    """Takes the key for this transaction.

    Raises AlreadyAnswered, Invalid `idempotency_key_reused`, or Conflict `idempotency_key_in_use` while another
    transaction holds it (on SQLite there is none: one transaction writes at a time).
    """
    if session.get_bind().dialect.name == "postgresql":
        digest = hashlib.sha256(f"{firm_id} {request.operation} {request.key}".encode()).digest()
        lock = func.pg_try_advisory_xact_lock(int.from_bytes(digest[:8], "big", signed=True))
        if not session.execute(select(lock), execution_options=UNGUARDED).scalar_one():
            raise Conflict("idempotency_key_in_use", operation=request.operation)
    answer = stored_answer(session, tables, firm_id, request)
    if answer is not None:
        raise AlreadyAnswered(answer)


def store_answer(session: Session, tables: Bookkeeping, firm_id: str, request: KeyedRequest, answer: Any) -> None:
    """Stores the answer in this transaction, in place of one that is older than it is kept."""
    keys = tables.keys
    expired = delete(keys).where(
        keys.c.firm_id == firm_id, keys.c.operation == request.operation, keys.c.key == request.key
    )
    session.execute(expired, execution_options=UNGUARDED)
    row = {
        "firm_id": firm_id,
        "operation": request.operation,
        "key": request.key,
        "request_hash": request.request_hash,
        "answer": request.dump(answer),
        "created_at": utc_now(),
    }
    session.execute(insert(keys), [row], execution_options=UNGUARDED)
