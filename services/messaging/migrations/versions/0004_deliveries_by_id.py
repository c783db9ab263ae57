"""Deliveries and attempts are found by what was named, however many a firm has: no index of them begins with it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ONCE = ("batch_id", "subject_id", "client_id", "channel")
_ADDRESS = ("batch_id", "subject_id", "channel", "address_once")
_OTHERS = {
    "ix_delivery_counts": (("batch_id", "state", "reason"), None),
    "ix_delivery_address": (("address", "case_task_id"), None),
    "ix_delivery_client": (("client_id", "created_at"), None),
    "ix_delivery_joined_to": (("joined_to",), "joined_to IS NOT NULL"),
    "ix_delivery_conversation": (("conversation_id",), "conversation_id IS NOT NULL"),
}


def upgrade() -> None:
    _make_indexes(())
    _make_key(["delivery_id", "number", "firm_id"])


def downgrade() -> None:
    _make_key(["firm_id", "delivery_id", "number"])
    _make_indexes(("firm_id",))


def _make_key(columns: list[str]) -> None:
    with op.batch_alter_table("attempt") as batch_op:
        batch_op.drop_constraint("pk_attempt", type_="primary")
        batch_op.create_primary_key("pk_attempt", columns)


def _make_indexes(first: Sequence[str]) -> None:
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.drop_constraint("uq_delivery_once", type_="unique")
        batch_op.create_unique_constraint("uq_delivery_once", [*first, *_ONCE])
    _index("uq_delivery_address", [*first, *_ADDRESS], "address_once IS NOT NULL", unique=True)
    for name, (columns, condition) in _OTHERS.items():
        _index(name, [*first, *columns], condition)


def _index(name: str, columns: list[str], condition: str | None, *, unique: bool = False) -> None:
    where = None if condition is None else sa.text(condition)
    op.drop_index(name, table_name="delivery")
    op.create_index(name, "delivery", columns, unique=unique, sqlite_where=where, postgresql_where=where)
