"""What all tables of messaging are made with."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import utc_now
from chassis.database import service_base

Base: Any = service_base("messaging")


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Stamps:
    """When a row came to be and last changed; `version` grows by one per change."""

    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(default=utc_now)

    def touch(self, now: dt.datetime) -> None:
        """Marks a change."""
        self.version += 1
        self.updated_at = now
