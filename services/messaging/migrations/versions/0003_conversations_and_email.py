"""Conversations, media, notices, email events, joined deliveries, and what a sandbox address does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conversation",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=True),
        sa.Column("channel", sa.String(length=10), nullable=True),
        sa.Column("address", sa.String(length=320), nullable=True),
        sa.Column("assigned_staff_id", chassis.columns.Id, nullable=True),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("last_message_at", chassis.columns.Instant(), nullable=True),
        sa.Column("last_direction", sa.String(length=10), nullable=True),
        sa.Column("preview", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation")),
    )
    with op.batch_alter_table("conversation", schema=None) as batch_op:
        batch_op.create_index("ix_conversation_last_message_at", ["firm_id", "last_message_at", "id"], unique=False)
        batch_op.create_index(
            "uq_conversation_address",
            ["firm_id", "channel", "address"],
            unique=True,
            sqlite_where=sa.text("client_id IS NULL AND address IS NOT NULL"),
            postgresql_where=sa.text("client_id IS NULL AND address IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_conversation_client",
            ["firm_id", "client_id"],
            unique=True,
            sqlite_where=sa.text("client_id IS NOT NULL"),
            postgresql_where=sa.text("client_id IS NOT NULL"),
        )

    op.create_table(
        "conversation_client",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("conversation_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "conversation_id", "client_id", name=op.f("pk_conversation_client")),
    )
    with op.batch_alter_table("conversation_client", schema=None) as batch_op:
        batch_op.create_index("ix_conversation_client_firm_id_client_id", ["firm_id", "client_id"], unique=False)

    op.create_table(
        "firm_rule",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("opt_out_scope", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", name=op.f("pk_firm_rule")),
    )
    op.create_table(
        "inbound_media",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("message_id", chassis.columns.Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=30), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("filename", sa.String(length=255), nullable=True),
        sa.Column("content_type", sa.String(length=120), nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("file_key", sa.String(length=300), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", chassis.columns.Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_media")),
        sa.UniqueConstraint(
            "firm_id", "message_id", "position", name=op.f("uq_inbound_media_firm_id_message_id_position")
        ),
    )
    with op.batch_alter_table("inbound_media", schema=None) as batch_op:
        batch_op.create_index(
            "ix_inbound_media_due_at",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.create_table(
        "log_entry",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=True),
        sa.Column("staff_id", chassis.columns.Id, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=True),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(length=300), nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("participants", chassis.columns.Json, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_entry")),
    )
    with op.batch_alter_table("log_entry", schema=None) as batch_op:
        batch_op.create_index("ix_log_entry_client", ["firm_id", "client_id", "at"], unique=False)

    op.create_table(
        "notice",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("staff_id", chassis.columns.Id, nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("about", chassis.columns.Json, nullable=False),
        sa.Column("once", sa.String(length=120), nullable=True),
        sa.Column("read_at", chassis.columns.Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("firm_id", "staff_id", "once", name=op.f("uq_notice_firm_id_staff_id_once")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index("ix_notice_staff", ["firm_id", "staff_id", "created_at"], unique=False)

    op.create_table(
        "provider_event",
        sa.Column("provider", sa.String(length=30), nullable=False),
        sa.Column("event_id", sa.String(length=160), nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "event_id", name=op.f("pk_provider_event")),
    )
    with op.batch_alter_table("provider_event", schema=None) as batch_op:
        batch_op.create_index("ix_provider_event_at", ["at"], unique=False)

    op.create_table(
        "provider_rate",
        sa.Column("provider", sa.String(length=30), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("tokens_at", chassis.columns.Instant(), nullable=False),
        sa.Column("held_until", chassis.columns.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_rate")),
    )
    op.create_table(
        "sandbox_address",
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("behaviour", sa.String(length=20), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_sandbox_address")),
    )
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=20), server_default="notification", nullable=False))
        batch_op.add_column(sa.Column("channels", chassis.columns.Json, server_default="[]", nullable=False))

    with op.batch_alter_table("consent_entry", schema=None) as batch_op:
        batch_op.create_index("ix_consent_entry_firm_id_at", ["firm_id", "at", "id"], unique=False)

    with op.batch_alter_table("consent_review", schema=None) as batch_op:
        batch_op.add_column(sa.Column("decided_by", chassis.columns.Id, nullable=True))

    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(sa.Column("joined_to", chassis.columns.Id, nullable=True))
        batch_op.add_column(sa.Column("staff_id", chassis.columns.Id, nullable=True))
        batch_op.add_column(sa.Column("conversation_id", chassis.columns.Id, nullable=True))
        batch_op.add_column(sa.Column("in_business_hours", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("provider_segments", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("price", sa.Numeric(precision=12, scale=6), nullable=True))
        batch_op.add_column(sa.Column("currency", sa.String(length=10), nullable=True))
        batch_op.create_index(
            "ix_delivery_conversation",
            ["firm_id", "conversation_id"],
            unique=False,
            sqlite_where=sa.text("conversation_id IS NOT NULL"),
            postgresql_where=sa.text("conversation_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_delivery_joined_to",
            ["firm_id", "joined_to"],
            unique=False,
            sqlite_where=sa.text("joined_to IS NOT NULL"),
            postgresql_where=sa.text("joined_to IS NOT NULL"),
        )

    with op.batch_alter_table("inbound_message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject", sa.String(length=998), nullable=True))
        batch_op.add_column(sa.Column("conversation_id", chassis.columns.Id, nullable=True))
        # What it named was never fetched.
        batch_op.drop_column("media")
        batch_op.create_index(
            "ix_inbound_message_conversation", ["firm_id", "conversation_id", "created_at"], unique=False
        )

    with op.batch_alter_table("sandbox_message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("html", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("headers", chassis.columns.Json, nullable=True))
        batch_op.add_column(sa.Column("address", sa.String(length=320), nullable=True))
        batch_op.add_column(sa.Column("outcome", sa.String(length=20), server_default="delivered", nullable=False))
    op.execute("UPDATE sandbox_message SET address = CASE WHEN direction = 'outbound' THEN recipient ELSE sender END")
    with op.batch_alter_table("sandbox_message", schema=None) as batch_op:
        batch_op.alter_column("address", existing_type=sa.String(length=320), nullable=False)
        batch_op.drop_index("ix_sandbox_message_recipient")
        batch_op.create_index("ix_sandbox_message_address", ["address", "at", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("sandbox_message", schema=None) as batch_op:
        batch_op.drop_index("ix_sandbox_message_address")
        batch_op.create_index("ix_sandbox_message_recipient", ["recipient", "at"], unique=False)
        batch_op.drop_column("outcome")
        batch_op.drop_column("address")
        batch_op.drop_column("headers")
        batch_op.drop_column("html")

    with op.batch_alter_table("inbound_message", schema=None) as batch_op:
        batch_op.drop_index("ix_inbound_message_conversation")
        batch_op.drop_column("conversation_id")
        batch_op.drop_column("subject")
        batch_op.add_column(sa.Column("media", chassis.columns.Json, server_default="[]", nullable=False))

    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_delivery_joined_to",
            sqlite_where=sa.text("joined_to IS NOT NULL"),
            postgresql_where=sa.text("joined_to IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_delivery_conversation",
            sqlite_where=sa.text("conversation_id IS NOT NULL"),
            postgresql_where=sa.text("conversation_id IS NOT NULL"),
        )
        batch_op.drop_column("currency")
        batch_op.drop_column("price")
        batch_op.drop_column("provider_segments")
        batch_op.drop_column("in_business_hours")
        batch_op.drop_column("conversation_id")
        batch_op.drop_column("staff_id")
        batch_op.drop_column("joined_to")

    with op.batch_alter_table("consent_review", schema=None) as batch_op:
        batch_op.drop_column("decided_by")

    with op.batch_alter_table("consent_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_consent_entry_firm_id_at")

    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.drop_column("channels")
        batch_op.drop_column("kind")

    op.drop_table("sandbox_address")
    op.drop_table("provider_rate")
    with op.batch_alter_table("provider_event", schema=None) as batch_op:
        batch_op.drop_index("ix_provider_event_at")

    op.drop_table("provider_event")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index("ix_notice_staff")

    op.drop_table("notice")
    with op.batch_alter_table("log_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_log_entry_client")

    op.drop_table("log_entry")
    with op.batch_alter_table("inbound_media", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_inbound_media_due_at",
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.drop_table("inbound_media")
    op.drop_table("firm_rule")
    with op.batch_alter_table("conversation_client", schema=None) as batch_op:
        batch_op.drop_index("ix_conversation_client_firm_id_client_id")

    op.drop_table("conversation_client")
    with op.batch_alter_table("conversation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_conversation_client",
            sqlite_where=sa.text("client_id IS NOT NULL"),
            postgresql_where=sa.text("client_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "uq_conversation_address",
            sqlite_where=sa.text("client_id IS NULL AND address IS NOT NULL"),
            postgresql_where=sa.text("client_id IS NULL AND address IS NOT NULL"),
        )
        batch_op.drop_index("ix_conversation_last_message_at")

    op.drop_table("conversation")
