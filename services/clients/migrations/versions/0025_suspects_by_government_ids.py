"""Clients with government ids are looked through once more: the same one makes two look like one."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE suspect_sweep SET step = 'phone', after = NULL")
    having = "EXISTS (SELECT 1 FROM client_government_id WHERE client_government_id.firm_id = client.firm_id)"
    op.execute(
        "INSERT INTO suspect_sweep (firm_id, wanted_at, step, turns)"  # noqa: S608  # nosec B608
        f" SELECT firm_id, max(updated_at), 'phone', 0 FROM client WHERE {having} GROUP BY firm_id"
        " ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    """A sweep in the step that the version before does not know begins anew."""
    op.execute("UPDATE suspect_sweep SET step = 'phone', after = NULL WHERE step = 'government_id'")
