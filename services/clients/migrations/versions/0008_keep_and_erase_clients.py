"""Clients can be held, and erased: what is left of one that was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erased_client",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("erasure_id", chassis.columns.Id, nullable=False),
        sa.Column("erased_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "firm_id", name=op.f("pk_erased_client")),
    )
    with op.batch_alter_table("erased_client", schema=None) as batch_op:
        batch_op.create_index("ix_erased_client_erasure", ["firm_id", "erasure_id"], unique=False)

    op.create_table(
        "erasure",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("asked_by", chassis.columns.Id, nullable=True),
        sa.Column("client_ids", chassis.columns.Json, nullable=False),
        sa.Column("client_version", sa.Integer(), nullable=False),
        sa.Column("file_keys", chassis.columns.Json, nullable=False),
        sa.Column("counts", chassis.columns.Json, nullable=False),
        sa.Column("journal_key", sa.String(length=300), nullable=True),
        sa.Column("erased_at", chassis.columns.Instant(), nullable=True),
        sa.Column("finished_at", chassis.columns.Instant(), nullable=True),
        sa.Column("times_asked", sa.Integer(), nullable=False),
        sa.Column("ask_at", chassis.columns.Instant(), nullable=False),
        sa.CheckConstraint("cause IN ('asked', 'archived', 'restored')", name=op.f("ck_erasure_cause")),
        sa.CheckConstraint("state IN ('begun', 'running', 'done')", name=op.f("ck_erasure_state")),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_erasure")),
    )
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.create_index(
            "ix_erasure_ask_at",
            ["ask_at"],
            unique=False,
            sqlite_where=sa.text("state <> 'done'"),
            postgresql_where=sa.text("state <> 'done'"),
        )
        batch_op.create_index("ix_erasure_created", ["firm_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_erasure_journal_key", ["journal_key"], unique=False)
        batch_op.create_index("uq_erasure_client", ["firm_id", "client_id"], unique=True)

    op.create_table(
        "legal_hold",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("placed_by", chassis.columns.Id, nullable=True),
        sa.Column("released_at", chassis.columns.Instant(), nullable=True),
        sa.Column("released_by", chassis.columns.Id, nullable=True),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_legal_hold")),
    )
    with op.batch_alter_table("legal_hold", schema=None) as batch_op:
        batch_op.create_index(
            "ix_legal_hold_active",
            ["client_id"],
            unique=False,
            sqlite_where=sa.text("released_at IS NULL"),
            postgresql_where=sa.text("released_at IS NULL"),
        )
        batch_op.create_index("ix_legal_hold_client", ["firm_id", "client_id", "created_at", "id"], unique=False)

    op.create_table(
        "erasure_report",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("erasure_id", chassis.columns.Id, nullable=False),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("counts", chassis.columns.Json, nullable=False),
        sa.Column("reported_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["firm_id", "erasure_id"], ["erasure.firm_id", "erasure.id"], name="fk_erasure_report"),
        sa.PrimaryKeyConstraint("firm_id", "erasure_id", "service", name=op.f("pk_erasure_report")),
    )
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.create_index(
            "ix_client_archived",
            ["archived_at", "id"],
            unique=False,
            sqlite_where=sa.text("archived_at IS NOT NULL"),
            postgresql_where=sa.text("archived_at IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_client_archived",
            sqlite_where=sa.text("archived_at IS NOT NULL"),
            postgresql_where=sa.text("archived_at IS NOT NULL"),
        )

    op.drop_table("erasure_report")
    with op.batch_alter_table("legal_hold", schema=None) as batch_op:
        batch_op.drop_index("ix_legal_hold_client")
        batch_op.drop_index(
            "ix_legal_hold_active",
            sqlite_where=sa.text("released_at IS NULL"),
            postgresql_where=sa.text("released_at IS NULL"),
        )

    op.drop_table("legal_hold")
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.drop_index("uq_erasure_client")
        batch_op.drop_index("ix_erasure_journal_key")
        batch_op.drop_index("ix_erasure_created")
        batch_op.drop_index(
            "ix_erasure_ask_at", sqlite_where=sa.text("state <> 'done'"), postgresql_where=sa.text("state <> 'done'")
        )

    op.drop_table("erasure")
    with op.batch_alter_table("erased_client", schema=None) as batch_op:
        batch_op.drop_index("ix_erased_client_erasure")

    op.drop_table("erased_client")
