"""What all tables of cases are made with."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Integer
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, utc_now
from chassis.database import FirmScoped, service_base

Base: Any = service_base("cases")


class FirmKeyed(FirmScoped):
    """The firm is the first part of the primary key."""

    firm_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-2)


class Versioned:
    """What every record carries: `version` grows by one per change and makes the ETag."""

    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(default=utc_now)

    def touch(self, now: dt.datetime) -> None:
        """Counts one more change."""
        self.version += 1
        self.updated_at = now


class OfCase(FirmKeyed):
    """A row that belongs to a case."""

    case_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-1)


def case_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["firm_id", "case_id"], ["cases.firm_id", "cases.id"])
