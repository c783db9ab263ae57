"""What waits to notify about a case task is found by it, and messages that are in no conversation yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    waits = sa.text("case_task_id IS NOT NULL AND coalesce(state, '') IN ('accepted', 'queued')")
    op.create_index(
        "ix_delivery_waiting_task", "delivery", ["case_task_id"], sqlite_where=waits, postgresql_where=waits
    )
    unfiled = sa.text("conversation_id IS NULL")
    op.create_index(
        "ix_inbound_message_unfiled", "inbound_message", ["created_at"], sqlite_where=unfiled, postgresql_where=unfiled
    )


def downgrade() -> None:
    op.drop_index("ix_inbound_message_unfiled", table_name="inbound_message")
    op.drop_index("ix_delivery_waiting_task", table_name="delivery")
