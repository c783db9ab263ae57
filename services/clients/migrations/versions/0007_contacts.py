"""Contacts of business clients."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WITH_EMAIL = sa.text("email_key IS NOT NULL")
_NOTIFY = sa.text("notify")


def upgrade() -> None:
    op.create_table(
        "contact",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("first_name", sa.String(120), nullable=True),
        sa.Column("last_name", sa.String(120), nullable=True),
        sa.Column("email", sa.String(320), nullable=True),
        sa.Column("email_key", sa.String(320), nullable=True),
        sa.Column("phone", sa.String(20), nullable=True),
        sa.Column("title", sa.String(120), nullable=True),
        sa.Column("sort_name", sa.String(300), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_contact")),
    )
    op.create_index(
        "uq_contact_email",
        "contact",
        ["firm_id", "email_key"],
        unique=True,
        sqlite_where=_WITH_EMAIL,
        postgresql_where=_WITH_EMAIL,
    )
    op.create_index("ix_contact_name", "contact", ["firm_id", "sort_name", "id"])
    op.create_index("ix_contact_created", "contact", ["firm_id", "created_at", "id"])
    op.create_index("ix_contact_phone", "contact", ["firm_id", "phone"])
    op.create_table(
        "contact_tie",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("contact_id", chassis.columns.Id, nullable=False),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "client_id"],
            ["client.firm_id", "client.id"],
            name="fk_contact_tie_client",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["firm_id", "contact_id"],
            ["contact.firm_id", "contact.id"],
            name="fk_contact_tie_contact",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("firm_id", "client_id", "contact_id", name=op.f("pk_contact_tie")),
    )
    op.create_index("ix_contact_tie_contact", "contact_tie", ["firm_id", "contact_id"])
    op.create_index(
        "ix_contact_tie_notify", "contact_tie", ["client_id"], sqlite_where=_NOTIFY, postgresql_where=_NOTIFY
    )


def downgrade() -> None:
    op.drop_table("contact_tie")
    op.drop_table("contact")
