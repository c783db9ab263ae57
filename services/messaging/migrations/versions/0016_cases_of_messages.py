"""Messaging knows of which type the cases are that messages, notes of calls and notices are about.

The cases there are asked for by a timer.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_NAMED_BY_NOTICES = {
    "sqlite": "replace(json_extract(about, '$.case_id'), '-', '')",
    "postgresql": "CAST(about ->> 'case_id' AS uuid)",
}


def upgrade() -> None:
    op.add_column("notice", sa.Column("case_id", chassis.columns.Id, nullable=True))
    named = _NAMED_BY_NOTICES[op.get_bind().dialect.name]
    op.execute(f"UPDATE notice SET case_id = {named} WHERE {named} IS NOT NULL")  # noqa: S608  # nosec B608
    op.create_table(
        "known_case",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_type_id", chassis.columns.Id, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "firm_id", name=op.f("pk_known_case")),
    )
    op.create_index("ix_known_case_case_type_id", "known_case", ["case_type_id", "case_id"])
    op.create_table(
        "cases_asked",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("of_firm_id", chassis.columns.Id, nullable=True),
        sa.Column("last_case_id", chassis.columns.Id, nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_asked")),
    )


def downgrade() -> None:
    op.drop_table("cases_asked")
    op.drop_table("known_case")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_column("case_id")
