"""One message about a case task may go to a business's contacts, to each of them once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.add_column(sa.Column("to_contacts", sa.Boolean(), nullable=False, server_default=sa.false()))
    _index("uq_delivery_added_alone", ["subject_id", "contact_id"], "added AND batch_id IS NULL")
    _index("uq_delivery_address_alone", ["subject_id", "address_once"], "address_once IS NOT NULL AND batch_id IS NULL")


def downgrade() -> None:
    op.drop_index("uq_delivery_address_alone", table_name="delivery")
    op.drop_index("uq_delivery_added_alone", table_name="delivery")
    op.execute("DELETE FROM delivery WHERE added AND batch_id IS NULL")
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.drop_column("to_contacts")


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "delivery", columns, unique=True, sqlite_where=where, postgresql_where=where)
