"""A delivery may go to a contact of a business client, and to each of several."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ONCE = ["batch_id", "subject_id", "client_id", "channel"]


def upgrade() -> None:
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.add_column(sa.Column("contact_id", chassis.columns.Id, nullable=True))
        batch_op.add_column(sa.Column("added", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.drop_constraint("uq_delivery_once", type_="unique")
    _index("uq_delivery_once", _ONCE, "NOT added")
    _index("uq_delivery_added", [*_ONCE, "contact_id"], "added")


def downgrade() -> None:
    op.execute("DELETE FROM delivery WHERE added")
    op.drop_index("uq_delivery_added", table_name="delivery")
    op.drop_index("uq_delivery_once", table_name="delivery")
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.create_unique_constraint("uq_delivery_once", _ONCE)
        batch_op.drop_column("added")
        batch_op.drop_column("contact_id")


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "delivery", columns, unique=True, sqlite_where=where, postgresql_where=where)
