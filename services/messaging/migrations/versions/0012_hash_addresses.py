"""Addresses are hashed in the projection of consent (its rows at the next start, when the key is at hand), and in what
proves the opt-out of a person who was erased."""

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
        "address_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.String(length=2000), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_key")),
    )
    with op.batch_alter_table("consent_entry", schema=None) as batch_op:
        batch_op.add_column(sa.Column("address_hash", sa.String(length=22), nullable=True))
        batch_op.create_index(
            "ix_consent_entry_address_hash",
            ["address_hash"],
            unique=False,
            sqlite_where=sa.text("address_hash IS NOT NULL"),
            postgresql_where=sa.text("address_hash IS NOT NULL"),
        )


def downgrade() -> None:
    """The version before looks addresses up as they are: the ledger knows them. Of people who were erased it does not,
    and their opt-outs are not found any more."""
    theirs = "consent_entry.id = consent_state.entry_id AND consent_entry.address IS NOT NULL"
    op.execute(
        "UPDATE consent_state SET key = 'a:' ||"  # noqa: S608  # nosec B608
        f" (SELECT lower(consent_entry.address) FROM consent_entry WHERE {theirs})"
        f" WHERE key LIKE 'h:%' AND EXISTS (SELECT 1 FROM consent_entry WHERE {theirs})"
    )
    # Of whom nothing was said: made again when it is needed.
    op.execute("DELETE FROM consent_state WHERE key LIKE 'h:%' AND state IS NULL")
    with op.batch_alter_table("consent_entry", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_consent_entry_address_hash",
            sqlite_where=sa.text("address_hash IS NOT NULL"),
            postgresql_where=sa.text("address_hash IS NOT NULL"),
        )
        batch_op.drop_column("address_hash")

    op.drop_table("address_key")
