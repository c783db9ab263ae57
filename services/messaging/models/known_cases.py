"""What messaging knows of cases, fed by events of the service that owns them: of which type each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Index, Integer, PrimaryKeyConstraint, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from chassis.database import ByKind, FirmScoped
from services.messaging.models.common import Base


class KnownCase(FirmScoped, Base):
    """The type of a case as it was last heard of."""

    __tablename__ = "known_case"
    # The firm last, so that many are found by their ids alone.
    __table_args__ = (
        PrimaryKeyConstraint("case_id", "firm_id"),
        # Without the firm, or all of its cases would be looked through.
        Index("ix_known_case_case_type_id", "case_type_id", "case_id"),
    )

    firm_id: Mapped[str] = mapped_column(Id)
    case_id: Mapped[str] = mapped_column(Id)
    version: Mapped[int] = mapped_column(Integer)
    case_type_id: Mapped[str] = mapped_column(Id)


class CasesAsked(Base):
    """How far `cases` was asked for those that are older than what messaging hears of them: to `last_case_id` of the
    firm `of_firm_id`, or to the end. One row; it belongs to the installation."""

    __tablename__ = "cases_asked"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    of_firm_id: Mapped[str | None] = mapped_column(Id)
    last_case_id: Mapped[str | None] = mapped_column(Id)
    done: Mapped[bool] = mapped_column(default=False)


class OfCase(ByKind):
    """Mixin of the models whose rows may be about a case, their `case_id`."""

    @classmethod
    def of_kinds(cls, kinds: Sequence[str]) -> ColumnElement[bool]:
        """Whether a row is about a case of one of these types, or about none. A case of which nothing was heard yet is
        of no type."""
        case_id = cast(Any, cls).case_id
        return or_(case_id.is_(None), case_id.in_(select(KnownCase.case_id).where(KnownCase.case_type_id.in_(kinds))))
