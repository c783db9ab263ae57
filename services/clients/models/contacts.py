"""People who use the portal for business clients."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Boolean, ForeignKeyConstraint, Index, PrimaryKeyConstraint, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, new_id, utc_now
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.clients.models.common import Base, of_client


class Contact(FirmScoped, Versioned, Base):
    """A person who uses the portal for the business clients that they are tied to.

    `email_key` is what equal addresses have in common, and a firm's once. `sort_name` and `search_text` are derived by
    `services.clients.contacts`.
    """

    __tablename__ = "contact"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        Index(
            "uq_contact_email", "firm_id", "email_key", unique=True,
            sqlite_where=text("email_key IS NOT NULL"), postgresql_where=text("email_key IS NOT NULL"),
        ),
        # For those that are looked up by the dozen, as clients are.
        Index("uq_contact_id", "id", unique=True),
        Index("ix_contact_name", "firm_id", "sort_name", "id"),
        Index("ix_contact_created", "firm_id", "created_at", "id"),
        Index("ix_contact_phone", "firm_id", "phone"),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, default=new_id)
    first_name: Mapped[str | None] = mapped_column(String(120))
    last_name: Mapped[str | None] = mapped_column(String(120))
    email: Mapped[str | None] = mapped_column(String(320))
    email_key: Mapped[str | None] = mapped_column(String(320))
    phone: Mapped[str | None] = mapped_column(String(20))
    title: Mapped[str | None] = mapped_column(String(120))
    sort_name: Mapped[str] = mapped_column(String(300))
    search_text: Mapped[str] = mapped_column(Text)


class ContactTie(FirmScoped, Base):
    """That a contact belongs to a business client. `notify`: notices about the business's cases go to this contact;
    where several are marked, in the order in which they were tied."""

    __tablename__ = "contact_tie"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "contact_id"),
        of_client("contact_tie"),
        ForeignKeyConstraint(
            ["firm_id", "contact_id"], ["contact.firm_id", "contact.id"], name="fk_contact_tie_contact",
            ondelete="CASCADE",
        ),
        Index("ix_contact_tie_contact", "firm_id", "contact_id"),
        # Of many businesses at once, whose notices are to go out.
        Index(
            "ix_contact_tie_notify", "client_id",
            sqlite_where=text("notify"), postgresql_where=text("notify"),
        ),
    )  # fmt: skip

    client_id: Mapped[str] = mapped_column(Id)
    contact_id: Mapped[str] = mapped_column(Id)
    notify: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)


class DeletedContact(FirmScoped, Base):
    """What is kept of a contact that was deleted until messaging has forgotten what it knows by their addresses.
    `ask_at`: when it is asked again."""

    __tablename__ = "deleted_contact"
    __table_args__ = (PrimaryKeyConstraint("firm_id", "contact_id"), Index("ix_deleted_contact_ask_at", "ask_at"))

    contact_id: Mapped[str] = mapped_column(Id)
    email_key: Mapped[str | None] = mapped_column(String(320))
    phone: Mapped[str | None] = mapped_column(String(20))
    ask_at: Mapped[dt.datetime] = mapped_column(Instant)
