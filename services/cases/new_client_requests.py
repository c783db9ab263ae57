"""What is kept of a new client that a pending case waits for, and the key of the request that asked for both."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis import idempotency
from chassis.database import UnitOfWork
from contracts.errors import Invalid, Unavailable
from services.cases.models import NewClientRequest
from services.cases.sealed_values import SEALED, SEALING

Record = dict[str, Any]
_PLACE = (NewClientRequest.__tablename__, NewClientRequest.client_data.key)


def request_of_key(session: Session) -> NewClientRequest | None:
    """What was begun under the key of the request at work."""
    keyed = idempotency.running()
    if keyed is None:
        return None
    statement = select(NewClientRequest).where(NewClientRequest.idempotency_key == keyed.key)
    return session.scalars(statement).one_or_none()


def refuse_key_of_another(uow: UnitOfWork) -> None:
    """For a request without a new client: raises Invalid `idempotency_key_reused` if one with a new client, which may
    have no answer yet, came under its key."""
    keyed = idempotency.running()
    if keyed is not None and request_of_key(uow.session) is not None:
        raise Invalid("idempotency_key_reused", operation=keyed.operation)


def sealed_client_data(uow: UnitOfWork, case_id: str, client_data: Record) -> Record:
    """The new client of a case, whose row is there, as it is kept: like dates of birth where clients are at home, so
    that nobody reads it in a copy of the table."""
    keys = SEALING.keys_to_seal(uow, [case_id])
    return {SEALED: keys.seal(case_id, orjson.dumps(client_data).decode(), *_PLACE, case_id)}


def client_data_of(session: Session, request: NewClientRequest) -> Record | None:
    """The new client as it was sent; None if it was erased. Raises Unavailable if nobody can read it."""
    kept = request.client_data
    if kept is None or SEALED not in kept:  # in clear, as earlier versions kept it
        return kept
    text = SEALING.keys_of(session, [request.case_id]).unseal(request.case_id, kept[SEALED], *_PLACE, request.case_id)
    if text is None:
        raise Unavailable("new_client_unreadable", case_id=request.case_id)
    return dict(orjson.loads(text))
