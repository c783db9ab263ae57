"""Clients are found by their keys."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

import chassis.columns

# Of today's code, on purpose: keys that are made otherwise later are made anew by that migration.
from services.clients.models.finding import FULL_TEXT, SQLITE
from services.clients.search.search_keys import stored_keys

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_AT_ONCE = 1000
_KEYS = sa.Text().with_variant(TSVECTOR(), "postgresql")


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    op.add_column("client", sa.Column("keys", _KEYS, server_default=sa.text("''"), nullable=False))
    for statement in () if on_postgresql else SQLITE:
        op.execute(statement)
    _key_those_there(op.get_bind())
    if on_postgresql:
        op.create_index(
            "ix_client_keys",
            "client",
            ["keys"],
            postgresql_using="gin",
            postgresql_where=sa.text("archived_at IS NULL"),
        )
    op.execute("UPDATE client SET search_text = ''")


def _key_those_there(connection: Any) -> None:
    """The keys of the clients there are, so many at a time."""
    ids = chassis.columns.Id
    client = sa.table(
        "client",
        *(sa.column(name, ids) for name in ("firm_id", "id")),
        *(sa.column(name) for name in ("first_name", "middle_name", "last_name", "company_name")),
    )
    after: str | None = None
    while True:
        some = sa.select(client).order_by(client.c.id).limit(_AT_ONCE)
        rows = connection.execute(some if after is None else some.where(client.c.id > after)).all()
        if not rows:
            return
        after = rows[-1].id
        lists = {
            name: _lists(connection, table, column, [row.id for row in rows])
            for name, table, column in (("phones", "client_phone", "number"), ("emails", "client_email", "address"))
        }
        keyed = sa.table("client", sa.column("id", ids), sa.column("keys", _KEYS))
        connection.execute(
            keyed.update().where(keyed.c.id == sa.bindparam("client_id")).values(keys=sa.bindparam("made")),
            [
                {
                    "client_id": row.id,
                    "made": stored_keys(
                        {**row._mapping, **{name: of.get(row.id, []) for name, of in lists.items()}}, row.firm_id
                    ),
                }
                for row in rows
            ],
        )


def _lists(connection: Any, table: str, column: str, ids: list[str]) -> dict[str, list[dict[str, str]]]:
    rows = sa.table(table, sa.column("client_id", chassis.columns.Id), sa.column(column))
    found: dict[str, list[dict[str, str]]] = {}
    for client_id, value in connection.execute(sa.select(rows).where(rows.c.client_id.in_(ids))):
        found.setdefault(client_id, []).append({column: value})
    return found


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_client_keys", table_name="client")
    else:
        for ending in ("added", "changed", "gone"):
            # Later migrations that copied the table have taken them along.
            op.execute(f"DROP TRIGGER IF EXISTS {FULL_TEXT}_{ending}")
        op.drop_table(FULL_TEXT)
    op.drop_column("client", "keys")
    # What the version before looks into: the names at least.
    op.execute(
        "UPDATE client SET search_text = lower(coalesce(first_name, '') || ' ' || coalesce(middle_name, '') || ' ' ||"
        " coalesce(last_name, '') || ' ' || coalesce(company_name, ''))"
    )
