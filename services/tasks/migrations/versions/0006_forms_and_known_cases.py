"""Forms, what tasks know of cases, and what case tasks need for conditions, dates after tasks, drafts and views.

Deadlines that have passed count as announced. What is known of the cases is asked for by a timer.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from alembic import op

import chassis.columns

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OPEN = "status IN ('to_do', 'in_progress')"
_PRESENT = {"sqlite": "archived = 0", "postgresql": "NOT archived"}
_NOT_TOLD = {"sqlite": "announced_due_at IS NOT due_at", "postgresql": "announced_due_at IS DISTINCT FROM due_at"}
_FORM_KEY = "fk_case_task_firm_id_case_form_id"


def upgrade() -> None:
    _create_forms()
    _create_known_cases()
    op.drop_index("ix_case_task_firm_id_assignee_id", table_name="case_task")
    with op.batch_alter_table("case_task", schema=None) as batch_op:
        for column in _columns():
            batch_op.add_column(column)
        batch_op.create_foreign_key(_FORM_KEY, "case_form", ["firm_id", "case_form_id"], ["firm_id", "id"])
    passed = sa.text(
        "UPDATE case_task SET announced_due_at = due_at WHERE status IN ('to_do', 'in_progress') AND due_at <= :last"
    )
    last = chassis.columns.utc_now() - dt.timedelta(seconds=1)
    op.execute(passed.bindparams(sa.bindparam("last", last, type_=chassis.columns.Instant())))
    dialect = op.get_bind().dialect.name
    open_, not_told = f"{_OPEN} AND {_PRESENT[dialect]}", _NOT_TOLD[dialect]
    for name, columns, where in (
        ("ix_case_task_firm_id_assignee_id", ["firm_id", "assignee_id"], "assignee_id IS NOT NULL"),
        ("ix_case_task_open_due", ["firm_id", "due_at", "id"], open_),
        ("ix_case_task_status", ["firm_id", "status", "due_at", "id"], _PRESENT[dialect]),
        ("ix_case_task_assignee", ["firm_id", "assignee_id", "due_at", "id"], f"{open_} AND assignee_id IS NOT NULL"),
        ("ix_case_task_due_to_tell", ["due_at"], f"{open_} AND {not_told}"),
        ("ix_case_task_case_form", ["case_form_id"], "case_form_id IS NOT NULL"),
        ("ix_case_task_due_anchor", ["due_anchor_id"], "due_anchor_id IS NOT NULL"),
    ):
        op.create_index(name, "case_task", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    for name in ("open_due", "status", "assignee", "due_to_tell", "case_form", "due_anchor", "firm_id_assignee_id"):
        op.drop_index(f"ix_case_task_{name}", table_name="case_task")
    with op.batch_alter_table("case_task", schema=None) as batch_op:
        batch_op.drop_constraint(_FORM_KEY, type_="foreignkey")
        for column in _columns():
            batch_op.drop_column(column.name)
    op.create_index("ix_case_task_firm_id_assignee_id", "case_task", ["firm_id", "assignee_id"])
    for table in ("known_case_staff", "known_case", "case_form", "form_version", "form"):
        op.drop_table(table)


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("template_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("case_form_id", chassis.columns.Id, nullable=True),
        sa.Column("item_key", sa.String(length=60), nullable=True),
        sa.Column("section_position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("condition", chassis.columns.JsonOrNull, nullable=True),
        sa.Column("due_anchor_id", chassis.columns.Id, nullable=True),
        sa.Column("draft", chassis.columns.JsonOrNull, nullable=True),
        sa.Column("draft_at", chassis.columns.Instant(), nullable=True),
        sa.Column("overdue_handling", chassis.columns.JsonOrNull, nullable=True),
        sa.Column("announced_due_at", chassis.columns.Instant(), nullable=True),
        sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False),
    ]


def _create_forms() -> None:
    op.create_table(
        "form",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", chassis.columns.Instant(), nullable=False),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_form")),
    )
    op.create_index("ix_form_firm_id_title", "form", ["firm_id", "title", "id"])
    op.create_table(
        "form_version",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("form_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", chassis.columns.Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "form_id"], ["form.firm_id", "form.id"], name=op.f("fk_form_version_firm_id_form_id")
        ),
        sa.PrimaryKeyConstraint("firm_id", "form_id", "version", name=op.f("pk_form_version")),
    )
    op.create_table(
        "case_form",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("form_id", chassis.columns.Id, nullable=False),
        sa.Column("form_version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("assigned_once_key", chassis.columns.Id, nullable=True),
        sa.Column("completed_at", chassis.columns.Instant(), nullable=True),
        sa.Column("created_at", chassis.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["firm_id", "form_id", "form_version"],
            ["form_version.firm_id", "form_version.form_id", "form_version.version"],
            name=op.f("fk_case_form_firm_id_form_id_form_version"),
        ),
        sa.PrimaryKeyConstraint("firm_id", "id", name=op.f("pk_case_form")),
        sa.UniqueConstraint(
            "firm_id", "case_id", "assigned_once_key", name=op.f("uq_case_form_firm_id_case_id_assigned_once_key")
        ),
    )
    op.create_index("ix_case_form_case_id", "case_form", ["case_id"])
    op.create_index("ix_case_form_firm_id_form_id", "case_form", ["firm_id", "form_id"])


def _create_known_cases() -> None:
    op.create_table(
        "known_case",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("case_type_id", chassis.columns.Id, nullable=True),
        sa.Column("status", sa.String(length=60), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=True),
        sa.Column("archived", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("responsible_staff_id", chassis.columns.Id, nullable=True),
        sa.Column("linked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "firm_id", name=op.f("pk_known_case")),
    )
    op.execute("INSERT INTO known_case (firm_id, case_id) SELECT DISTINCT firm_id, case_id FROM case_task")
    unknown = sa.text("version = 0")
    op.create_index(
        "ix_known_case_unknown", "known_case", ["firm_id", "case_id"], sqlite_where=unknown, postgresql_where=unknown
    )
    op.create_table(
        "known_case_staff",
        sa.Column("firm_id", chassis.columns.Id, nullable=False),
        sa.Column("case_id", chassis.columns.Id, nullable=False),
        sa.Column("staff_id", chassis.columns.Id, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "staff_id", "firm_id", name=op.f("pk_known_case_staff")),
    )
    op.create_index("ix_known_case_staff_staff_id", "known_case_staff", ["firm_id", "staff_id", "case_id"])
