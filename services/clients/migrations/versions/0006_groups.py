"""Groups of clients."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_group",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("name_key", sa.String(240), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("filter", chassis.columns.JsonOrNull, nullable=True),
        sa.CheckConstraint("kind IN ('static', 'filter')", name=op.f("ck_client_group_kind")),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_client_group")),
        sa.UniqueConstraint("firm_id", "name_key", name="uq_client_group_name"),
    )
    op.create_index("ix_client_group_created", "client_group", ["firm_id", "created_at", "id"])
    op.create_table(
        "client_group_member",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("group_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "group_id"],
            ["client_group.firm_id", "client_group.id"],
            name="fk_client_group_member_group",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["firm_id", "client_id"],
            ["client.firm_id", "client.id"],
            name="fk_client_group_member_client",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("firm_id", "group_id", "client_id", name=op.f("pk_client_group_member")),
    )
    op.create_index("ix_client_group_member_client", "client_group_member", ["firm_id", "client_id"])


def downgrade() -> None:
    op.drop_table("client_group_member")
    op.drop_table("client_group")
