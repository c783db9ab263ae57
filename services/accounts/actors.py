"""Who asks for a change, and how far that person may go."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.context import Context
from contracts.errors import Forbidden
from services.accounts.models import ApiKey, Staff


@dataclass(frozen=True)
class Actor:
    """`role` None: the system itself, which nothing outranks. `scopes` empty: all that the role may."""

    staff_id: str | None = None
    role: str | None = None
    scopes: tuple[str, ...] = ()


SYSTEM = Actor()


def find_actor(session: Session, context: Context | None, api_key_id: str | None = None) -> Actor:
    """The staff member on whose behalf a context works, and the scopes of the key that is used, if it is named.

    Raises Forbidden `unknown_actor` if the context names somebody who may not act for this firm (any more).
    """
    if context is None or context.actor_kind == "system":
        return SYSTEM
    staff = session.scalars(select(Staff).where(Staff.id == context.actor_id, Staff.active)).one_or_none()
    if staff is None:
        raise Forbidden("unknown_actor")
    if api_key_id is None:
        return Actor(staff.id, staff.role)
    mine = (ApiKey.id == api_key_id) & (ApiKey.staff_id == staff.id) & ApiKey.revoked_at.is_(None)
    key = session.scalars(select(ApiKey).where(mine)).one_or_none()
    if key is None:
        raise Forbidden("unknown_actor")
    return Actor(staff.id, staff.role, tuple(key.scopes))
