"""Series of case numbers by what they begin with; types of case that say how, and that are archived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("case_type") as batch_op:
        batch_op.add_column(sa.Column("number_prefix", sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column("number_digits", sa.Integer(), server_default="6", nullable=False))
        batch_op.add_column(sa.Column("number_yearly", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table("number_series") as batch_op:
        batch_op.add_column(sa.Column("key", sa.String(length=60), server_default="", nullable=False))
        batch_op.drop_constraint("pk_number_series", type_="primary")
        batch_op.create_primary_key("pk_number_series", ["firm_id", "key"])


def downgrade() -> None:
    op.execute("DELETE FROM number_series WHERE key <> ''")
    with op.batch_alter_table("number_series") as batch_op:
        batch_op.drop_constraint("pk_number_series", type_="primary")
        batch_op.create_primary_key("pk_number_series", ["firm_id"])
        batch_op.drop_column("key")
    with op.batch_alter_table("case_type") as batch_op:
        for name in ("archived", "number_yearly", "number_digits", "number_prefix"):
            batch_op.drop_column(name)
