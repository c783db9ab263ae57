"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

FOLDED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "applied_answer",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_task_id", chassis.columns.Id, nullable=False),
        sa.Column("answer_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "case_task_id", name=op.f("pk_applied_answer")),
    )
    op.create_table(
        "case_list",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("filter", chassis.columns.Json, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_case_list")),
        sa.UniqueConstraint("firm_id", "name", name="uq_case_list_name"),
    )
    with op.batch_alter_table("case_list", schema=None) as batch_op:
        batch_op.create_index("ix_case_list_firm_id_created_at", ["firm_id", "created_at", "id"], unique=False)

    op.create_table(
        "case_type",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_case_type")),
        sa.UniqueConstraint("firm_id", "name", name="uq_case_type_name"),
    )
    with op.batch_alter_table("case_type", schema=None) as batch_op:
        batch_op.create_index("ix_case_type_firm_id_created_at", ["firm_id", "created_at", "id"], unique=False)

    op.create_table(
        "client_consent",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("consent_id", chassis.columns.Id, nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "client_id", "channel", name=op.f("pk_client_consent")),
    )
    with op.batch_alter_table("client_consent", schema=None) as batch_op:
        batch_op.create_index(
            "ix_client_consent_firm_id_state", ["firm_id", "channel", "state", "client_id"], unique=False
        )

    op.create_table(
        "client_facts",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.Column("language", sa.String(length=20), nullable=True),
        sa.PrimaryKeyConstraint("firm_id", "client_id", name=op.f("pk_client_facts")),
    )
    with op.batch_alter_table("client_facts", schema=None) as batch_op:
        batch_op.create_index("ix_client_facts_firm_id_language", ["firm_id", "language", "client_id"], unique=False)
        batch_op.create_index("ix_client_facts_firm_id_status", ["firm_id", "status", "client_id"], unique=False)

    op.create_table(
        "client_tag",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("tag", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "client_id", "tag", name=op.f("pk_client_tag")),
    )
    with op.batch_alter_table("client_tag", schema=None) as batch_op:
        batch_op.create_index("ix_client_tag_firm_id_tag", ["firm_id", "tag", "client_id"], unique=False)

    op.create_table(
        "idempotency_key",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("operation", sa.String(length=120), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("answer", chassis.columns.Json, nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "operation", "key", name=op.f("pk_idempotency_key")),
    )
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.create_index("ix_idempotency_key_created_at", ["created_at"], unique=False)

    op.create_table(
        "inbox",
        sa.Column("subscription", sa.String(length=200), nullable=False),
        sa.Column("event_id", chassis.columns.Id, nullable=False),
        sa.Column("received_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("subscription", "event_id", name=op.f("pk_inbox")),
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index("ix_inbox_received_at", ["received_at"], unique=False)

    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("until", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "number_series",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", name=op.f("pk_number_series")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("aggregate_id", sa.String(length=200), nullable=False),
        sa.Column("aggregate_version", sa.Integer(), nullable=True),
        sa.Column("event", sa.String(length=120), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.String(length=120), nullable=True),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("published_at", chassis.columns.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_published_at", ["published_at"], unique=False)
        batch_op.create_index(
            "ix_outbox_unpublished",
            ["attempts", "id"],
            unique=False,
            sqlite_where=sa.text("published_at IS NULL"),
            postgresql_where=sa.text("published_at IS NULL"),
        )

    op.create_table(
        "parked_message",
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("firm_id", chassis.columns.Id, nullable=True),
        sa.Column("subscription", sa.String(length=200), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("event", sa.String(length=120), nullable=False),
        sa.Column("envelope", chassis.columns.Json, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("parked_at", chassis.columns.Instant(), nullable=False),
        sa.Column("settled_at", chassis.columns.Instant(), nullable=True),
        sa.Column("settled_by", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parked_message")),
    )
    with op.batch_alter_table("parked_message", schema=None) as batch_op:
        batch_op.create_index("ix_parked_message_state", ["state", "parked_at"], unique=False)
        batch_op.create_index("uq_parked_message_event", ["subscription", "event_id"], unique=True)

    op.create_table(
        "saved_filter",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("filter", chassis.columns.Json, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_saved_filter")),
        sa.UniqueConstraint("firm_id", "name", name="uq_saved_filter_name"),
    )
    with op.batch_alter_table("saved_filter", schema=None) as batch_op:
        batch_op.create_index("ix_saved_filter_firm_id_created_at", ["firm_id", "created_at", "id"], unique=False)

    op.create_table(
        "case_status",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_type_id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_type_id"],
            ["case_type.firm_id", "case_type.id"],
            name=op.f("fk_case_status_firm_id_case_type_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_type_id", "name", name=op.f("pk_case_status")),
    )
    op.create_table(
        "custom_field",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_type_id", chassis.columns.Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("options", chassis.columns.Json, nullable=False),
        sa.Column("removed_at", chassis.columns.Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_type_id"],
            ["case_type.firm_id", "case_type.id"],
            name=op.f("fk_custom_field_firm_id_case_type_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_type_id", "key", name=op.f("pk_custom_field")),
    )
    with op.batch_alter_table("custom_field", schema=None) as batch_op:
        batch_op.create_index("ix_custom_field_firm_id_key", ["firm_id", "key"], unique=False)

    op.create_table(
        "filter_use",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("user_id", chassis.columns.Id, nullable=False),
        sa.Column("saved_filter_id", chassis.columns.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "saved_filter_id"],
            ["saved_filter.firm_id", "saved_filter.id"],
            name=op.f("fk_filter_use_firm_id_saved_filter_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "user_id", "saved_filter_id", name=op.f("pk_filter_use")),
    )
    with op.batch_alter_table("filter_use", schema=None) as batch_op:
        batch_op.create_index("ix_filter_use_firm_id_saved_filter_id", ["firm_id", "saved_filter_id"], unique=False)

    op.create_table(
        "cases",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("number_folded", FOLDED, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_folded", FOLDED, nullable=False),
        sa.Column("case_type_id", chassis.columns.Id, nullable=False),
        sa.Column("status", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("description_folded", FOLDED, nullable=True),
        sa.Column("responsible_staff_id", chassis.columns.Id, nullable=True),
        sa.Column("source", sa.String(length=120), nullable=True),
        sa.Column("source_folded", FOLDED, nullable=True),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("external_source", sa.String(length=60), nullable=True),
        sa.Column("external_source_id", sa.String(length=120), nullable=True),
        sa.Column("custom_fields", chassis.columns.Json, nullable=False),
        sa.Column("archived_at", chassis.columns.Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_type_id", "status"],
            ["case_status.firm_id", "case_status.case_type_id", "case_status.name"],
            name="fk_cases_status",
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_cases")),
        sa.UniqueConstraint("firm_id", "number", name="uq_cases_number"),
    )
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.create_index("ix_cases_firm_id_created_at", ["firm_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_cases_firm_id_name", ["firm_id", "name_folded", "id"], unique=False)
        batch_op.create_index("ix_cases_firm_id_number", ["firm_id", "number_folded", "id"], unique=False)
        batch_op.create_index(
            "ix_cases_firm_id_responsible_staff_id", ["firm_id", "responsible_staff_id", "id"], unique=False
        )
        batch_op.create_index("ix_cases_firm_id_state", ["firm_id", "state", "id"], unique=False)
        batch_op.create_index("ix_cases_firm_id_status", ["firm_id", "status", "id"], unique=False)
        batch_op.create_index("ix_cases_firm_id_type_status", ["firm_id", "case_type_id", "status", "id"], unique=False)
        batch_op.create_index("ix_cases_firm_id_updated_at", ["firm_id", "updated_at", "id"], unique=False)
        batch_op.create_index(
            "uq_cases_external_source_id",
            ["firm_id", "external_source", "external_source_id"],
            unique=True,
            sqlite_where=sa.text("external_source_id IS NOT NULL"),
            postgresql_where=sa.text("external_source_id IS NOT NULL"),
        )

    op.create_table(
        "case_client",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name=op.f("fk_case_client_firm_id_case_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_id", "client_id", name=op.f("pk_case_client")),
    )
    with op.batch_alter_table("case_client", schema=None) as batch_op:
        batch_op.create_index("ix_case_client_firm_id_client_id", ["firm_id", "client_id", "case_id"], unique=False)
        batch_op.create_index(
            "uq_case_client_primary",
            ["firm_id", "case_id"],
            unique=True,
            sqlite_where=sa.text("role = 'primary'"),
            postgresql_where=sa.text("role = 'primary'"),
        )

    op.create_table(
        "case_field_value",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("folded", FOLDED, nullable=True),
        sa.Column("start", FOLDED, nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name=op.f("fk_case_field_value_firm_id_case_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_id", "key", "position", name=op.f("pk_case_field_value")),
    )
    with op.batch_alter_table("case_field_value", schema=None) as batch_op:
        batch_op.create_index("ix_case_field_value_day", ["firm_id", "key", "day", "case_id"], unique=False)
        batch_op.create_index("ix_case_field_value_number", ["firm_id", "key", "number", "case_id"], unique=False)
        batch_op.create_index("ix_case_field_value_start", ["firm_id", "key", "start", "case_id"], unique=False)

    op.create_table(
        "case_list_member",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_list_id", chassis.columns.Id, nullable=False),
        sa.Column("included", sa.Boolean(), nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name=op.f("fk_case_list_member_firm_id_case_id")
        ),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_list_id"],
            ["case_list.firm_id", "case_list.id"],
            name=op.f("fk_case_list_member_firm_id_case_list_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_list_id", "included", "case_id", name=op.f("pk_case_list_member")),
    )
    with op.batch_alter_table("case_list_member", schema=None) as batch_op:
        batch_op.create_index("ix_case_list_member_firm_id_case_id", ["firm_id", "case_id"], unique=False)

    op.create_table(
        "case_staff",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("staff_id", chassis.columns.Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name=op.f("fk_case_staff_firm_id_case_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_id", "staff_id", name=op.f("pk_case_staff")),
    )
    with op.batch_alter_table("case_staff", schema=None) as batch_op:
        batch_op.create_index("ix_case_staff_firm_id_staff_id", ["firm_id", "staff_id", "case_id"], unique=False)

    op.create_table(
        "case_status_change",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("from_status", sa.String(length=60), nullable=True),
        sa.Column("to_status", sa.String(length=60), nullable=False),
        sa.Column("actor_id", chassis.columns.Id, nullable=True),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name=op.f("fk_case_status_change_firm_id_case_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_id", "id", name=op.f("pk_case_status_change")),
    )
    op.create_table(
        "new_client_request",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("client_data", chassis.columns.Json, nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("request_hash", sa.String(length=64), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", chassis.columns.Instant(), nullable=False),
        sa.Column("settled_at", chassis.columns.Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name=op.f("fk_new_client_request_firm_id_case_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_id", name=op.f("pk_new_client_request")),
        sa.UniqueConstraint("firm_id", "idempotency_key", name="uq_new_client_request_key"),
    )
    with op.batch_alter_table("new_client_request", schema=None) as batch_op:
        batch_op.create_index(
            "ix_new_client_request_due_at",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        )
        batch_op.create_index("ix_new_client_request_settled_at", ["settled_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("new_client_request", schema=None) as batch_op:
        batch_op.drop_index("ix_new_client_request_settled_at")
        batch_op.drop_index(
            "ix_new_client_request_due_at",
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        )

    op.drop_table("new_client_request")
    op.drop_table("case_status_change")
    with op.batch_alter_table("case_staff", schema=None) as batch_op:
        batch_op.drop_index("ix_case_staff_firm_id_staff_id")

    op.drop_table("case_staff")
    with op.batch_alter_table("case_list_member", schema=None) as batch_op:
        batch_op.drop_index("ix_case_list_member_firm_id_case_id")

    op.drop_table("case_list_member")
    with op.batch_alter_table("case_field_value", schema=None) as batch_op:
        batch_op.drop_index("ix_case_field_value_start")
        batch_op.drop_index("ix_case_field_value_number")
        batch_op.drop_index("ix_case_field_value_day")

    op.drop_table("case_field_value")
    with op.batch_alter_table("case_client", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_case_client_primary",
            sqlite_where=sa.text("role = 'primary'"),
            postgresql_where=sa.text("role = 'primary'"),
        )
        batch_op.drop_index("ix_case_client_firm_id_client_id")

    op.drop_table("case_client")
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_cases_external_source_id",
            sqlite_where=sa.text("external_source_id IS NOT NULL"),
            postgresql_where=sa.text("external_source_id IS NOT NULL"),
        )
        batch_op.drop_index("ix_cases_firm_id_updated_at")
        batch_op.drop_index("ix_cases_firm_id_type_status")
        batch_op.drop_index("ix_cases_firm_id_status")
        batch_op.drop_index("ix_cases_firm_id_state")
        batch_op.drop_index("ix_cases_firm_id_responsible_staff_id")
        batch_op.drop_index("ix_cases_firm_id_number")
        batch_op.drop_index("ix_cases_firm_id_name")
        batch_op.drop_index("ix_cases_firm_id_created_at")

    op.drop_table("cases")
    with op.batch_alter_table("filter_use", schema=None) as batch_op:
        batch_op.drop_index("ix_filter_use_firm_id_saved_filter_id")

    op.drop_table("filter_use")
    with op.batch_alter_table("custom_field", schema=None) as batch_op:
        batch_op.drop_index("ix_custom_field_firm_id_key")

    op.drop_table("custom_field")
    op.drop_table("case_status")
    with op.batch_alter_table("saved_filter", schema=None) as batch_op:
        batch_op.drop_index("ix_saved_filter_firm_id_created_at")

    op.drop_table("saved_filter")
    with op.batch_alter_table("parked_message", schema=None) as batch_op:
        batch_op.drop_index("uq_parked_message_event")
        batch_op.drop_index("ix_parked_message_state")

    op.drop_table("parked_message")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbox_unpublished",
            sqlite_where=sa.text("published_at IS NULL"),
            postgresql_where=sa.text("published_at IS NULL"),
        )
        batch_op.drop_index("ix_outbox_published_at")

    op.drop_table("outbox")
    op.drop_table("number_series")
    op.drop_table("lease")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_inbox_received_at")

    op.drop_table("inbox")
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.drop_index("ix_idempotency_key_created_at")

    op.drop_table("idempotency_key")
    with op.batch_alter_table("client_tag", schema=None) as batch_op:
        batch_op.drop_index("ix_client_tag_firm_id_tag")

    op.drop_table("client_tag")
    with op.batch_alter_table("client_facts", schema=None) as batch_op:
        batch_op.drop_index("ix_client_facts_firm_id_status")
        batch_op.drop_index("ix_client_facts_firm_id_language")

    op.drop_table("client_facts")
    with op.batch_alter_table("client_consent", schema=None) as batch_op:
        batch_op.drop_index("ix_client_consent_firm_id_state")

    op.drop_table("client_consent")
    with op.batch_alter_table("case_type", schema=None) as batch_op:
        batch_op.drop_index("ix_case_type_firm_id_created_at")

    op.drop_table("case_type")
    with op.batch_alter_table("case_list", schema=None) as batch_op:
        batch_op.drop_index("ix_case_list_firm_id_created_at")

    op.drop_table("case_list")
    op.drop_table("applied_answer")
