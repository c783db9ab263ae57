"""What is kept for the undo of a merge is sealed. What was kept in clear goes: those merges stay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_KEPT = sa.text("before IS NOT NULL")


def upgrade() -> None:
    _change(sa.Text())
    with op.batch_alter_table("client_merge") as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    with op.batch_alter_table("client_merge") as batch_op:
        batch_op.alter_column("version", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("client_merge") as batch_op:
        batch_op.drop_column("version")
    _change(chassis.columns.Json)


def _change(kind: sa.types.TypeEngine[object]) -> None:
    op.drop_index("ix_client_merge_kept", table_name="client_merge")
    with op.batch_alter_table("client_merge") as batch_op:
        for name in ("before", "after"):
            batch_op.drop_column(name)
    with op.batch_alter_table("client_merge") as batch_op:
        for name in ("before", "after"):
            batch_op.add_column(sa.Column(name, kind, nullable=True))
    op.create_index("ix_client_merge_kept", "client_merge", ["at"], sqlite_where=_KEPT, postgresql_where=_KEPT)
