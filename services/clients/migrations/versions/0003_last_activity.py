"""When something last happened to a client has a table of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "last_activity",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "firm_id", name=op.f("pk_last_activity")),
    )
    op.execute(
        "INSERT INTO last_activity (firm_id, client_id, at)"
        " SELECT firm_id, id, coalesce(last_activity_at, created_at) FROM client"
    )
    op.create_index("ix_last_activity_at", "last_activity", ["firm_id", "at", "client_id"])
    op.drop_index("ix_client_activity", table_name="client")
    with op.batch_alter_table("client") as batch_op:
        batch_op.drop_column("last_activity_at")


def downgrade() -> None:
    op.add_column("client", sa.Column("last_activity_at", chassis.columns.Instant(), nullable=True))
    op.execute(
        "UPDATE client SET last_activity_at = (SELECT at FROM last_activity"
        " WHERE last_activity.client_id = client.id AND last_activity.firm_id = client.firm_id)"
    )
    op.create_index("ix_client_activity", "client", ["firm_id", "last_activity_at", "id"])
    op.drop_table("last_activity")
