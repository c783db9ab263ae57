"""Clients that were merged, and what of theirs followed."""

from __future__ import annotations

from chassis.redirects import MovedRow, RedirectRow
from services.tasks.models.common import Base


class ClientMerge(RedirectRow, Base):
    """A client that was merged into another one."""

    __tablename__ = "client_merge"


class ClientMergeMove(MovedRow, Base):
    """A case task whose answer became the survivor's, or a file."""

    __tablename__ = "client_merge_move"
