"""Who asks for a change, and how far that person may go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.context import Context
from contracts.errors import Forbidden
from services.accounts.models import ApiKey, Staff


@dataclass(frozen=True)
class Actor:
    """`role` None: the system itself, which nothing outranks. `scopes` empty: all that the role may. `case_type_ids`
    None: cases of every type. `key_ends`: when the key that is used ends; None: never, or no key is used."""

    staff_id: str | None = None
    role: str | None = None
    scopes: tuple[str, ...] = ()
    case_type_ids: frozenset[str] | None = None
    key_ends: dt.datetime | None = None

    def covers(self, case_type_ids: Iterable[str] | None) -> bool:
        """Whether whoever is limited to these types of cases (None: not at all) is shown no more than the actor."""
        if self.case_type_ids is None:
            return True
        return case_type_ids is not None and self.case_type_ids.issuperset(case_type_ids)


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
    limit = None if staff.case_type_ids is None else frozenset(staff.case_type_ids)
    if api_key_id is None:
        return Actor(staff.id, staff.role, case_type_ids=limit)
    mine = (ApiKey.id == api_key_id) & (ApiKey.staff_id == staff.id) & ApiKey.revoked_at.is_(None)
    key = session.scalars(select(ApiKey).where(mine)).one_or_none()
    if key is None:
        raise Forbidden("unknown_actor")
    return Actor(staff.id, staff.role, tuple(key.scopes), limit, key.expires_at)
