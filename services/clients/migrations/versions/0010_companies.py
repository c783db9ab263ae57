"""The directory of companies that all firms share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "company",
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_key", sa.String(300), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("addresses", chassis.columns.Json, nullable=False),
        sa.Column("phones", chassis.columns.Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company")),
    )
    op.create_index("ix_company_name", "company", ["name_key", "id"])
    op.create_index("ix_company_created", "company", ["created_at", "id"])
    op.create_table(
        "company_proposal",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("company_id", chassis.columns.Id, nullable=True),
        sa.Column("content", chassis.columns.Json, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("decided_at", chassis.columns.Instant(), nullable=True),
        sa.Column("decided_by", sa.String(120), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'accepted', 'rejected')", name=op.f("ck_company_proposal_state")),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name="fk_company_proposal_company"),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_company_proposal")),
    )
    op.create_index("ix_company_proposal_created", "company_proposal", ["firm_id", "created_at", "id"])
    op.create_index("ix_company_proposal_id", "company_proposal", ["id"], unique=True)
    op.create_table(
        "client_company",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("company_id", chassis.columns.Id, nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name="fk_client_company_company"),
        sa.ForeignKeyConstraint(
            ["firm_id", "client_id"],
            ["client.firm_id", "client.id"],
            name="fk_client_company_client",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("firm_id", "client_id", name=op.f("pk_client_company")),
    )


def downgrade() -> None:
    op.drop_table("client_company")
    op.drop_table("company_proposal")
    op.drop_table("company")
