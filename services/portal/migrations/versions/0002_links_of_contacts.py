"""A link may be a contact's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OF_CONTACTS = sa.text("contact_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("link", sa.Column("contact_id", chassis.columns.Id, nullable=True))
    op.create_index(
        "ix_link_contact",
        "link",
        ["firm_id", "contact_id"],
        sqlite_where=_OF_CONTACTS,
        postgresql_where=_OF_CONTACTS,
    )


def downgrade() -> None:
    op.drop_index("ix_link_contact", table_name="link")
    with op.batch_alter_table("link") as batch_op:
        batch_op.drop_column("contact_id")
