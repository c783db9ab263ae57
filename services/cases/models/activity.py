"""What happened in cases."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Index, PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, new_id
from chassis.database import FirmScoped
from services.cases.models.common import Base


class CaseActivity(FirmScoped, Base):
    """What happened in a case, in any service. `kind` is an event's name; `facts` holds ids and words of ours."""

    __tablename__ = "case_activity"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        Index("ix_case_activity_case", "firm_id", "case_id", "at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    case_id: Mapped[str] = mapped_column(Id)
    at: Mapped[dt.datetime]
    kind: Mapped[str] = mapped_column(String(120))
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
