"""What was written to a contact is found when the contact is deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("contact_id IS NOT NULL")
    op.create_index("ix_delivery_contact", "delivery", ["contact_id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_delivery_contact", table_name="delivery")
