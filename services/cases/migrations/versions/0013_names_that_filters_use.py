"""Key dates are found by their labels, and statuses by the names that they had."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

# Of today's code, on purpose: what is folded otherwise later is folded anew by that migration.
from chassis.texts import fold

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_key_date", sa.Column("label_folded", chassis.columns.Folded, server_default="", nullable=False))
    _fold_those_there(op.get_bind())
    op.create_index("ix_case_key_date_label", "case_key_date", ["firm_id", "label_folded", "day", "case_id"])
    op.create_table(
        "case_status_former",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_type_id", chassis.columns.Id, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("status", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "case_type_id", "status"],
            ["case_status.firm_id", "case_status.case_type_id", "case_status.name"],
            name="fk_case_status_former_status",
        ),
        sa.PrimaryKeyConstraint("firm_id", "case_type_id", "name", name=op.f("pk_case_status_former")),
    )
    op.create_index("ix_case_status_former_firm_id_name", "case_status_former", ["firm_id", "name"])


def _fold_those_there(connection: sa.Connection) -> None:
    dates = sa.table("case_key_date", sa.column("label"), sa.column("label_folded"))
    for label in connection.scalars(sa.select(dates.c.label).distinct()).all():
        connection.execute(dates.update().where(dates.c.label == label).values(label_folded=fold(label.strip())))


def downgrade() -> None:
    op.drop_table("case_status_former")
    op.drop_index("ix_case_key_date_label", table_name="case_key_date")
    op.drop_column("case_key_date", "label_folded")
