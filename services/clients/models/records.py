"""The record of a client. Its phones, emails, addresses and tags are rows of their own, replaced as a list."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, Json, JsonOrNull, new_id, utc_now
from chassis.database import FirmScoped
from services.clients.models.common import Base, of_client, one_of

STATUSES = ("active", "inactive", "prospective", "blacklisted")


_PRESENT = text("archived_at IS NULL")


def _listed(name: str, *columns: str, also: str | None = None) -> Index:
    """An index of the clients that are not archived, in the order of their creation."""
    where = _PRESENT if also is None else text(f"archived_at IS NULL AND {also}")
    return Index(name, "firm_id", *columns, "created_at", "id", sqlite_where=where, postgresql_where=where)


_FILTERED = (
    "first_name", "middle_name", "last_name", "company_name", "occupation", "industry", "referral_source", "language",
    "time_zone",
)  # fmt: skip


def _filtered(name: str, column: str) -> Index:
    where = text(f"archived_at IS NULL AND {column} IS NOT NULL")
    return Index(name, "firm_id", column, sqlite_where=where, postgresql_where=where)


class Client(FirmScoped, Base):
    """One person or business. `sort_name` and `name_key` are derived by `services.clients.names`, `keys` (a blank
    apart) by `services.clients.search.search_keys`. `search_text` is empty: it stays for processes of the version
    before. What is sensitive is sealed by `services.clients.client_keys`; the `…_key` beside it is a blind index.

    `version` grows by one per change of what the record shows; the last activity is not part of that.
    """

    __tablename__ = "client"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        one_of("kind", ("individual", "business"), "kind"),
        one_of("status", STATUSES, "status"),
        CheckConstraint(
            "first_name IS NOT NULL OR last_name IS NOT NULL OR company_name IS NOT NULL", name="has_a_name"
        ),
        CheckConstraint("(external_source IS NULL) = (external_source_id IS NULL)", name="external_pair"),
        Index(
            "uq_client_external", "firm_id", "external_source", "external_source_id", unique=True,
            sqlite_where=text("archived_at IS NULL"), postgresql_where=text("archived_at IS NULL"),
        ),
        # For those that are looked up by the hundred, whatever PostgreSQL takes their firm to have.
        Index("uq_client_id", "id", unique=True),
        Index("ix_client_created", "firm_id", "created_at", "id"),
        Index("ix_client_name", "firm_id", "sort_name", "id"),
        Index("ix_client_name_key", "firm_id", "name_key"),
        # The keys themselves begin with the firm.
        Index("ix_client_keys", "keys", postgresql_using="gin", postgresql_where=_PRESENT).ddl_if(dialect="postgresql"),
        Index("ix_client_birth", "firm_id", "birth_key"),
        # Empty but after an upgrade, until what was kept in clear is sealed.
        Index(
            "ix_client_unsealed", "firm_id", "id",
            sqlite_where=text("date_of_birth IS NOT NULL AND birth_key IS NULL"),
            postgresql_where=text("date_of_birth IS NOT NULL AND birth_key IS NULL"),
        ),
        # What lists are narrowed by, in the order that they have unless they are asked for another.
        _listed("ix_client_staff", "assigned_staff_id"),
        _listed("ix_client_status", "status"),
        _listed("ix_client_flagged", also="flag_reason IS NOT NULL"),
        _listed("ix_client_spam", also="spam"),
        # What filters ask for, where there is something: of a rare value, the table is not read from end to end.
        _listed("ix_client_businesses", also="kind = 'business'"),
        *(_filtered(f"ix_client_{name}", name) for name in _FILTERED),
        # Values of a firm's own fields, whatever their keys.
        Index(
            "ix_client_own_fields", "custom_fields", postgresql_using="gin",
            postgresql_ops={"custom_fields": "jsonb_path_ops"},
            postgresql_where=text("archived_at IS NULL AND custom_fields <> '{}'"),
        ).ddl_if(dialect="postgresql"),
        Index(
            "ix_client_archived_firm", "firm_id",
            sqlite_where=text("archived_at IS NOT NULL"), postgresql_where=text("archived_at IS NOT NULL"),
        ),
        # Those of an import, to take it back.
        Index(
            "ix_client_import", "firm_id", "import_id", "id",
            sqlite_where=text("import_id IS NOT NULL"), postgresql_where=text("import_id IS NOT NULL"),
        ),
        Index(
            "ix_client_archived", "archived_at", "id",
            sqlite_where=text("archived_at IS NOT NULL"), postgresql_where=text("archived_at IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, default=new_id)
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)
    archived_at: Mapped[dt.datetime | None] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(20), default="individual")
    first_name: Mapped[str | None] = mapped_column(String(120))
    middle_name: Mapped[str | None] = mapped_column(String(120))
    last_name: Mapped[str | None] = mapped_column(String(120))
    company_name: Mapped[str | None] = mapped_column(String(200))
    date_of_birth: Mapped[str | None] = mapped_column(Text)
    birth_key: Mapped[str | None] = mapped_column(String(22))
    birthday_key: Mapped[str | None] = mapped_column(String(22))
    government_ids: Mapped[str | None] = mapped_column(Text)
    occupation: Mapped[str | None] = mapped_column(String(120))
    industry: Mapped[str | None] = mapped_column(String(120))
    referral_source: Mapped[str | None] = mapped_column(String(120))
    special_requirements: Mapped[str | None] = mapped_column(String(2000))
    status: Mapped[str] = mapped_column(String(20), default="active")
    spam: Mapped[bool] = mapped_column(Boolean, default=False)
    flag_reason: Mapped[str | None] = mapped_column(String(500))
    language: Mapped[str | None] = mapped_column(String(6))
    time_zone: Mapped[str | None] = mapped_column(String(60))
    assigned_staff_id: Mapped[str | None] = mapped_column(Id)
    custom_fields: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    external_source: Mapped[str | None] = mapped_column(String(60))
    external_source_id: Mapped[str | None] = mapped_column(String(120))
    data_consent: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    photo_id: Mapped[str | None] = mapped_column(Id)
    import_id: Mapped[str | None] = mapped_column(Id)
    sort_name: Mapped[str] = mapped_column(String(300), default="")
    name_key: Mapped[str] = mapped_column(String(300), default="")
    search_text: Mapped[str] = mapped_column(Text, default="")
    keys: Mapped[str] = mapped_column(
        Text().with_variant(TSVECTOR(), "postgresql"), default="", server_default=text("''"), deferred=True
    )


class ClientPhone(FirmScoped, Base):
    """`number` in E.164. `position` keeps the order given. One of a client's is the primary (`models.primaries`)."""

    __tablename__ = "client_phone"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "number"),
        of_client("client_phone"),
        one_of("kind", ("mobile", "home", "work"), "kind"),
        Index("ix_client_phone_number", "firm_id", "number"),
        Index(
            "uq_client_phone_primary", "firm_id", "client_id", unique=True,
            sqlite_where=text("is_primary"), postgresql_where=text("is_primary"),
        ),
    )  # fmt: skip

    client_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    number: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(20))
    is_primary: Mapped[bool] = mapped_column(Boolean)


