"""The files of clients' photos."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_photo",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "client_id"], ["client.firm_id", "client.id"], name="fk_client_photo_client", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_client_photo")),
    )
    op.create_index("ix_client_photo_client", "client_photo", ["firm_id", "client_id"])


def downgrade() -> None:
    op.drop_table("client_photo")
