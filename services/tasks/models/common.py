"""What all tables of tasks are made with."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, new_id, utc_now
from chassis.database import FirmScoped, service_base
from contracts.errors import Conflict

Base: Any = service_base("tasks")


class Record(FirmScoped):
    """What every table here has: an id within its firm, and when the row was made."""

    firm_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-2)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id, sort_order=-1)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Versioned(Record):
    """A record that changes. `version` grows by one per change and makes the ETag."""

    version: Mapped[int] = mapped_column(Integer, default=1)
    updated_at: Mapped[dt.datetime] = mapped_column(default=utc_now)

    def touch(self, now: dt.datetime) -> None:
        """Counts one more change."""
        self.version += 1
        self.updated_at = now

    def expect_version(self, expected: int | None) -> None:
        """Raises Conflict `stale_version` if the caller looked at another version."""
        if expected is not None and expected != self.version:
            raise Conflict("stale_version", version=self.version)
