"""What tasks know of cases, fed by events of the service that owns them: ids and words, no personal data."""

from __future__ import annotations

from sqlalchemy import Index, Integer, PrimaryKeyConstraint, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from chassis.database import FirmScoped
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
