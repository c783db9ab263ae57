"""Keys that seal the values of sensitive custom fields. Those there lie in clear; the service seals them when it runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_RESEALING = sa.text("resealing")


def upgrade() -> None:
    op.create_table(
        "firm_key",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("wrapped", sa.String(length=2000), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_firm_key")),
    )
    op.create_index(
        "uq_firm_key_current", "firm_key", ["firm_id", "purpose"], unique=True,
        sqlite_where=sa.text("is_current"), postgresql_where=sa.text("is_current"),
    )  # fmt: skip
    op.create_table(
        "case_key",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("firm_key_id", chassis.columns.Id, nullable=False),
        sa.Column("wrapped", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name=op.f("fk_case_key_firm_id_case_id")
        ),
        sa.ForeignKeyConstraint(
            ["firm_id", "firm_key_id"], ["firm_key.firm_id", "firm_key.id"], name="fk_case_key_firm_key"
        ),
        sa.PrimaryKeyConstraint("case_id", "firm_id", name=op.f("pk_case_key")),
    )
    with op.batch_alter_table("custom_field") as batch_op:
        batch_op.add_column(sa.Column("resealing", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(sa.text("UPDATE custom_field SET resealing = sensitive"))
    op.create_index(
        "ix_custom_field_resealing", "custom_field", ["resealing"], sqlite_where=_RESEALING, postgresql_where=_RESEALING
    )


def downgrade() -> None:
    """Values that were sealed stay sealed: the version before shows them as they are kept."""
    op.drop_index("ix_custom_field_resealing", table_name="custom_field")
    with op.batch_alter_table("custom_field") as batch_op:
        batch_op.drop_column("resealing")
    op.drop_table("case_key")
    op.drop_table("firm_key")
