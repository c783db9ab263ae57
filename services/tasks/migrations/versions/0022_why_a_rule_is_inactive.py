"""A rule that nobody switched off says why it is inactive."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("automation_rule", sa.Column("inactive_because", sa.String(length=60), nullable=True))


def downgrade() -> None:
    op.drop_column("automation_rule", "inactive_because")
