"""Rows of a merged client that become the survivor's own, and come back to it when the merge is undone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.value_sets import among


class MovedRows:
    """A `merge_moves.Mover` of the rows of one model, which names its client in `client_id`."""

    kind: str
    model: type[Any]

    def of(self, session: Session, client_id: str) -> set[str]:
        """The ids of a client's rows."""
        return set(session.scalars(select(self.model.id).where(self.model.client_id == client_id)))

    def missing(self, session: Session, surviving_id: str, merged_id: str) -> list[str]:
        """All of the merged client's."""
        return sorted(self.of(session, merged_id))

    def add(self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime) -> None:
        """Makes them the survivor's."""
        self.move(uow, merged_id, surviving_id, row_ids)

    def take_away(
        self, uow: UnitOfWork, surviving_id: str, merged_id: str, row_ids: Sequence[str], now: dt.datetime
    ) -> None:
        """Gives back those that are there, as they are now."""
        self.move(uow, surviving_id, merged_id, row_ids)

    def move(self, uow: UnitOfWork, whose: str, client_id: str, row_ids: Sequence[str]) -> None:
        """Makes those of one client's rows another's."""
        theirs = (self.model.client_id == whose, among(uow.session, self.model.id, row_ids))
        moved = update(self.model).where(*theirs).values(client_id=client_id)
        uow.session.execute(moved, execution_options={"synchronize_session": False})
