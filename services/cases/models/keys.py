"""The keys that seal what is sensitive: the firm's, and each case's own."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from chassis.database import FirmScoped
from chassis.sealing import DataKeyColumns, FirmKeyColumns
from services.cases.models.common import Base, case_key


class FirmKey(FirmKeyColumns, FirmScoped, Base):
    """What wraps the data keys of a firm's cases."""


class CaseKey(DataKeyColumns, FirmScoped, Base):
    """A case's data key. Without it nothing sealed of the case can be read by anybody."""

    __tablename__ = "case_key"
    # The firm last, so that many are found by their cases alone.
    __table_args__ = (
        PrimaryKeyConstraint("case_id", "firm_id"),
        case_key(),
        ForeignKeyConstraint(["firm_id", "firm_key_id"], ["firm_key.firm_id", "firm_key.id"],
                             name="fk_case_key_firm_key"),
    )  # fmt: skip

    case_id: Mapped[str] = mapped_column(Id)
