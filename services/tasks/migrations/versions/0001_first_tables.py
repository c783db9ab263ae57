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
        "bulk_assignment",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("selector", chassis.columns.Json, nullable=False),
        sa.Column("copies", chassis.columns.Json, nullable=False),
        sa.Column("due_rule", chassis.columns.Json, nullable=True),
        sa.Column("due_at", chassis.columns.Instant(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("cases_done", sa.Integer(), nullable=False),
        sa.Column("cases_total", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("left_out", chassis.columns.Json, nullable=False),
        sa.Column("examples", chassis.columns.Json, nullable=False),
        sa.Column("failure", sa.String(length=120), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_bulk_assignment")),
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
        "notification_request",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("content_id", chassis.columns.Id, nullable=False),
        sa.Column("selector", chassis.columns.Json, nullable=False),
        sa.Column("options", chassis.columns.Json, nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("requested_by", chassis.columns.Id, nullable=True),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_notification_request")),
    )
    with op.batch_alter_table("notification_request", schema=None) as batch_op:
        batch_op.create_index("ix_notification_request_firm_id_created_at", ["firm_id", "created_at"], unique=False)

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
        "task_template",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("options", chassis.columns.Json, nullable=False),
        sa.Column("checks", chassis.columns.Json, nullable=False),
        sa.Column("mapping_target", sa.String(length=10), nullable=True),
        sa.Column("mapping_field", sa.String(length=60), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_task_template")),
    )
    with op.batch_alter_table("task_template", schema=None) as batch_op:
        batch_op.create_index("ix_task_template_firm_id_title", ["firm_id", "title", "id"], unique=False)

    op.create_table(
        "case_task",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("template_id", chassis.columns.Id, nullable=False),
        sa.Column("assigned_once_key", chassis.columns.Id, nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("options", chassis.columns.Json, nullable=False),
        sa.Column("checks", chassis.columns.Json, nullable=False),
        sa.Column("section", sa.String(length=200), nullable=True),
        sa.Column("assignee_id", chassis.columns.Id, nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("due_rule", chassis.columns.Json, nullable=True),
        sa.Column("due_at", chassis.columns.Instant(), nullable=True),
        sa.Column("answer", chassis.columns.Json, nullable=True),
        sa.Column("answer_version", sa.Integer(), nullable=False),
        sa.Column("answered_by", sa.String(length=10), nullable=True),
        sa.Column("client_id", chassis.columns.Id, nullable=True),
        sa.Column("link_id", chassis.columns.Id, nullable=True),
        sa.Column("completed_at", chassis.columns.Instant(), nullable=True),
        sa.Column("rejection", chassis.columns.Json, nullable=True),
        sa.Column("last_notification", chassis.columns.Json, nullable=True),
        sa.Column("notified_at", chassis.columns.Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "template_id"],
            ["task_template.firm_id", "task_template.id"],
            name=op.f("fk_case_task_firm_id_template_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_case_task")),
        sa.UniqueConstraint(
            "firm_id", "case_id", "assigned_once_key", name=op.f("uq_case_task_firm_id_case_id_assigned_once_key")
        ),
    )
    with op.batch_alter_table("case_task", schema=None) as batch_op:
        batch_op.create_index("ix_case_task_firm_id_assignee_id", ["firm_id", "assignee_id"], unique=False)
        batch_op.create_index("ix_case_task_firm_id_created_at", ["firm_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_case_task_firm_id_due_at", ["firm_id", "due_at", "id"], unique=False)
        batch_op.create_index("ix_case_task_firm_id_template_id", ["firm_id", "template_id"], unique=False)

    op.create_table(
        "notification_chunk",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("request_id", chassis.columns.Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("case_task_ids", chassis.columns.Json, nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "request_id"],
            ["notification_request.firm_id", "notification_request.id"],
            name=op.f("fk_notification_chunk_firm_id_request_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_notification_chunk")),
        sa.UniqueConstraint(
            "firm_id", "request_id", "number", name=op.f("uq_notification_chunk_firm_id_request_id_number")
        ),
    )
    op.create_table(
        "case_task_change",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("case_task_id", chassis.columns.Id, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("actor_id", chassis.columns.Id, nullable=True),
        sa.Column("facts", chassis.columns.Json, nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_task_id"],
            ["case_task.firm_id", "case_task.id"],
            name=op.f("fk_case_task_change_firm_id_case_task_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_case_task_change")),
    )
    with op.batch_alter_table("case_task_change", schema=None) as batch_op:
        batch_op.create_index(
            "ix_case_task_change_firm_id_case_task_id", ["firm_id", "case_task_id", "created_at"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("case_task_change", schema=None) as batch_op:
        batch_op.drop_index("ix_case_task_change_firm_id_case_task_id")

    op.drop_table("case_task_change")
    op.drop_table("notification_chunk")
    with op.batch_alter_table("case_task", schema=None) as batch_op:
        batch_op.drop_index("ix_case_task_firm_id_template_id")
        batch_op.drop_index("ix_case_task_firm_id_due_at")
        batch_op.drop_index("ix_case_task_firm_id_created_at")
        batch_op.drop_index("ix_case_task_firm_id_assignee_id")

    op.drop_table("case_task")
    with op.batch_alter_table("task_template", schema=None) as batch_op:
        batch_op.drop_index("ix_task_template_firm_id_title")

    op.drop_table("task_template")
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
    with op.batch_alter_table("notification_request", schema=None) as batch_op:
        batch_op.drop_index("ix_notification_request_firm_id_created_at")

    op.drop_table("notification_request")
    op.drop_table("lease")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_inbox_received_at")

    op.drop_table("inbox")
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.drop_index("ix_idempotency_key_created_at")

    op.drop_table("idempotency_key")
    op.drop_table("bulk_assignment")
