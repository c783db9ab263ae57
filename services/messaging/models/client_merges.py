"""Clients that were merged, and the rows that this moved."""

from __future__ import annotations

from chassis.redirects import MovedRow, RedirectRow
from services.messaging.models.common import Base


class ClientMerge(RedirectRow, Base):
    """A client that was merged into another one."""

    __tablename__ = "client_merge"


class ClientMergeMove(MovedRow, Base):
    """A row that became the survivor's."""

    __tablename__ = "client_merge_move"
