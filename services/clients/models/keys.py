"""The keys that seal what is sensitive: the firm's, and each client's own."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from chassis.database import FirmScoped
from chassis.sealing import DataKeyColumns, FirmKeyColumns
from services.clients.models.common import Base, of_client


class FirmKey(FirmKeyColumns, FirmScoped, Base):
    """What wraps the data keys of a firm's clients."""


class ClientKey(DataKeyColumns, FirmScoped, Base):
    """A client's data key. Without it nothing sealed of the client can be read by anybody."""

    __tablename__ = "client_key"
    # The firm last, so that many are found by their clients alone.
    __table_args__ = (
        PrimaryKeyConstraint("client_id", "firm_id"),
        of_client("client_key"),
        ForeignKeyConstraint(["firm_id", "firm_key_id"], ["firm_key.firm_id", "firm_key.id"],
                             name="fk_client_key_firm_key"),
    )  # fmt: skip

    client_id: Mapped[str] = mapped_column(Id)