class ClientEmail(FirmScoped, Base):
    """`address` as it is written to; `key` is what equal addresses have in common. One of a client's is the primary
    (`models.primaries`)."""

    __tablename__ = "client_email"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "key"),
        of_client("client_email"),
        Index("ix_client_email_key", "firm_id", "key"),
        Index(
            "uq_client_email_primary", "firm_id", "client_id", unique=True,
            sqlite_where=text("is_primary"), postgresql_where=text("is_primary"),
        ),
    )  # fmt: skip

    client_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    address: Mapped[str] = mapped_column(String(320))
    key: Mapped[str] = mapped_column(String(320))
    is_primary: Mapped[bool] = mapped_column(Boolean)


class ClientAddress(FirmScoped, Base):
    """A postal address. The primary one is that of the kind `primary`, of which a client has one at most; with none,
    the first."""

    __tablename__ = "client_address"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "position"),
        of_client("client_address"),
        one_of("kind", ("primary", "mailing", "billing", "service_area"), "kind"),
        Index("ix_client_address_postal_code", "firm_id", "postal_code"),
        Index("ix_client_address_city", "firm_id", "city"),
        Index("ix_client_address_state", "firm_id", "state"),
        Index("ix_client_address_country", "firm_id", "country"),
        Index(
            "uq_client_address_primary", "firm_id", "client_id", unique=True,
            sqlite_where=text("kind = 'primary'"), postgresql_where=text("kind = 'primary'"),
        ),
    )  # fmt: skip

    client_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(20))
    line1: Mapped[str | None] = mapped_column(String(500))
    line2: Mapped[str | None] = mapped_column(String(500))
    city: Mapped[str | None] = mapped_column(String(120))
    state: Mapped[str | None] = mapped_column(String(60))
    postal_code: Mapped[str | None] = mapped_column(String(20))
    country: Mapped[str | None] = mapped_column(String(2))


class ClientGovernmentId(FirmScoped, Base):
    """The blind index of one government id of a client, by which it is found."""

    __tablename__ = "client_government_id"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "key"),
        of_client("client_government_id"),
        Index("ix_client_government_id_key", "firm_id", "key"),
    )

    client_id: Mapped[str] = mapped_column(Id)
    key: Mapped[str] = mapped_column(String(22))


class ClientTag(FirmScoped, Base):
    """One tag of one client; `key` is its folded form, by which it is filtered."""

    __tablename__ = "client_tag"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "key"),
        of_client("client_tag"),
        Index("ix_client_tag_key", "firm_id", "key", "client_id"),
    )

    client_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    tag: Mapped[str] = mapped_column(String(60))
    key: Mapped[str] = mapped_column(String(60))
