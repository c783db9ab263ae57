"""The files of clients' photos."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Index, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, new_id, utc_now
from chassis.database import FirmScoped
from services.clients.models.common import Base, of_client


class ClientPhoto(FirmScoped, Base):
    """A file that may be in the object store. Its row is there before the file is, and goes after it: so that whatever
    is killed in between, an erasure knows of every picture of a person."""

    __tablename__ = "client_photo"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        of_client("client_photo"),
        Index("ix_client_photo_client", "firm_id", "client_id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    client_id: Mapped[str] = mapped_column(Id)
    created_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)

    @property
    def file_key(self) -> str:
        """Where the file is."""
        return photo_key(self.firm_id, self.id)


def photo_key(firm_id: str, photo_id: str) -> str:
    """Where a firm's photo is in the object store."""
    return f"photos/{firm_id}/{photo_id}.jpg"
