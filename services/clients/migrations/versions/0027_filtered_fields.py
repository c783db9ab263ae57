"""Indexes for what filters ask for"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_FILTERED = (
    "first_name", "middle_name", "last_name", "company_name", "occupation", "industry", "referral_source", "language",
    "time_zone",
)  # fmt: skip
_POSTAL = ("city", "state", "country")


def _create(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "client", ["firm_id", *columns], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    _create("ix_client_businesses", ["created_at", "id"], "archived_at IS NULL AND kind = 'business'")
    for column in _FILTERED:
        _create(f"ix_client_{column}", [column], f"archived_at IS NULL AND {column} IS NOT NULL")
    _create("ix_client_archived_firm", [], "archived_at IS NOT NULL")
    for column in _POSTAL:
        op.create_index(f"ix_client_address_{column}", "client_address", ["firm_id", column])
    op.drop_index("ix_client_group_member_client", table_name="client_group_member")
    op.create_index("ix_client_group_member_client", "client_group_member", ["client_id", "firm_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_client_own_fields",
            "client",
            ["custom_fields"],
            postgresql_using="gin",
            postgresql_ops={"custom_fields": "jsonb_path_ops"},
            postgresql_where=sa.text("archived_at IS NULL AND custom_fields <> '{}'"),
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_client_own_fields", table_name="client")
    op.drop_index("ix_client_group_member_client", table_name="client_group_member")
    op.create_index("ix_client_group_member_client", "client_group_member", ["firm_id", "client_id"])
    for column in _POSTAL:
        op.drop_index(f"ix_client_address_{column}", table_name="client_address")
    op.drop_index("ix_client_archived_firm", table_name="client")
    for column in _FILTERED:
        op.drop_index(f"ix_client_{column}", table_name="client")
    op.drop_index("ix_client_businesses", table_name="client")
