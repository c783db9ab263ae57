"""Bulk assignments and runs of rules that stand still are asked for again, those there too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_KEPT = sa.text("ask_at IS NOT NULL")
_JOBS = (("bulk_assignment", "running", "updated_at"), ("automation_run", "waiting", "created_at"))


def upgrade() -> None:
    for table, state, since in _JOBS:
        op.add_column(table, sa.Column("ask_at", chassis.columns.Instant(), nullable=True))
        jobs = sa.table(table, sa.column("ask_at"), sa.column("state"), sa.column(since))
        op.execute(sa.update(jobs).where(jobs.c.state == state).values(ask_at=jobs.c[since]))
        op.create_index(f"ix_{table}_ask_at", table, ["ask_at"], sqlite_where=_KEPT, postgresql_where=_KEPT)


def downgrade() -> None:
    for table, _, _ in _JOBS:
        op.drop_index(f"ix_{table}_ask_at", table_name=table)
        op.drop_column(table, "ask_at")
