"""Answers that were written to a case."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from services.cases.models.common import Base, FirmKeyed


class AppliedAnswer(FirmKeyed, Base):
    """The last answer of a case task that was applied or refused: an older one that comes late is ignored."""

    __tablename__ = "applied_answer"

    case_task_id: Mapped[str] = mapped_column(Id, primary_key=True)
    answer_version: Mapped[int]
