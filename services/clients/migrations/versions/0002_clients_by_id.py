"""Clients are found by their ids alone, however many a firm has."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("uq_client_id", "client", ["id"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_client_id", table_name="client")
