"""Links to one form on a case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.add_column(sa.Column("case_form_id", chassis.columns.Id, nullable=True))


def downgrade() -> None:
    # The version before would take a link to a form for one to a task that is not there.
    op.execute(sa.text("DELETE FROM link WHERE kind = 'form'"))
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.drop_column("case_form_id")
