"""Each time that an automation rule was triggered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NO_LOOP = sa.text("state <> 'loop'")


def upgrade() -> None:
    op.create_table(
        "automation_run",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("automation_rule_id", chassis.columns.Id, nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("case_task_id", chassis.columns.Id, nullable=True),
        sa.Column("trigger_event_id", chassis.columns.Id, nullable=False),
        sa.Column("chain_id", chassis.columns.Id, nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.Column("outcomes", chassis.columns.Json, nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "automation_rule_id"],
            ["automation_rule.firm_id", "automation_rule.id"],
            name=op.f("fk_automation_run_firm_id_automation_rule_id"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_automation_run")),
        sa.UniqueConstraint(
            "firm_id",
            "trigger_event_id",
            "automation_rule_id",
            name=op.f("uq_automation_run_firm_id_trigger_event_id_automation_rule_id"),
        ),
    )
    chain = ["firm_id", "chain_id", "automation_rule_id", "case_id"]
    op.create_index(
        "ix_automation_run_chain",
        "automation_run",
        chain,
        unique=True,
        sqlite_where=_NO_LOOP,
        postgresql_where=_NO_LOOP,
    )
    for name, column in (("rule", "automation_rule_id"), ("case", "case_id")):
        op.create_index(f"ix_automation_run_{name}", "automation_run", ["firm_id", column, "created_at", "id"])
    op.create_index("ix_automation_run_created_at", "automation_run", ["firm_id", "created_at", "id"])


def downgrade() -> None:
    op.drop_table("automation_run")
