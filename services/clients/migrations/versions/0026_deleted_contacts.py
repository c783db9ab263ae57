"""What is left of a deleted contact until messaging has forgotten them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted_contact",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("contact_id", chassis.columns.Id, nullable=False),
        sa.Column("email_key", sa.String(length=320), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("ask_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "contact_id", name=op.f("pk_deleted_contact")),
    )
    op.create_index("ix_deleted_contact_ask_at", "deleted_contact", ["ask_at"])


def downgrade() -> None:
    op.drop_table("deleted_contact")
