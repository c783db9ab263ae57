"""What all tables of tasks are made with."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from chassis import versioned
from chassis.columns import Id, new_id, utc_now
from chassis.database import FirmScoped, service_base

Base: Any = service_base("tasks")


class Record(FirmScoped):
    """What every table here has: an id within its firm, and when the row was made."""

    firm_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-2)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id, sort_order=-1)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Versioned(Record, versioned.Versioned):
    """A record that changes."""
