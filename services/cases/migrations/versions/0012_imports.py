"""Cases from files: the files, rows that failed, what they made and changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file_import",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("actor_id", chassis.columns.Id, nullable=True),
        sa.Column("clients_created", sa.Integer(), nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("target", sa.String(length=20), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("file_key", sa.String(length=300), nullable=False),
        sa.Column("table_key", sa.String(length=300), nullable=True),
        sa.Column("sheet", sa.String(length=100), nullable=True),
        sa.Column("sheets", chassis.columns.Json, nullable=False),
        sa.Column("encoding", sa.String(length=40), nullable=False),
        sa.Column("delimiter", sa.String(length=1), nullable=False),
        sa.Column("columns", chassis.columns.Json, nullable=False),
        sa.Column("suggested_mapping", chassis.columns.Json, nullable=False),
        sa.Column("mapping", chassis.columns.Json, nullable=True),
        sa.Column("duplicates", sa.String(length=20), nullable=True),
        sa.Column("default_values", chassis.columns.Json, nullable=False),
        sa.Column("default_country", sa.String(length=2), nullable=False),
        sa.Column("date_format", sa.String(length=20), nullable=False),
        sa.Column("clear_empty", sa.Boolean(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("error_counts", chassis.columns.Json, nullable=False),
        sa.Column("preview_position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("preview", chassis.columns.Json, nullable=True),
        sa.Column("undo_total", sa.Integer(), nullable=False),
        sa.Column("undo_counts", chassis.columns.Json, nullable=False),
        sa.Column("failure", sa.String(length=200), nullable=True),
        sa.Column("emptied_at", chassis.columns.Instant(), nullable=True),
        sa.CheckConstraint(
            "created + updated + skipped + failed = position", name=op.f("ck_file_import_counts_add_up")
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_file_import")),
    )
    op.create_index(
        "ix_file_import_kept",
        "file_import",
        ["updated_at"],
        sqlite_where=sa.text("emptied_at IS NULL"),
        postgresql_where=sa.text("emptied_at IS NULL"),
    )

    op.create_table(
        "import_client",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("import_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "import_id", "client_id", name=op.f("pk_import_client")),
    )
    op.create_index("ix_import_client_client", "import_client", ["firm_id", "client_id"])

    op.create_table(
        "import_row",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("import_id", chassis.columns.Id, nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("errors", chassis.columns.Json, nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "import_id", "row", name=op.f("pk_import_row")),
    )
    op.create_table(
        "import_change",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("made", sa.Boolean(), nullable=False),
        sa.Column("import_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("values", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("conflicts", chassis.columns.Json, nullable=False),
        sa.ForeignKeyConstraint(["firm_id", "case_id"], ["cases.firm_id", "cases.id"], name="fk_import_change_case"),
        sa.PrimaryKeyConstraint("firm_id", "import_id", "case_id", name=op.f("pk_import_change")),
    )
    op.create_index("ix_import_change_case", "import_change", ["firm_id", "case_id"])


def downgrade() -> None:
    for table in ("import_change", "import_row", "import_client", "file_import"):
        op.drop_table(table)
