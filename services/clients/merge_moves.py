"""What goes along when a client is merged, besides its record: each kind of row that belongs to a client, and how it
becomes the survivor's and goes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.orm import Session

from chassis.database import UnitOfWork


class Mover(Protocol):
    """One kind of row."""

    kind: str

    def count(self, session: Session, merged_id: str) -> int:
        """How many would go along."""

    def join(self, uow: UnitOfWork, merge_id: str, surviving_id: str, merged_id: str) -> int:
        """Makes them the survivor's, notes which in `MergeMove`, and returns how many."""

    def part(self, uow: UnitOfWork, merge_id: str, surviving_id: str, merged_id: str) -> None:
        """Gives back those that were noted, as far as they are there; what came since stays with the survivor."""


MOVERS: Sequence[Mover] = ()


def count(session: Session, merged_id: str) -> dict[str, int]:
    """{kind: how many rows would go along}"""
    return {mover.kind: mover.count(session, merged_id) for mover in MOVERS}


def join(uow: UnitOfWork, merge_id: str, surviving_id: str, merged_id: str) -> dict[str, int]:
    """{kind: how many rows went along}"""
    return {mover.kind: mover.join(uow, merge_id, surviving_id, merged_id) for mover in MOVERS}


def part(uow: UnitOfWork, merge_id: str, surviving_id: str, merged_id: str) -> None:
    """Gives back what went along."""
    for mover in MOVERS:
        mover.part(uow, merge_id, surviving_id, merged_id)
