"""What tasks know of cases, fed by events of the service that owns them: ids and words, no personal data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Index, Integer, PrimaryKeyConstraint, String, false, select, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from chassis.database import ByKind, FirmScoped
from services.tasks.models.common import Base

_UNKNOWN = text("version = 0")


class KnownCase(FirmScoped, Base):
    """A case as it was last heard of. Version 0: nothing was heard yet, and a timer asks. `linked`: tasks of the case
    depend on one another, by a form or by a date after another task.

    Whoever changes statuses or dates of the case's tasks locks its row first: see `services/tasks/flow.py`.
    """

    __tablename__ = "known_case"
    # The firm last, so that many are found by their ids alone.
    __table_args__ = (
        PrimaryKeyConstraint("case_id", "firm_id"),
        Index("ix_known_case_unknown", "firm_id", "case_id", sqlite_where=_UNKNOWN, postgresql_where=_UNKNOWN),
        # For members who are limited to some types. Without the firm, or all of its cases would be looked through.
        Index("ix_known_case_case_type_id", "case_type_id", "case_id"),
    )

    firm_id: Mapped[str] = mapped_column(Id)
    case_id: Mapped[str] = mapped_column(Id)
    version: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    case_type_id: Mapped[str | None] = mapped_column(Id)
    status: Mapped[str | None] = mapped_column(String(60))
    state: Mapped[str | None] = mapped_column(String(20))
    archived: Mapped[bool] = mapped_column(default=False, server_default=false())
    responsible_staff_id: Mapped[str | None] = mapped_column(Id)
    linked: Mapped[bool] = mapped_column(default=False, server_default=false())


def of_cases(case_id: Any, kinds: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column names a case of one of these types: the kinds that somebody may be limited to. A case of which
    nothing was heard yet is of none."""
    known = select(KnownCase.case_id).where(KnownCase.case_type_id.in_(kinds))
    named: ColumnElement[bool] = case_id.in_(known)
    return named


class OfCase(ByKind):
    """Mixin of the models whose rows belong to a case, their `case_id`."""

    @classmethod
    def of_kinds(cls, kinds: Sequence[str]) -> ColumnElement[bool]:
        """Whether a row's case is of one of these types."""
        return of_cases(cast(Any, cls).case_id, kinds)


class KnownCaseStaff(FirmScoped, Base):
    """A member of staff on a case, the responsible one included."""

    __tablename__ = "known_case_staff"
    __table_args__ = (
        PrimaryKeyConstraint("case_id", "staff_id", "firm_id"),
        Index("ix_known_case_staff_staff_id", "firm_id", "staff_id", "case_id"),
    )

    firm_id: Mapped[str] = mapped_column(Id)
    case_id: Mapped[str] = mapped_column(Id)
    staff_id: Mapped[str] = mapped_column(Id)
