"""Contacts are found by their ids, whatever PostgreSQL takes their firm to have."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("uq_contact_id", "contact", ["id"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_contact_id", table_name="contact")
