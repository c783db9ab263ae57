"""Archived cases are listed by an index of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ARCHIVED = sa.text("archived_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_cases_firm_id_archived", "cases", ["firm_id", "created_at", "id"],
        sqlite_where=_ARCHIVED, postgresql_where=_ARCHIVED,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_cases_firm_id_archived", table_name="cases")
