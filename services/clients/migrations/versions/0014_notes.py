"""Notes, and consent to data collection."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def _of_client(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["firm_id", "client_id"], ["client.firm_id", "client.id"], name=f"fk_{table}_client", ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "client_note",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("author_id", chassis.columns.Id, nullable=True),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _of_client("client_note"),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_client_note")),
    )
    op.create_index("ix_client_note_client", "client_note", ["firm_id", "client_id", "created_at", "id"])
    op.create_table(
        "client_policy_consent",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("policy_version", sa.String(length=60), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("at", chassis.columns.Instant(), nullable=False),
        sa.Column("recorded_by", chassis.columns.Id, nullable=True),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        _of_client("client_policy_consent"),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_client_policy_consent")),
    )
    op.create_index("ix_client_policy_consent_client", "client_policy_consent", ["firm_id", "client_id", "at", "id"])


def downgrade() -> None:
    op.drop_table("client_policy_consent")
    op.drop_table("client_note")
