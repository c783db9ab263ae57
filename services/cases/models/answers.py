"""Answers that were written to a case."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant
from services.cases.models.common import Base, FirmKeyed, OfCase


class AppliedAnswer(FirmKeyed, Base):
    """The last answer of a case task that was applied or refused: an older one that comes late is ignored."""

    __tablename__ = "applied_answer"

    case_task_id: Mapped[str] = mapped_column(Id, primary_key=True)
    answer_version: Mapped[int]


class FieldAnswer(OfCase, Base):
    """When the answer was given that was last written to a custom field of a case: one that was given before it and
    comes late does not replace it."""

    __tablename__ = "field_answer"

    field: Mapped[str] = mapped_column(String(60), primary_key=True)
    given_at: Mapped[dt.datetime] = mapped_column(Instant)
