"""Firms and clients have keys, the date of birth is kept sealed, and records have more fields, also the firm's own.

What is there stays in clear, as text, until the service has started: it seals it in batches while it works
(`services.clients.sealing_up`), for a migration has no keys.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_UNSEALED = sa.text("date_of_birth IS NOT NULL AND birth_key IS NULL")
_NEW_COLUMNS = ("photo_id", "data_consent", "special_requirements", "referral_source", "industry", "government_ids")


def upgrade() -> None:
    op.create_table(
        "firm_key",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("wrapped", sa.String(length=2000), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_firm_key")),
    )
    op.create_index(
        "uq_firm_key_current", "firm_key", ["firm_id", "purpose"], unique=True,
        sqlite_where=sa.text("is_current"), postgresql_where=sa.text("is_current"),
    )  # fmt: skip
    op.create_table(
        "client_key",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("firm_key_id", chassis.columns.Id, nullable=False),
        sa.Column("wrapped", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "client_id"], ["client.firm_id", "client.id"], name="fk_client_key_client", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["firm_id", "firm_key_id"], ["firm_key.firm_id", "firm_key.id"], name="fk_client_key_firm_key"
        ),
        sa.PrimaryKeyConstraint("client_id", "firm_id", name=op.f("pk_client_key")),
    )
    op.create_table(
        "client_government_id",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("client_id", chassis.columns.Id, nullable=False),
        sa.Column("key", sa.String(length=22), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "client_id"],
            ["client.firm_id", "client.id"],
            name="fk_client_government_id_client",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("firm_id", "client_id", "key", name=op.f("pk_client_government_id")),
    )
    op.create_index("ix_client_government_id_key", "client_government_id", ["firm_id", "key"])
    op.create_table(
        "client_field",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("removed_at", chassis.columns.Instant(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("options", chassis.columns.Json, nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_client_field")),
    )
    op.create_index("uq_client_field_key", "client_field", ["firm_id", "key"], unique=True)
    op.drop_index("ix_client_birth", table_name="client")
    with op.batch_alter_table("client") as batch_op:
        batch_op.alter_column(
            "date_of_birth", existing_type=sa.Date(), type_=sa.Text(),
            postgresql_using="to_char(date_of_birth, 'YYYY-MM-DD')",
        )  # fmt: skip
        batch_op.add_column(sa.Column("birth_key", sa.String(length=22), nullable=True))
        batch_op.add_column(sa.Column("birthday_key", sa.String(length=22), nullable=True))
        batch_op.add_column(sa.Column("government_ids", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("industry", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("referral_source", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("special_requirements", sa.String(length=2000), nullable=True))
        batch_op.add_column(sa.Column("data_consent", chassis.columns.JsonOrNull, nullable=True))
        batch_op.add_column(sa.Column("photo_id", chassis.columns.Id, nullable=True))
    op.create_index("ix_client_birth", "client", ["firm_id", "birth_key"])
    op.create_index(
        "ix_client_unsealed", "client", ["firm_id", "id"], sqlite_where=_UNSEALED, postgresql_where=_UNSEALED
    )


def downgrade() -> None:
    """Sealed values are lost: the earlier release cannot read them."""
    op.drop_index("ix_client_unsealed", table_name="client")
    op.drop_index("ix_client_birth", table_name="client")
    op.execute("UPDATE client SET date_of_birth = NULL WHERE date_of_birth LIKE 'v1.%'")
    with op.batch_alter_table("client") as batch_op:
        for name in _NEW_COLUMNS:
            batch_op.drop_column(name)
        batch_op.drop_column("birthday_key")
        batch_op.drop_column("birth_key")
    _make_dates_again()
    op.create_index("ix_client_birth", "client", ["firm_id", "date_of_birth"])
    op.drop_table("client_field")
    op.drop_table("client_government_id")
    op.drop_table("client_key")
    op.drop_table("firm_key")


def _make_dates_again() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(
            "client", "date_of_birth", existing_type=sa.Text(), type_=sa.Date(), postgresql_using="date_of_birth::date"
        )
        return
    # SQLite would cast: to it a text is a date only as long as nobody says so, and 1990-02-28 becomes 1990.
    with op.batch_alter_table("client") as batch_op:
        batch_op.add_column(sa.Column("born", sa.Date(), nullable=True))
    op.execute("UPDATE client SET born = date_of_birth")
    with op.batch_alter_table("client") as batch_op:
        batch_op.drop_column("date_of_birth")
    with op.batch_alter_table("client") as batch_op:
        batch_op.alter_column("born", new_column_name="date_of_birth", existing_type=sa.Date())
