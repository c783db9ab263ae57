"""What imports changed, so that they can be taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_change",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("import_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("values", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("conflicts", chassis.columns.Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "client_id"], ["client.firm_id", "client.id"], name="fk_import_change_client",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("firm_id", "import_id", "client_id", name=op.f("pk_import_change")),
    )  # fmt: skip
    op.create_index("ix_import_change_client", "import_change", ["firm_id", "client_id"])
    op.create_index(
        "ix_client_import",
        "client",
        ["firm_id", "import_id", "id"],
        sqlite_where=sa.text("import_id IS NOT NULL"),
        postgresql_where=sa.text("import_id IS NOT NULL"),
    )
    with op.batch_alter_table("file_import") as batch_op:
        batch_op.add_column(sa.Column("undo_total", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("undo_counts", chassis.columns.Json, nullable=False, server_default="{}"))
    with op.batch_alter_table("file_import") as batch_op:
        for name in ("undo_total", "undo_counts"):
            batch_op.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("file_import") as batch_op:
        batch_op.drop_column("undo_counts")
        batch_op.drop_column("undo_total")
    op.drop_index("ix_client_import", table_name="client")
    op.drop_table("import_change")
