"""The rows of consent are found by what was named, however many a firm has: their key begins with the address or client."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_key(["key", "channel", "firm_id"])


def downgrade() -> None:
    _make_key(["firm_id", "channel", "key"])


def _make_key(columns: list[str]) -> None:
    with op.batch_alter_table("consent_state") as batch_op:
        batch_op.drop_constraint("pk_consent_state", type_="primary")
        batch_op.create_primary_key("pk_consent_state", columns)
