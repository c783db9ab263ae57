"""What all tables of cases are made with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from chassis.database import FirmScoped, service_base

Base: Any = service_base("cases")


class FirmKeyed(FirmScoped):
    """The firm is the first part of the primary key."""

    firm_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-2)


class OfCase(FirmKeyed):
    """A row that belongs to a case."""

    case_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-1)


def case_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["firm_id", "case_id"], ["cases.firm_id", "cases.id"])
