"""The tables of cases, and the state changes that are legal.

Every key begins with the firm, and so does every reference: a row of one firm cannot name a row of another.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from chassis.columns import Exact, Folded, Id, Json, JsonOrNull, new_id, utc_now
from chassis.database import FirmScoped, service_base
from chassis.redirects import MovedRow, RedirectRow
from chassis.texts import fold

Base: Any = service_base("cases")


class FirmKeyed(FirmScoped):
    """The firm is the first part of the primary key."""

    firm_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-2)


class Versioned:
    """What every record carries: `version` grows by one per change and makes the ETag."""

    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(default=utc_now)

    def touch(self, now: dt.datetime) -> None:
        """Counts one more change."""
        self.version += 1
        self.updated_at = now


class CaseType(FirmKeyed, Versioned, Base):
    """A kind of case. Its statuses and custom fields are rows of their own."""

    __tablename__ = "case_type"
    __table_args__ = (
        UniqueConstraint("firm_id", "name", name="uq_case_type_name"),
        Index("ix_case_type_firm_id_created_at", "firm_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))


class CaseStatus(FirmKeyed, Base):
    """One status of a case type. A case refers to it, so that one with cases in it cannot be removed."""

    __tablename__ = "case_status"
    __table_args__ = (ForeignKeyConstraint(["firm_id", "case_type_id"], ["case_type.firm_id", "case_type.id"]),)

    case_type_id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[int]
    closed: Mapped[bool]

    @property
    def state(self) -> str:
        """The state of a case in this status."""
        return "closed" if self.closed else "open"


class CustomField(FirmKeyed, Base):
    """A field that a firm adds to a case type. A removed one is kept: its values stay stored, and are hidden."""

    __tablename__ = "custom_field"
    __table_args__ = (
        ForeignKeyConstraint(["firm_id", "case_type_id"], ["case_type.firm_id", "case_type.id"]),
        Index("ix_custom_field_firm_id_key", "firm_id", "key"),
    )

    case_type_id: Mapped[str] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[int]
    label: Mapped[str] = mapped_column(String(120))
    type: Mapped[str] = mapped_column(String(20))
    required: Mapped[bool] = mapped_column(default=False)
    sensitive: Mapped[bool] = mapped_column(default=False)
    options: Mapped[list[str]] = mapped_column(Json, default=list)
    removed_at: Mapped[dt.datetime | None] = mapped_column(default=None)


class Case(FirmKeyed, Versioned, Base):
    """A case. `state` follows from its status (`pending` while its new client is being created).

    `custom_fields` holds the values as they are on the wire; `case_field_value` holds them again for filters. The
    folded columns are what `contains`, `starts_with`, search and sorting compare.
    """

    __tablename__ = "cases"  # CASE is a word of SQL.
    __table_args__ = (
        UniqueConstraint("firm_id", "number", name="uq_cases_number"),
        Index(
            "uq_cases_external_source_id",
            "firm_id",
            "external_source",
            "external_source_id",
            unique=True,
            sqlite_where=text("external_source_id IS NOT NULL"),
            postgresql_where=text("external_source_id IS NOT NULL"),
        ),
        ForeignKeyConstraint(
            ["firm_id", "case_type_id", "status"],
            ["case_status.firm_id", "case_status.case_type_id", "case_status.name"],
            name="fk_cases_status",
        ),
        Index("ix_cases_firm_id_name", "firm_id", "name_folded", "id"),
        Index("ix_cases_firm_id_number", "firm_id", "number_folded", "id"),
        Index("ix_cases_firm_id_created_at", "firm_id", "created_at", "id"),
        Index("ix_cases_firm_id_updated_at", "firm_id", "updated_at", "id"),
        Index("ix_cases_firm_id_type_status", "firm_id", "case_type_id", "status", "id"),
        Index("ix_cases_firm_id_status", "firm_id", "status", "id"),
        Index("ix_cases_firm_id_state", "firm_id", "state", "id"),
        Index("ix_cases_firm_id_responsible_staff_id", "firm_id", "responsible_staff_id", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(String(60))
    number_folded: Mapped[str] = mapped_column(Folded)
    name: Mapped[str] = mapped_column(String(200))
    name_folded: Mapped[str] = mapped_column(Folded)
    case_type_id: Mapped[str] = mapped_column(Id)
    status: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(10))
    description: Mapped[str | None] = mapped_column(Text)
    description_folded: Mapped[str | None] = mapped_column(Folded)
    responsible_staff_id: Mapped[str | None] = mapped_column(Id)
    source: Mapped[str | None] = mapped_column(String(120))
    source_folded: Mapped[str | None] = mapped_column(Folded)
    value: Mapped[Decimal | None] = mapped_column(Exact)
    external_source: Mapped[str | None] = mapped_column(String(60))
    external_source_id: Mapped[str | None] = mapped_column(String(120))
    custom_fields: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    archived_at: Mapped[dt.datetime | None]

    @validates("number", "name", "description", "source")
    def _fold(self, name: str, value: str | None) -> str | None:
        setattr(self, f"{name}_folded", None if value is None else fold(value))
        return value

    def move_to(self, status: CaseStatus) -> bool:
        """Takes a status of its type; False if it had it. A pending case stays pending."""
        if self.status == status.name:
            return False
        self.status = status.name
        if self.state != "pending":
            self.state = status.state
        return True

    def activate(self, status: CaseStatus) -> bool:
        """Ends the wait for the new client; False if the case was not waiting."""
        if self.state != "pending":
            return False
        self.state = status.state
        return True

    def archive(self, now: dt.datetime) -> bool:
        """Takes the case out of lists and selections; False if it was archived before."""
        if self.archived_at is not None:
            return False
        self.archived_at = now
        self.touch(now)
        return True


class OfCase(FirmKeyed):
    """A row that belongs to a case."""

    case_id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-1)


def _case_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["firm_id", "case_id"], ["cases.firm_id", "cases.id"])


class CaseClient(OfCase, Base):
    """A client of a case: each once, and no second primary."""

    __tablename__ = "case_client"
    __table_args__ = (
        _case_key(),
        Index(
            "uq_case_client_primary",
            "firm_id",
            "case_id",
            unique=True,
            sqlite_where=text("role = 'primary'"),
            postgresql_where=text("role = 'primary'"),
        ),
        Index("ix_case_client_firm_id_client_id", "firm_id", "client_id", "case_id"),
    )

    client_id: Mapped[str] = mapped_column(Id, primary_key=True)
    role: Mapped[str] = mapped_column(String(10))
    label: Mapped[str | None] = mapped_column(String(60))
    position: Mapped[int]


class CaseStaff(OfCase, Base):
    """A staff member on a case, besides the responsible one."""

    __tablename__ = "case_staff"
    __table_args__ = (_case_key(), Index("ix_case_staff_firm_id_staff_id", "firm_id", "staff_id", "case_id"))

    staff_id: Mapped[str] = mapped_column(Id, primary_key=True)
    position: Mapped[int]


class CaseFieldValue(OfCase, Base):
    """A custom field's value, typed, for filters; of several choices one row each.

    Rows of typed columns rather than one JSON document: PostgreSQL's index over JSONB answers equality only, not
    `between`, `starts_with` or a date's order, and SQLite has none at all. Here a btree serves every operator, the same
    on both. The index holds the start of a text, for a whole one can be longer than an entry may be.
    """

    __tablename__ = "case_field_value"
    __table_args__ = (
        _case_key(),
        Index("ix_case_field_value_start", "firm_id", "key", "start", "case_id"),
        Index("ix_case_field_value_number", "firm_id", "key", "number", "case_id"),
        Index("ix_case_field_value_day", "firm_id", "key", "day", "case_id"),
    )

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str | None] = mapped_column(Text)
    folded: Mapped[str | None] = mapped_column(Folded)
    start: Mapped[str | None] = mapped_column(Folded)
    number: Mapped[Decimal | None] = mapped_column(Exact)
    day: Mapped[dt.date | None]


class StatusChange(OfCase, Base):
    """The history of a case's status. `actor_id` null: the system."""

    __tablename__ = "case_status_change"
    __table_args__ = (_case_key(),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    from_status: Mapped[str | None] = mapped_column(String(60))
    to_status: Mapped[str] = mapped_column(String(60))
    actor_id: Mapped[str | None] = mapped_column(Id)
    at: Mapped[dt.datetime]


class NumberSeries(FirmKeyed, Base):
    """The firm's series of case numbers. Its row is the lock that makes each number given once."""

    __tablename__ = "number_series"

    last: Mapped[int] = mapped_column(default=0)


class NewClientRequest(OfCase, Base):
    """A pending case's new client, whose id was chosen beforehand, so that creating it can be repeated to the end.

    `client_data` is cleared when it is settled. The key finds the case again when its caller repeats the request.
    """

    __tablename__ = "new_client_request"
    __table_args__ = (
        _case_key(),
        UniqueConstraint("firm_id", "idempotency_key", name="uq_new_client_request_key"),
        Index(
            "ix_new_client_request_due_at",
            "due_at",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
        Index("ix_new_client_request_settled_at", "settled_at"),
    )

    client_id: Mapped[str] = mapped_column(Id)
    client_data: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_hash: Mapped[str | None] = mapped_column(String(64))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[dt.datetime]
    settled_at: Mapped[dt.datetime | None]

    def settle(self, now: dt.datetime) -> None:
        """The client exists: its data has one home, and that is not here."""
        self.client_data = None
        self.settled_at = now


class SavedFilter(FirmKeyed, Versioned, Base):
    """A filter with a name, as it was written."""

    __tablename__ = "saved_filter"
    __table_args__ = (
        UniqueConstraint("firm_id", "name", name="uq_saved_filter_name"),
        Index("ix_saved_filter_firm_id_created_at", "firm_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    filter: Mapped[dict[str, Any]] = mapped_column(Json)


class CaseList(FirmKeyed, Versioned, Base):
    """A named set of cases: a filter's, with cases added and cases left out."""

    __tablename__ = "case_list"
    __table_args__ = (
        UniqueConstraint("firm_id", "name", name="uq_case_list_name"),
        Index("ix_case_list_firm_id_created_at", "firm_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str | None] = mapped_column(Text)
    filter: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)


class CaseListMember(FirmKeyed, Base):
    """A case added to a list (`included`), or left out of it."""

    __tablename__ = "case_list_member"
    __table_args__ = (
        ForeignKeyConstraint(["firm_id", "case_list_id"], ["case_list.firm_id", "case_list.id"]),
        _case_key(),
        Index("ix_case_list_member_firm_id_case_id", "firm_id", "case_id"),
    )

    case_list_id: Mapped[str] = mapped_column(Id, primary_key=True)
    included: Mapped[bool] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(Id, primary_key=True)


class FilterUse(FirmKeyed, Base):
    """A saved filter or case list (`user_id`) that refers to a saved filter, which therefore cannot be deleted."""

    __tablename__ = "filter_use"
    __table_args__ = (
        ForeignKeyConstraint(["firm_id", "saved_filter_id"], ["saved_filter.firm_id", "saved_filter.id"]),
        Index("ix_filter_use_firm_id_saved_filter_id", "firm_id", "saved_filter_id"),
    )

    user_id: Mapped[str] = mapped_column(Id, primary_key=True)
    saved_filter_id: Mapped[str] = mapped_column(Id, primary_key=True)


class ClientFacts(FirmKeyed, Base):
    """What filters need of a client, fed by its owner's events. Of a deleted one nothing but the version is left."""

    __tablename__ = "client_facts"
    __table_args__ = (
        Index("ix_client_facts_firm_id_status", "firm_id", "status", "client_id"),
        Index("ix_client_facts_firm_id_language", "firm_id", "language", "client_id"),
    )

    client_id: Mapped[str] = mapped_column(Id, primary_key=True)
    version: Mapped[int]
    status: Mapped[str | None] = mapped_column(String(20))
    language: Mapped[str | None] = mapped_column(String(20))
    erased_at: Mapped[dt.datetime | None]


class ClientTag(FirmKeyed, Base):
    """A tag of a client."""

    __tablename__ = "client_tag"
    __table_args__ = (Index("ix_client_tag_firm_id_tag", "firm_id", "tag", "client_id"),)

    client_id: Mapped[str] = mapped_column(Id, primary_key=True)
    tag: Mapped[str] = mapped_column(String(60), primary_key=True)


class ClientConsent(FirmKeyed, Base):
    """A client's consent on a channel, as far as something was said; null where that was taken back. `consent_id` grows
    with time: a later one wins."""

    __tablename__ = "client_consent"
    __table_args__ = (Index("ix_client_consent_firm_id_state", "firm_id", "channel", "state", "client_id"),)

    client_id: Mapped[str] = mapped_column(Id, primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    state: Mapped[str | None] = mapped_column(String(20))
    consent_id: Mapped[str] = mapped_column(Id)


class AppliedAnswer(FirmKeyed, Base):
    """The last answer of a case task that was applied or refused: an older one that comes late is ignored."""

    __tablename__ = "applied_answer"

    case_task_id: Mapped[str] = mapped_column(Id, primary_key=True)
    answer_version: Mapped[int]


class ClientMerge(RedirectRow, Base):
    """A client that was merged into another one."""

    __tablename__ = "client_merge"


class ClientMergeMove(MovedRow, Base):
    """A case on which the survivor took the merged client's place (`row_id`). `facts`: {"merged": its role, label and
    position, "survivor": the survivor's own on the same case, or null}."""

    __tablename__ = "client_merge_move"
