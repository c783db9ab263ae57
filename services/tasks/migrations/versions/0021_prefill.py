"""Case tasks say whether what is known already is filled in for the client. Of those there nothing is."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("case_task") as batch_op:
        batch_op.add_column(sa.Column("prefill", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """The version before reads no form, and goes on with no bulk assignment, that says so."""
    _forget("form_version", "form_id", "version", column="content")
    _forget("bulk_assignment", "id", column="frozen")
    with op.batch_alter_table("case_task") as batch_op:
        batch_op.drop_column("prefill")


def _forget(name: str, *key: str, column: str) -> None:
    keys: list[sa.ColumnClause[Any]] = [sa.column(part) for part in ("firm_id", *key)]
    kept = sa.column(column, chassis.columns.Json)
    table = sa.table(name, *keys, kept)
    connection = op.get_bind()
    saying = sa.cast(kept, sa.Text).contains('"prefill"')
    for row in connection.execute(sa.select(*keys, kept).select_from(table).where(saying)).all():
        this = sa.and_(*(part == value for part, value in zip(keys, row, strict=False)))
        connection.execute(sa.update(table).where(this).values({column: _without(row[-1])}))


def _without(value: Any) -> Any:
    if isinstance(value, list):
        return [_without(part) for part in value]
    if isinstance(value, dict):
        return {name: _without(part) for name, part in value.items() if name != "prefill"}
    return value
