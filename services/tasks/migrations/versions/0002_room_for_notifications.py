"""A case task has room in its page for what comes of its notifications."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _on_postgresql("ALTER TABLE case_task SET (fillfactor = 60)")


def downgrade() -> None:
    _on_postgresql("ALTER TABLE case_task RESET (fillfactor)")


def _on_postgresql(statement: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(statement)
