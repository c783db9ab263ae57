"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "firm",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("time_zone", sa.String(length=60), nullable=False),
        sa.Column("locale", sa.String(length=10), nullable=False),
        sa.Column("business_hours", chassis.columns.Json, nullable=False),
        sa.Column("holidays", chassis.columns.Json, nullable=False),
        sa.Column("quiet_hours", chassis.columns.Json, nullable=True),
        sa.Column("postal_address", chassis.columns.Json, nullable=True),
        sa.Column("branding", chassis.columns.Json, nullable=False),
        sa.Column("require_opt_in", sa.Boolean(), nullable=False),
        sa.Column("allow_manual_reply", sa.Boolean(), nullable=False),
        sa.Column("link_days", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", name=op.f("pk_firm")),
    )
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
        "staff",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("supervisor_id", chassis.columns.Id, nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("case_type_ids", chassis.columns.Json, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "supervisor_id"], ["staff.firm_id", "staff.id"], name=op.f("fk_staff_firm_id_supervisor_id")
        ),
        sa.ForeignKeyConstraint(["firm_id"], ["firm.firm_id"], name=op.f("fk_staff_firm_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("firm_id", "email", name=op.f("uq_staff_firm_id_email")),
        sa.UniqueConstraint("firm_id", "id", name=op.f("uq_staff_firm_id_id")),
    )
    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.create_index("ix_staff_firm_id_name", ["firm_id", "name", "id"], unique=False)

    op.create_table(
        "api_key",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("staff_id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("prefix", sa.String(length=20), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", chassis.columns.Json, nullable=False),
        sa.Column("last_used_at", chassis.columns.Instant(), nullable=True),
        sa.Column("expires_at", chassis.columns.Instant(), nullable=True),
        sa.Column("revoked_at", chassis.columns.Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "staff_id"], ["staff.firm_id", "staff.id"], name=op.f("fk_api_key_firm_id_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
    )
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.create_index("ix_api_key_firm_id_created_at", ["firm_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_api_key_firm_id_staff_id", ["firm_id", "staff_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.drop_index("ix_api_key_firm_id_staff_id")
        batch_op.drop_index("ix_api_key_firm_id_created_at")

    op.drop_table("api_key")
    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.drop_index("ix_staff_firm_id_name")

    op.drop_table("staff")
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
    op.drop_table("lease")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_inbox_received_at")

    op.drop_table("inbox")
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.drop_index("ix_idempotency_key_created_at")

    op.drop_table("idempotency_key")
    op.drop_table("firm")
