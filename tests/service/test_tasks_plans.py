"""What the partial indexes of case tasks are for finds its way by them, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Select, event, select

from chassis.columns import new_id
from chassis.database import Database
from chassis.testing import as_owner
from services.tasks.models import CaseTask
from services.tasks.statuses import is_open, present
from tests.service.tasks_office import NOW, Office, database, office

__all__ = ["database", "office"]


def plan(db: Database, statement: Select[Any], index: str) -> str:
    """How the server carries a statement out where it has no other index than this one and those of keys."""
    ran: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, text: str, parameters: Any, context: Any, many: bool) -> None:
        ran.append((text.removeprefix("BEGIN; "), parameters))

    event.listen(db.engines.read, "before_cursor_execute", note)
    try:
        with db.read() as session:
            session.execute(statement).all()
    finally:
        event.remove(db.engines.read, "before_cursor_execute", note)
    text, parameters = next(entry for entry in ran if entry[0].startswith("SELECT case_task"))
    if db.engines.is_sqlite:
        forced = text.replace("FROM case_task", f"FROM case_task INDEXED BY {index}")
        with db.engines.read.connect() as connection:
            return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {forced}", parameters).all())
    with as_owner(db) as connection:
        for other in CaseTask.__table__.indexes:
            if other.name != index:
                connection.exec_driver_sql(f"DROP INDEX {other.name}")
        # The table is nearly empty here, where any way is as good as another.
        for other_way in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            connection.exec_driver_sql(f"SET LOCAL {other_way} = off")
        found = str(connection.exec_driver_sql(f"EXPLAIN {text}", parameters).all())
        connection.rollback()
        return found


SOMEBODY = new_id()
TO_TELL = CaseTask.announced_due_at.is_distinct_from(CaseTask.due_at)


@pytest.mark.parametrize(
    ("index", "conditions"),
    [
        ("ix_case_task_open_due", (is_open(), present(), CaseTask.due_at.is_not(None))),
        ("ix_case_task_status", (CaseTask.status == "completed", present(), CaseTask.due_at.is_not(None))),
        ("ix_case_task_assignee", (CaseTask.assignee_id == SOMEBODY, is_open(), present())),
        ("ix_case_task_due_to_tell", (is_open(), present(), TO_TELL, CaseTask.due_at <= NOW)),
        ("ix_case_task_due_anchor", (CaseTask.due_anchor_id == SOMEBODY,)),
        ("ix_case_task_case_form", (CaseTask.case_form_id == SOMEBODY,)),
    ],
)
def test_a_partial_index_serves_what_it_is_for(office: Office, index: str, conditions: tuple[Any, ...]) -> None:
    statement = select(CaseTask.id).where(*conditions)
    if index in ("ix_case_task_open_due", "ix_case_task_status", "ix_case_task_assignee"):
        in_order = statement.order_by(CaseTask.due_at, CaseTask.id).limit(5)
        assert index in plan(office.db, in_order, index)
    else:
        everywhere = office.everywhere.across_firms("these have no firm before what is looked for")
        assert index in plan(everywhere, statement, index)
