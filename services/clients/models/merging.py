"""Clients that were merged, and what an undo needs to know."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, Index, Integer, PrimaryKeyConstraint, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, Json, new_id
from chassis.database import FirmScoped
from contracts.errors import Conflict
from services.clients.models.common import Base

UNDO_WITHIN = dt.timedelta(days=30)


class ClientMerge(FirmScoped, Base):
    """One client merged into another. As long as it is not undone, the merged id stands for the surviving one.

    `before` and `after` are the survivor's record on either side of the merge, sealed (`merge_images`): what an undo
    compares with. They are forgotten when no undo is possible any more. The merged client's own record stays archived
    until then. `version` is the survivor's right after it. `tell_at` is when the event is told again, for what was
    under way while it was told first.
    """

    __tablename__ = "client_merge"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        CheckConstraint("surviving_id <> merged_id", name="of_two"),
        # Each client is merged into one other at most, whatever runs at the same time.
        Index(
            "uq_client_merge_merged", "firm_id", "merged_id", unique=True,
            sqlite_where=text("undone_at IS NULL"), postgresql_where=text("undone_at IS NULL"),
        ),
        Index("ix_client_merge_surviving", "firm_id", "surviving_id"),
        Index("ix_client_merge_at", "firm_id", "at", "id"),
        Index(
            "ix_client_merge_tell_at", "tell_at",
            sqlite_where=text("tell_at IS NOT NULL"), postgresql_where=text("tell_at IS NOT NULL"),
        ),
        Index(
            "ix_client_merge_kept", "at",
            sqlite_where=text("before IS NOT NULL"), postgresql_where=text("before IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, default=new_id)
    surviving_id: Mapped[str] = mapped_column(Id)
    merged_id: Mapped[str] = mapped_column(Id)
    at: Mapped[dt.datetime] = mapped_column(Instant)
    by: Mapped[str | None] = mapped_column(Id)
    keep: Mapped[dict[str, str]] = mapped_column(Json)
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=1)
    undone_at: Mapped[dt.datetime | None] = mapped_column(Instant)
    undone_by: Mapped[str | None] = mapped_column(Id)
    tell_at: Mapped[dt.datetime | None] = mapped_column(Instant)
    told: Mapped[int] = mapped_column(SmallInteger, default=0)

    @property
    def undo_until(self) -> dt.datetime:
        """The end of the time in which it can be undone."""
        return self.at + UNDO_WITHIN

    def demand_undoable(self, now: dt.datetime) -> None:
        """Raises Conflict `merge_undone` or `merge_too_old`."""
        if self.undone_at is not None:
            raise Conflict("merge_undone", undone_at=self.undone_at.isoformat())
        if now >= self.undo_until or self.before is None:
            raise Conflict("merge_too_old", undo_until=self.undo_until.isoformat())

    def undo(self, by: str | None, now: dt.datetime) -> None:
        """Ends it. Raises as `demand_undoable`."""
        self.demand_undoable(now)
        self.undone_at, self.undone_by = now, by
        self.before = self.after = self.tell_at = None


class MergeMove(FirmScoped, Base):
    """A row that a merge made the survivor's: of which kind, and its id; what an undo gives back."""

    __tablename__ = "client_merge_move"
    __table_args__ = (PrimaryKeyConstraint("firm_id", "merge_id", "kind", "row_id"),)

    merge_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[str] = mapped_column(Id)


class FormerExternalId(FirmScoped, Base):
    """The external id that one of two had and their survivor does not show: an import that names it finds the client
    that `merged_id` is now."""

    __tablename__ = "client_former_external_id"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "merge_id"),
        Index("ix_client_former_external_id", "firm_id", "external_source", "external_source_id"),
    )

    merge_id: Mapped[str] = mapped_column(Id)
    merged_id: Mapped[str] = mapped_column(Id)
    external_source: Mapped[str] = mapped_column(String(60))
    external_source_id: Mapped[str] = mapped_column(String(120))
