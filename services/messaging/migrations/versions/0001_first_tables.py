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
        "attempt",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("delivery_id", chassis.columns.Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("begun_at", chassis.columns.Instant(), nullable=False),
        sa.Column("ended_at", chassis.columns.Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("provider_id", sa.String(length=120), nullable=True),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.PrimaryKeyConstraint("firm_id", "delivery_id", "number", name=op.f("pk_attempt")),
    )
    op.create_table(
        "batch",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("chunks_seen", sa.Integer(), nullable=False),
        sa.Column("content_id", chassis.columns.Id, nullable=True),
        sa.Column("fallback", sa.Boolean(), nullable=False),
        sa.Column("coalesce", sa.Boolean(), nullable=False),
        sa.Column("allow_repeat", sa.Boolean(), nullable=False),
        sa.Column("statuses", chassis.columns.Json, nullable=False),
        sa.Column("timing", chassis.columns.Json, nullable=False),
        sa.Column("requested_by", chassis.columns.Id, nullable=True),
        sa.Column("requested_at", chassis.columns.Instant(), nullable=True),
        sa.Column("finished_at", chassis.columns.Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.create_index(
            "ix_batch_unfinished",
            ["state"],
            unique=False,
            sqlite_where=sa.text("state IN ('accepted', 'running')"),
            postgresql_where=sa.text("state IN ('accepted', 'running')"),
        )

    op.create_table(
        "batch_chunk",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("batch_id", chassis.columns.Id, nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "batch_id", "chunk", name=op.f("pk_batch_chunk")),
    )
    op.create_table(
        "consent_entry",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=True),
        sa.Column("client_id", chassis.columns.Id, nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("evidence", chassis.columns.Json, nullable=False),
        sa.Column("rule_version", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_entry")),
    )
    with op.batch_alter_table("consent_entry", schema=None) as batch_op:
        batch_op.create_index("ix_consent_entry_firm_id_address", ["firm_id", "address", "at"], unique=False)
        batch_op.create_index("ix_consent_entry_firm_id_client_id", ["firm_id", "client_id", "at"], unique=False)

    op.create_table(
        "consent_review",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("before", sa.String(length=20), nullable=True),
        sa.Column("decision", sa.String(length=20), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_review")),
    )
    with op.batch_alter_table("consent_review", schema=None) as batch_op:
        batch_op.create_index("ix_consent_review_firm_id", ["firm_id", "created_at"], unique=False)

    op.create_table(
        "consent_state",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("key", sa.String(length=330), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=True),
        sa.Column("entry_id", chassis.columns.Id, nullable=True),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "channel", "key", name=op.f("pk_consent_state")),
    )
    op.create_table(
        "content",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("variants", chassis.columns.Json, nullable=False),
        sa.Column("uses", chassis.columns.Json, nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content")),
    )
    op.create_table(
        "delivery",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("batch_id", chassis.columns.Id, nullable=True),
        sa.Column("subject_id", chassis.columns.Id, nullable=False),
        sa.Column("case_task_id", chassis.columns.Id, nullable=True),
        sa.Column("case_id", chassis.columns.Id, nullable=True),
        sa.Column("client_id", chassis.columns.Id, nullable=True),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("fallback", chassis.columns.Json, nullable=True),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("send_after", chassis.columns.Instant(), nullable=False),
        sa.Column("due_at", chassis.columns.Instant(), nullable=False),
        sa.Column("window_closes", chassis.columns.Instant(), nullable=True),
        sa.Column("address", sa.String(length=320), nullable=True),
        sa.Column("address_once", sa.String(length=320), nullable=True),
        sa.Column("sender_id", chassis.columns.Id, nullable=True),
        sa.Column("content_id", chassis.columns.Id, nullable=True),
        sa.Column("requested_by", chassis.columns.Id, nullable=True),
        sa.Column("language", sa.String(length=10), nullable=True),
        sa.Column("variables", chassis.columns.Json, nullable=True),
        sa.Column("needs_opt_in", sa.Boolean(), nullable=False),
        sa.Column("lease_owner", sa.String(length=60), nullable=True),
        sa.Column("lease_until", chassis.columns.Instant(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("begun_at", chassis.columns.Instant(), nullable=True),
        sa.Column("sent_at", chassis.columns.Instant(), nullable=True),
        sa.Column("provider_id", sa.String(length=120), nullable=True),
        sa.Column("provider_status", sa.String(length=40), nullable=True),
        sa.Column("subject", sa.String(length=300), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("firm_id", "batch_id", "subject_id", "client_id", "channel", name="uq_delivery_once"),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_accepted",
            ["firm_id", "due_at"],
            unique=False,
            sqlite_where=sa.text("state = 'accepted'"),
            postgresql_where=sa.text("state = 'accepted'"),
        )
        batch_op.create_index("ix_delivery_address", ["firm_id", "address", "case_task_id"], unique=False)
        batch_op.create_index("ix_delivery_client", ["firm_id", "client_id", "created_at"], unique=False)
        batch_op.create_index("ix_delivery_counts", ["firm_id", "batch_id", "state", "reason"], unique=False)
        batch_op.create_index(
            "ix_delivery_queued",
            ["sender_id", "priority", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'queued'"),
            postgresql_where=sa.text("state = 'queued'"),
        )
        batch_op.create_index(
            "ix_delivery_sending",
            ["lease_until"],
            unique=False,
            sqlite_where=sa.text("state = 'sending'"),
            postgresql_where=sa.text("state = 'sending'"),
        )
        batch_op.create_index(
            "ix_delivery_unknown",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("state = 'unknown'"),
            postgresql_where=sa.text("state = 'unknown'"),
        )
        batch_op.create_index(
            "uq_delivery_address",
            ["firm_id", "batch_id", "subject_id", "channel", "address_once"],
            unique=True,
            sqlite_where=sa.text("address_once IS NOT NULL"),
            postgresql_where=sa.text("address_once IS NOT NULL"),
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
        "inbound_message",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("provider", sa.String(length=30), nullable=False),
        sa.Column("provider_id", sa.String(length=120), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("media", chassis.columns.Json, nullable=False),
        sa.Column("effect", sa.String(length=20), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=True),
        sa.Column("client_ids", chassis.columns.Json, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_message")),
        sa.UniqueConstraint(
            "firm_id", "provider", "provider_id", name=op.f("uq_inbound_message_firm_id_provider_provider_id")
        ),
    )
    with op.batch_alter_table("inbound_message", schema=None) as batch_op:
        batch_op.create_index("ix_inbound_message_client", ["firm_id", "client_id", "created_at"], unique=False)
        batch_op.create_index("ix_inbound_message_sender", ["firm_id", "sender", "created_at"], unique=False)

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
        "message_template",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("content_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_template")),
        sa.UniqueConstraint("firm_id", "name", name=op.f("uq_message_template_firm_id_name")),
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
        "sandbox_message",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.Column("direction", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=True),
        sa.Column("delivery_token", sa.String(length=120), nullable=True),
        sa.Column("callback_url", sa.Text(), nullable=True),
        sa.Column("announce_at", chassis.columns.Instant(), nullable=True),
        sa.Column("announcements", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_message")),
    )
    with op.batch_alter_table("sandbox_message", schema=None) as batch_op:
        batch_op.create_index(
            "ix_sandbox_message_announce_at",
            ["announce_at"],
            unique=False,
            sqlite_where=sa.text("announce_at IS NOT NULL"),
            postgresql_where=sa.text("announce_at IS NOT NULL"),
        )
        batch_op.create_index("ix_sandbox_message_at", ["at", "id"], unique=False)
        batch_op.create_index("ix_sandbox_message_recipient", ["recipient", "at"], unique=False)
        batch_op.create_index("ix_sandbox_message_token", ["delivery_token"], unique=False)

    op.create_table(
        "sender",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("provider", sa.String(length=30), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("messaging_service_sid", sa.String(length=60), nullable=True),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("tokens_at", chassis.columns.Instant(), nullable=False),
        sa.Column("held_until", chassis.columns.Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sender")),
        sa.UniqueConstraint("channel", "address", name=op.f("uq_sender_channel_address")),
    )
    with op.batch_alter_table("sender", schema=None) as batch_op:
        batch_op.create_index("ix_sender_firm_id_channel", ["firm_id", "channel"], unique=False)
        batch_op.create_index(batch_op.f("ix_sender_messaging_service_sid"), ["messaging_service_sid"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("sender", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sender_messaging_service_sid"))
        batch_op.drop_index("ix_sender_firm_id_channel")

    op.drop_table("sender")
    with op.batch_alter_table("sandbox_message", schema=None) as batch_op:
        batch_op.drop_index("ix_sandbox_message_token")
        batch_op.drop_index("ix_sandbox_message_recipient")
        batch_op.drop_index("ix_sandbox_message_at")
        batch_op.drop_index(
            "ix_sandbox_message_announce_at",
            sqlite_where=sa.text("announce_at IS NOT NULL"),
            postgresql_where=sa.text("announce_at IS NOT NULL"),
        )

    op.drop_table("sandbox_message")
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
    op.drop_table("message_template")
    op.drop_table("lease")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_inbox_received_at")

    op.drop_table("inbox")
    with op.batch_alter_table("inbound_message", schema=None) as batch_op:
        batch_op.drop_index("ix_inbound_message_sender")
        batch_op.drop_index("ix_inbound_message_client")

    op.drop_table("inbound_message")
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.drop_index("ix_idempotency_key_created_at")

    op.drop_table("idempotency_key")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_delivery_address",
            sqlite_where=sa.text("address_once IS NOT NULL"),
            postgresql_where=sa.text("address_once IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_delivery_unknown",
            sqlite_where=sa.text("state = 'unknown'"),
            postgresql_where=sa.text("state = 'unknown'"),
        )
        batch_op.drop_index(
            "ix_delivery_sending",
            sqlite_where=sa.text("state = 'sending'"),
            postgresql_where=sa.text("state = 'sending'"),
        )
        batch_op.drop_index(
            "ix_delivery_queued", sqlite_where=sa.text("state = 'queued'"), postgresql_where=sa.text("state = 'queued'")
        )
        batch_op.drop_index("ix_delivery_counts")
        batch_op.drop_index("ix_delivery_client")
        batch_op.drop_index("ix_delivery_address")
        batch_op.drop_index(
            "ix_delivery_accepted",
            sqlite_where=sa.text("state = 'accepted'"),
            postgresql_where=sa.text("state = 'accepted'"),
        )

    op.drop_table("delivery")
    op.drop_table("content")
    op.drop_table("consent_state")
    with op.batch_alter_table("consent_review", schema=None) as batch_op:
        batch_op.drop_index("ix_consent_review_firm_id")

    op.drop_table("consent_review")
    with op.batch_alter_table("consent_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_consent_entry_firm_id_client_id")
        batch_op.drop_index("ix_consent_entry_firm_id_address")

    op.drop_table("consent_entry")
    op.drop_table("batch_chunk")
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_batch_unfinished",
            sqlite_where=sa.text("state IN ('accepted', 'running')"),
            postgresql_where=sa.text("state IN ('accepted', 'running')"),
        )

    op.drop_table("batch")
    op.drop_table("attempt")
