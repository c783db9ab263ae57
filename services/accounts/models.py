"""The tables of accounts, and the state changes that are legal."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, synonym

from chassis.columns import Id, Json, new_id
from chassis.database import FirmScoped, service_base
from chassis.versioned import Versioned

Base: Any = service_base("accounts")


class Firm(FirmScoped, Versioned, Base):
    """One customer of the system. Its id is the `firm_id` of everything it owns.

    Times of day are kept as `HH:MM` and days as ISO dates; `quiet_hours` null permits messages at all hours.
    """

    __tablename__ = "firm"

    firm_id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id, sort_order=-1)
    id = synonym("firm_id")
    name: Mapped[str] = mapped_column(String(200))
    time_zone: Mapped[str] = mapped_column(String(60))
    locale: Mapped[str] = mapped_column(String(10))
    business_hours: Mapped[dict[str, Any]] = mapped_column(Json)
    holidays: Mapped[list[str]] = mapped_column(Json)
    quiet_hours: Mapped[dict[str, str] | None] = mapped_column(Json)
    postal_address: Mapped[dict[str, Any] | None] = mapped_column(Json)
    branding: Mapped[dict[str, Any]] = mapped_column(Json)
    require_opt_in: Mapped[bool]
    allow_manual_reply: Mapped[bool]
    link_days: Mapped[int]
    holiday_calendar: Mapped[str | None] = mapped_column(String(10))
    opt_out_scope: Mapped[str] = mapped_column(String(20), default="channel", server_default="channel")


class Staff(FirmScoped, Versioned, Base):
    """A person who works at a firm. `case_type_ids` null: every case type; a list: only those."""

    __tablename__ = "staff"
    __table_args__ = (
        UniqueConstraint("firm_id", "id"),
        UniqueConstraint("firm_id", "email"),
        ForeignKeyConstraint(["firm_id"], ["firm.firm_id"]),
        ForeignKeyConstraint(["firm_id", "supervisor_id"], ["staff.firm_id", "staff.id"]),
        Index("ix_staff_firm_id_name", "firm_id", "name", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(320))
    role: Mapped[str] = mapped_column(String(20))
    supervisor_id: Mapped[str | None] = mapped_column(Id)
    active: Mapped[bool] = mapped_column(default=True)
    case_type_ids: Mapped[list[str] | None] = mapped_column(Json)


class ApiKey(FirmScoped, Versioned, Base):
    """A credential of a staff member. Only the SHA-256 of the key is kept: it has too many bits to be guessed."""

    __tablename__ = "api_key"
    __table_args__ = (
        UniqueConstraint("key_hash"),
        ForeignKeyConstraint(["firm_id", "staff_id"], ["staff.firm_id", "staff.id"]),
        Index("ix_api_key_firm_id_created_at", "firm_id", "created_at", "id"),
        Index("ix_api_key_firm_id_staff_id", "firm_id", "staff_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    staff_id: Mapped[str] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(120))
    prefix: Mapped[str] = mapped_column(String(20))
    key_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(Json, default=list)
    last_used_at: Mapped[dt.datetime | None]
    expires_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]

    def is_valid(self, now: dt.datetime) -> bool:
        """Whether the key opens anything at that instant."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def revoke(self, now: dt.datetime) -> bool:
        """Ends the key; False if it had ended before."""
        if self.revoked_at is not None:
            return False
        self.revoked_at = now
        self.touch(now)
        return True
