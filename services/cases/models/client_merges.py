"""Clients that were merged, and the cases that this moved."""

from __future__ import annotations

from chassis.redirects import MovedRow, RedirectRow
from services.cases.models.common import Base


class ClientMerge(RedirectRow, Base):
    """A client that was merged into another one."""

    __tablename__ = "client_merge"


class ClientMergeMove(MovedRow, Base):
    """A case on which the survivor took the merged client's place (`row_id`). `facts`: {"merged": its role, label and
    position, "survivor": the survivor's own on the same case, or null}."""

    __tablename__ = "client_merge_move"
