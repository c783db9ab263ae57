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
        "link",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("case_task_id", chassis.columns.Id, nullable=True),
        sa.Column("case_ids", chassis.columns.Json, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("delivery_id", chassis.columns.Id, nullable=True),
        sa.Column("expires_at", chassis.columns.Instant(), nullable=False),
        sa.Column("revoked_at", chassis.columns.Instant(), nullable=True),
        sa.Column("revoked_for", sa.String(length=20), nullable=True),
        sa.Column("last_used_at", chassis.columns.Instant(), nullable=True),
        sa.Column("asked_at", chassis.columns.Instant(), nullable=True),
        sa.Column("asked_times", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_link_token_hash")),
    )
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.create_index("ix_link_firm_id_client_id", ["firm_id", "client_id"], unique=False)
        batch_op.create_index("ix_link_firm_id_delivery_id", ["firm_id", "delivery_id"], unique=False)

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


def downgrade() -> None:
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
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.drop_index("ix_link_firm_id_delivery_id")
        batch_op.drop_index("ix_link_firm_id_client_id")

    op.drop_table("link")
    op.drop_table("lease")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_inbox_received_at")

    op.drop_table("inbox")
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.drop_index("ix_idempotency_key_created_at")

    op.drop_table("idempotency_key")
