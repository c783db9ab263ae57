"""A client's consent that was taken back, so that nothing is said any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("client_consent", schema=None) as batch_op:
        batch_op.alter_column("state", existing_type=sa.String(length=20), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM client_consent WHERE state IS NULL")
    with op.batch_alter_table("client_consent", schema=None) as batch_op:
        batch_op.alter_column("state", existing_type=sa.String(length=20), nullable=False)
