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


def find_actor(session: Session, context: Context | None) -> Actor:
    """The staff member on whose behalf a context works, by staff id or by API key id.

    Raises Forbidden `unknown_actor` if the context names somebody who may not act for this firm (any more).
    """
    if context is None or context.actor_kind == "system":
        return SYSTEM
    key = session.scalars(select(ApiKey).where(ApiKey.id == context.actor_id)).one_or_none()
    staff_id = key.staff_id if key else context.actor_id
    staff = session.scalars(select(Staff).where(Staff.id == staff_id, Staff.active)).one_or_none()
    if staff is None:
        raise Forbidden("unknown_actor")
    return Actor(staff.id, staff.role, tuple(key.scopes) if key else ())
