"""Two case types of a firm do not have one name, however it is written. Of those there that do, the oldest is known by
the name, and the others stay as they are until they are renamed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

# Of today's code, on purpose: names that are told apart otherwise later are keyed anew by that migration.
from services.cases.models.types import name_key

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_type", sa.Column("name_key", chassis.columns.Folded, nullable=True))
    _key_those_there(op.get_bind())
    op.create_index("uq_case_type_name_key", "case_type", ["firm_id", "name_key"], unique=True)


def _key_those_there(connection: sa.Connection) -> None:
    ids = chassis.columns.Id
    types = sa.table(
        "case_type", sa.column("firm_id", ids), sa.column("id", ids), sa.column("name"), sa.column("name_key"),
        sa.column("archived"), sa.column("created_at"),
    )  # fmt: skip
    known: set[tuple[str, str]] = set()
    # As an import finds the type that a file names.
    order = (types.c.archived, types.c.created_at, types.c.id)
    for row in connection.execute(sa.select(types).order_by(*order)).all():
        key = name_key(row.name)
        if (row.firm_id, key) not in known:
            known.add((row.firm_id, key))
            mine = (types.c.firm_id == row.firm_id, types.c.id == row.id)
            connection.execute(types.update().where(*mine).values(name_key=key))


def downgrade() -> None:
    op.drop_index("uq_case_type_name_key", table_name="case_type")
    op.drop_column("case_type", "name_key")
