"""What the indexes of case tasks are for finds its way by them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Select, event, select

from chassis.columns import new_id
from chassis.database import Database
from chassis.testing import as_owner
from contracts.tasks import ListCaseTasks
from services.tasks.listing import by_assignee
from services.tasks.listing.counting import COUNTED
from services.tasks.listing.lists import list_case_tasks
from services.tasks.models import Base, CaseTask, KnownCaseStaff
from services.tasks.statuses import is_open, present
from tests.service.plans import plan_of, undisturbed
from tests.service.tasks_office import NOW, Office, office

__all__ = ["office"]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """One that no other test has filled and emptied."""
    if request.param == "sqlite":
        yield request.getfixturevalue("emptied_sqlite")(Base)
        return
    db = undisturbed(Base, request.getfixturevalue("postgres_database")())
    yield db
    db.engines.dispose()


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


FIRST = {
    "ix_case_task_created": {},
    "ix_case_task_open_due": {"view": "overdue"},
    "ix_case_task_status": {"status": ["completed"]},
    "ix_case_task_assignee": {"group": "assignee"},
}


@pytest.mark.parametrize("index", list(FIRST))
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_page_of_the_dashboard_is_read_along_an_index(office: Office, index: str) -> None:
    fill(office)
    query = {**ListCaseTasks().load({}), **FIRST[index], "limit": 10}

    def ask(cursor: str | None = None) -> Any:
        return list_case_tasks(office.db, None, NOW, **{**query, "cursor": cursor})

    for cursor in (None, ask()["meta"]["next_cursor"]):
        plan = plan_of(office.db, PAGE[index], lambda cursor=cursor: ask(cursor))  # type: ignore[misc]
        assert f"using {index} " in plan
        assert "Sort" not in plan


PAGE = {
    "ix_case_task_created": "SELECT case_task.id, case_task.created_at",
    "ix_case_task_open_due": "SELECT case_task.due_at, case_task.id",
    "ix_case_task_status": "SELECT case_task.due_at, case_task.id",
    "ix_case_task_assignee": "SELECT case_task.assignee_id, case_task.due_at",
}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_who_has_open_tasks_and_how_many_of_many_is_looked_up_one_by_one(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_assignee, "MOST_COUNTED", 10)
    fill(office)
    query = {**ListCaseTasks().load({}), "group": "assignee", "limit": 10}
    for beginning in ("WITH RECURSIVE people", "SELECT each_assignee.id"):
        plan = plan_of(office.db, beginning, lambda: list_case_tasks(office.db, None, NOW, **query))
        # Among so few tasks all that somebody has are as good an index as those that are open.
        assert re.search(r"using ix_case_task_(assignee|firm_id_assignee_id) on case_task", plan)
        assert "Seq Scan on case_task" not in plan


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_is_counted_and_what_is_mine_is_looked_up(office: Office) -> None:
    fill(office)
    query = {**ListCaseTasks().load({}), "view": "mine", "sort": "due_at", "limit": 10}

    def ask() -> None:
        list_case_tasks(office.db, None, NOW, staff_id=office.staff_id, **query)

    counted = plan_of(office.db, "SELECT (SELECT count(*)", ask)
    # Of so few tasks the dates of all that are open are as good an index as those of a status; most are completed,
    # which may as well be seen by reading all.
    assert len(re.findall(r"using ix_case_task_(open_due|status) on case_task", counted)) >= len(COUNTED) - 1
    ends = sum(2 if due in ("due_today", "due_this_week") else 1 for _, due in COUNTED if due)
    assert counted.count("(due_at") == ends
    for beginning in ("SELECT case_task.due_at, case_task.id", "SELECT anon_1.at"):
        plan = plan_of(office.db, beginning, ask)
        assert "Seq Scan on case_task" not in plan
        assert "known_case_staff_staff_id" in plan


def fill(office: Office) -> None:
    """Tasks of the office's firm that PostgreSQL has counted, 20 of each kind among many that are completed."""
    asked = {"title": "Your county", "kind": "short_text", "required": True, "options": [], "checks": {}}
    template_id = office.template()
    kinds = [("to_do", -1), ("to_do", 0), ("in_progress", -1), ("in_progress", 3), ("to_do", 30), ("skipped", 0)]
    kinds = [kind for kind in kinds for _ in range(20)] + [("completed", day % 90) for day in range(2_000)]
    with office.db.unit_of_work() as uow:
        uow.insert(
            CaseTask,
            [
                {"id": new_id(), "case_id": new_id(), "template_id": template_id, "status": status,
                 "due_at": NOW + dt.timedelta(days=days, hours=1), **asked,
                 "assignee_id": office.staff_id if status == "to_do" else None}
                for status, days in kinds
            ],
        )  # fmt: skip
        uow.insert(KnownCaseStaff, [{"case_id": new_id(), "staff_id": new_id()} for _ in range(2_000)])
    with as_owner(office.db) as connection:
        connection.exec_driver_sql("ANALYZE case_task, known_case_staff")
        connection.commit()
