"""The index by which foreign keys find a client is the newest: in a database without statistics all that could serve
look equal, and PostgreSQL takes the newest."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("uq_client_id", table_name="client")
    op.create_index("uq_client_id", "client", ["id"], unique=True)


def downgrade() -> None:
    """Nothing has changed but the order."""
