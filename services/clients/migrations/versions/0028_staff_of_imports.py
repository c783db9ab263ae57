"""To whom of the staff an import may assign"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chassis.columns import JsonOrNull

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("file_import", sa.Column("staff_ids", JsonOrNull, nullable=True))


def downgrade() -> None:
    op.drop_column("file_import", "staff_ids")
