"""Indexes for what lists of clients are narrowed by"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def _create(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "client", ["firm_id", *columns], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    op.drop_index("ix_client_staff", table_name="client")
    _create("ix_client_staff", ["assigned_staff_id", "created_at", "id"], "archived_at IS NULL")
    _create("ix_client_status", ["status", "created_at", "id"], "archived_at IS NULL")
    _create("ix_client_flagged", ["created_at", "id"], "archived_at IS NULL AND flag_reason IS NOT NULL")
    _create("ix_client_spam", ["created_at", "id"], "archived_at IS NULL AND spam")


def downgrade() -> None:
    for name in ("ix_client_spam", "ix_client_flagged", "ix_client_status", "ix_client_staff"):
        op.drop_index(name, table_name="client")
    op.create_index("ix_client_staff", "client", ["firm_id", "assigned_staff_id"])
