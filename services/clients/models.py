"""Tables of clients. A client's phones, emails, addresses and tags are rows of their own, replaced as a list.

Keys begin with the firm; what is looked up by many ids at once has an index of the ids alone (ADR 0014).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, Json, new_id, utc_now
from chassis.database import FirmScoped, service_base
from contracts.errors import Conflict

Base: Any = service_base("clients")

STATUSES = ("active", "inactive", "prospective", "blacklisted")


def _one_of(column: str, options: tuple[str, ...], name: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(option) for option in options)})", name=name)


def _of_client(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["firm_id", "client_id"], ["client.firm_id", "client.id"], name=f"fk_{table}_client", ondelete="CASCADE"
    )


class Client(FirmScoped, Base):
    """One person or business. `sort_name`, `name_key` and `search_text` are derived by `services.clients.names`.

    `version` grows by one per change of what the record shows; the last activity is not part of that.
    """

    __tablename__ = "client"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        _one_of("kind", ("individual", "business"), "kind"),
        _one_of("status", STATUSES, "status"),
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
        Index("ix_client_birth", "firm_id", "date_of_birth"),
        Index("ix_client_staff", "firm_id", "assigned_staff_id"),
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
    date_of_birth: Mapped[dt.date | None] = mapped_column(Date)
    occupation: Mapped[str | None] = mapped_column(String(120))
    status: Mapped[str] = mapped_column(String(20), default="active")
    spam: Mapped[bool] = mapped_column(Boolean, default=False)
    flag_reason: Mapped[str | None] = mapped_column(String(500))
    language: Mapped[str | None] = mapped_column(String(6))
    time_zone: Mapped[str | None] = mapped_column(String(60))
    assigned_staff_id: Mapped[str | None] = mapped_column(Id)
    custom_fields: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    external_source: Mapped[str | None] = mapped_column(String(60))
    external_source_id: Mapped[str | None] = mapped_column(String(120))
    import_id: Mapped[str | None] = mapped_column(Id)
    sort_name: Mapped[str] = mapped_column(String(300), default="")
    name_key: Mapped[str] = mapped_column(String(300), default="")
    search_text: Mapped[str] = mapped_column(Text, default="")


class LastActivity(FirmScoped, Base):
    """When something last happened to a client. Apart from the record: each message moves it, and the record is wide
    and in many indexes."""

    __tablename__ = "last_activity"
    # The firm last, so that many are found by their clients alone.
    __table_args__ = (
        PrimaryKeyConstraint("client_id", "firm_id"),
        Index("ix_last_activity_at", "firm_id", "at", "client_id"),
    )

    firm_id: Mapped[str] = mapped_column(Id)
    client_id: Mapped[str] = mapped_column(Id)
    at: Mapped[dt.datetime] = mapped_column(Instant)


class ClientPhone(FirmScoped, Base):
    """`number` in E.164. `position` keeps the order given."""

    __tablename__ = "client_phone"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "number"),
        _of_client("client_phone"),
        _one_of("kind", ("mobile", "home", "work"), "kind"),
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
    """`address` as it is written to; `key` is what equal addresses have in common."""

    __tablename__ = "client_email"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "key"),
        _of_client("client_email"),
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
    """A postal address; at most one of a client is of the kind `primary`."""

    __tablename__ = "client_address"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "position"),
        _of_client("client_address"),
        _one_of("kind", ("primary", "mailing", "billing", "service_area"), "kind"),
        Index("ix_client_address_postal_code", "firm_id", "postal_code"),
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


class ClientTag(FirmScoped, Base):
    """One tag of one client; `key` is its folded form, by which it is filtered."""

    __tablename__ = "client_tag"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "client_id", "key"),
        _of_client("client_tag"),
        Index("ix_client_tag_key", "firm_id", "key", "client_id"),
    )

    client_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    tag: Mapped[str] = mapped_column(String(60))
    key: Mapped[str] = mapped_column(String(60))


class Activity(FirmScoped, Base):
    """What happened to a client, from any service. `kind` is an event's name; `facts` holds ids and words of ours."""

    __tablename__ = "activity"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        Index("ix_activity_client", "firm_id", "client_id", "at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    client_id: Mapped[str] = mapped_column(Id)
    at: Mapped[dt.datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(120))
    facts: Mapped[dict[str, Any]] = mapped_column(Json)


class AppliedAnswer(FirmScoped, Base):
    """The newest answer of a case task that was applied to a client, or refused."""

    __tablename__ = "applied_answer"
    __table_args__ = (PrimaryKeyConstraint("firm_id", "case_task_id"),)

    case_task_id: Mapped[str] = mapped_column(Id)
    answer_version: Mapped[int] = mapped_column(Integer)


class Import(FirmScoped, Base):
    """One uploaded file and how far its rows have been taken in.

    `position` is the number of rows whose outcome is committed: `created + updated + skipped + failed`.
    """

    __tablename__ = "file_import"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        CheckConstraint("created + updated + skipped + failed = position", name="counts_add_up"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(Instant, default=utc_now)
    state: Mapped[str] = mapped_column(String(20), default="uploaded")
    target: Mapped[str] = mapped_column(String(20))
    filename: Mapped[str] = mapped_column(String(255))
    file_key: Mapped[str] = mapped_column(String(300))
    encoding: Mapped[str] = mapped_column(String(40))
    delimiter: Mapped[str] = mapped_column(String(1))
    columns: Mapped[list[str]] = mapped_column(Json)
    suggested_mapping: Mapped[dict[str, str]] = mapped_column(Json)
    mapping: Mapped[dict[str, str] | None] = mapped_column(Json)
    duplicates: Mapped[str | None] = mapped_column(String(20))
    default_values: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    default_country: Mapped[str] = mapped_column(String(2), default="US")
    total: Mapped[int] = mapped_column(Integer)
    position: Mapped[int] = mapped_column(Integer, default=0)
    created: Mapped[int] = mapped_column(Integer, default=0)
    updated: Mapped[int] = mapped_column(Integer, default=0)
    skipped: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    error_counts: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    preview: Mapped[dict[str, Any] | None] = mapped_column(Json)
    failure: Mapped[str | None] = mapped_column(String(200))

    def previewed(self, settings: dict[str, Any], outcome: dict[str, Any]) -> None:
        """Keeps the settings of a run and what it would do. Raises Conflict `import_started`."""
        if self.state not in ("uploaded", "previewed"):
            raise Conflict("import_started", state=self.state)
        self.mapping = settings["mapping"]
        self.duplicates = settings["duplicates"]
        self.default_values = settings["default_values"]
        self.default_country = settings["default_country"]
        self.preview = outcome
        self._moved("previewed")

    def started(self) -> None:
        """Raises Conflict `import_started` if it runs or ran, `import_not_previewed` if no mapping is known."""
        if self.state not in ("uploaded", "previewed"):
            raise Conflict("import_started", state=self.state)
        if self.mapping is None:
            raise Conflict("import_not_previewed", state=self.state)
        self._moved("running")

    def advanced(self, outcomes: dict[str, int], error_counts: dict[str, int]) -> None:
        """Adds a chunk's outcomes (`created`, `updated`, `skipped`, `failed`); the import ends with its last row."""
        for outcome, count in outcomes.items():
            setattr(self, outcome, getattr(self, outcome) + count)
        self.position += sum(outcomes.values())
        self.error_counts = {
            code: self.error_counts.get(code, 0) + error_counts.get(code, 0)
            for code in {*self.error_counts, *error_counts}
        }
        self._moved("finished" if self.position >= self.total else "running")

    def gave_up(self, failure: str) -> None:
        """The rest of the file can no longer be read; what is committed stays, and counts."""
        self.failure = failure
        self._moved("failed")

    def _moved(self, state: str) -> None:
        self.state = state
        self.version += 1
        self.updated_at = utc_now()


class ImportRow(FirmScoped, Base):
    """A row of a file that failed. `row` counts from 1 without the header; `errors` are `code:field`.

    The row's cells stay in the file: personal data that was refused is not kept a second time.
    """

    __tablename__ = "import_row"
    __table_args__ = (PrimaryKeyConstraint("firm_id", "import_id", "row"),)

    import_id: Mapped[str] = mapped_column(Id)
    row: Mapped[int] = mapped_column(Integer)
    errors: Mapped[list[str]] = mapped_column(Json)
