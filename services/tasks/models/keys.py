"""The keys that seal sensitive answers: the firm's, and each case task's own."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from chassis.database import FirmScoped
from chassis.sealing import DataKeyColumns, FirmKeyColumns
from services.tasks.models.common import Base


class FirmKey(FirmKeyColumns, FirmScoped, Base):
    """What wraps the data keys of a firm's answers."""


class AnswerKey(DataKeyColumns, FirmScoped, Base):
    """A case task's data key. Without it nobody can read what was answered there."""

    __tablename__ = "answer_key"
    # The firm last, so that many are found by their tasks alone.
    __table_args__ = (
        PrimaryKeyConstraint("case_task_id", "firm_id"),
        ForeignKeyConstraint(["firm_id", "case_task_id"], ["case_task.firm_id", "case_task.id"]),
        ForeignKeyConstraint(["firm_id", "firm_key_id"], ["firm_key.firm_id", "firm_key.id"],
                             name="fk_answer_key_firm_key"),
    )  # fmt: skip

    case_task_id: Mapped[str] = mapped_column(Id)
