"""A client with numbers, or with email addresses, has a primary among them: PostgreSQL sees to it."""

from __future__ import annotations

from alembic import op

# Of today's code, on purpose: what it makes otherwise later, that migration makes anew.
from services.clients.models.primaries import TABLES, demand_primaries, let_go

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    for table in TABLES:
        # None is known to have been left without. The first of the list is what a use case would have taken.
        mine = f"other.firm_id = {table}.firm_id AND other.client_id = {table}.client_id"
        op.execute(
            f"UPDATE {table} SET is_primary = true WHERE position ="  # noqa: S608  # nosec B608
            f" (SELECT min(other.position) FROM {table} AS other WHERE {mine})"
            f" AND NOT EXISTS (SELECT 1 FROM {table} AS other WHERE {mine} AND other.is_primary)"
        )
        if connection.dialect.name == "postgresql":
            demand_primaries(connection, table)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            let_go(op.get_bind(), table)
