"""Automation rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "automation_rule",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("trigger_kind", sa.String(length=30), nullable=False),
        sa.Column("trigger", chassis.columns.Json, nullable=False),
        sa.Column("filter", chassis.columns.JsonOrNull, nullable=True),
        sa.Column("actions", chassis.columns.Json, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_automation_rule")),
        sa.UniqueConstraint("firm_id", "name", name=op.f("uq_automation_rule_firm_id_name")),
    )
    op.create_index(
        "ix_automation_rule_trigger",
        "automation_rule",
        ["firm_id", "trigger_kind"],
        sqlite_where=sa.text("active = 1"),
        postgresql_where=sa.text("active"),
    )


def downgrade() -> None:
    op.drop_table("automation_rule")
