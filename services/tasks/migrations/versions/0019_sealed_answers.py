"""Keys that seal the answers to sensitive questions. Those there lie in clear: the service asks which of their
templates are mapped to sensitive fields, and seals them, when it runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_RESEALING = sa.text("resealing")


def upgrade() -> None:
    op.create_table(
        "firm_key",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("wrapped", sa.String(length=2000), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_firm_key")),
    )
    op.create_index(
        "uq_firm_key_current", "firm_key", ["firm_id", "purpose"], unique=True,
        sqlite_where=sa.text("is_current"), postgresql_where=sa.text("is_current"),
    )  # fmt: skip
    op.create_table(
        "answer_key",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_task_id", chassis.columns.Id, nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("firm_key_id", chassis.columns.Id, nullable=False),
        sa.Column("wrapped", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_task_id"], ["case_task.firm_id", "case_task.id"],
            name=op.f("fk_answer_key_firm_id_case_task_id"),
        ),
        sa.ForeignKeyConstraint(
            ["firm_id", "firm_key_id"], ["firm_key.firm_id", "firm_key.id"], name="fk_answer_key_firm_key"
        ),
        sa.PrimaryKeyConstraint("case_task_id", "firm_id", name=op.f("pk_answer_key")),
    )  # fmt: skip
    with op.batch_alter_table("case_task") as batch_op:
        batch_op.add_column(sa.Column("sealed", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table("task_template") as batch_op:
        batch_op.add_column(sa.Column("sensitive", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("resealing", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(sa.text("UPDATE task_template SET resealing = (mapping_target IS NOT NULL AND mapping_target = 'case')"))
    op.create_index(
        "ix_task_template_resealing", "task_template", ["resealing"],
        sqlite_where=_RESEALING, postgresql_where=_RESEALING,
    )  # fmt: skip


def downgrade() -> None:
    """Answers that were sealed stay sealed: the version before shows them as they are kept."""
    op.drop_index("ix_task_template_resealing", table_name="task_template")
    with op.batch_alter_table("task_template") as batch_op:
        batch_op.drop_column("resealing")
        batch_op.drop_column("sensitive")
    with op.batch_alter_table("case_task") as batch_op:
        batch_op.drop_column("sealed")
    op.drop_table("answer_key")
    op.drop_table("firm_key")
