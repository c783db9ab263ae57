"""Clients that may be one person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def _of_client(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["firm_id", column], ["client.firm_id", "client.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "suspected_pair",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("first_id", chassis.columns.Id, nullable=False),
        sa.Column("second_id", chassis.columns.Id, nullable=False),
        sa.Column("why", chassis.columns.Json, nullable=False),
        sa.Column("found_at", chassis.columns.Instant(), nullable=False),
        sa.Column("seen_at", chassis.columns.Instant(), nullable=False),
        sa.CheckConstraint("first_id < second_id", name=op.f("ck_suspected_pair_in_order")),
        _of_client("suspected_pair", "first_id"),
        _of_client("suspected_pair", "second_id"),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_suspected_pair")),
    )
    op.create_index("uq_suspected_pair", "suspected_pair", ["firm_id", "first_id", "second_id"], unique=True)
    op.create_index("ix_suspected_pair_second", "suspected_pair", ["firm_id", "second_id"])
    op.create_index("ix_suspected_pair_found_at", "suspected_pair", ["firm_id", "found_at", "id"])
    op.create_index("ix_suspected_pair_seen_at", "suspected_pair", ["firm_id", "seen_at", "id"])
    op.create_table(
        "not_duplicate",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("first_id", chassis.columns.Id, nullable=False),
        sa.Column("second_id", chassis.columns.Id, nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.Column("by", chassis.columns.Id, nullable=True),
        sa.CheckConstraint("first_id < second_id", name=op.f("ck_not_duplicate_in_order")),
        _of_client("not_duplicate", "first_id"),
        _of_client("not_duplicate", "second_id"),
        sa.PrimaryKeyConstraint("firm_id", "first_id", "second_id", name=op.f("pk_not_duplicate")),
    )
    op.create_index("ix_not_duplicate_second", "not_duplicate", ["firm_id", "second_id"])
    op.create_table(
        "suspect_sweep",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("wanted_at", chassis.columns.Instant(), nullable=False),
        sa.Column("began_at", chassis.columns.Instant(), nullable=True),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", name=op.f("pk_suspect_sweep")),
    )
    op.create_index("ix_suspect_sweep_wanted_at", "suspect_sweep", ["wanted_at"])
    # Clients that are there already are looked through once.
    op.execute(
        "INSERT INTO suspect_sweep (firm_id, wanted_at, step, turns)"
        " SELECT firm_id, max(updated_at), 'phone', 0 FROM client GROUP BY firm_id"
    )


def downgrade() -> None:
    op.drop_table("suspect_sweep")
    op.drop_table("not_duplicate")
    op.drop_table("suspected_pair")
