"""The statements of an action: which there are, and how PostgreSQL carries them out within the walls between firms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from chassis.database import Database
from chassis.testing import as_owner, make_database
from chassis.turns import SORT_LAST, say_ahead
from chassis.walls import within


def undisturbed(base: Any, url: str) -> Database:
    """An empty database whose plans follow from what a test does alone: whether autovacuum came by between two of its
    steps, which it does on a busy machine, must not change what the test sees. Needs PostgreSQL."""
    db = make_database(base, url)
    with as_owner(db) as connection:
        for table in base.metadata.sorted_tables:
            connection.exec_driver_sql(f'ALTER TABLE "{table.name}" SET (autovacuum_enabled = off)')
    return db


def plan_of(db: Database, beginning: str, action: Callable[[], Any]) -> str:
    """How the statement of an action that begins like this is carried out for the database's firm; for all firms, if it
    is bound to none."""
    ran: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        # What travels with it is nothing to explain.
        ran.append((statement.removeprefix("BEGIN; ").removesuffix("; COMMIT"), parameters))

    event.listen(db.engines.write, "before_cursor_execute", note)
    action()
    event.remove(db.engines.write, "before_cursor_execute", note)
    ((statement, parameters),) = [
        (text, given) for text, given in ran if text.removeprefix(SORT_LAST).startswith(beginning)
    ]
    ahead = SORT_LAST if statement.startswith(SORT_LAST) else ""
    statement = statement.removeprefix(SORT_LAST)
    with db.engines.read.connect() as connection:
        if db.firm_id is None:
            db.engines.open_to_all(connection)
        else:
            connection.begin()
            say_ahead(connection, within(db.firm_id) + ahead)
        return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """The statements that are read with inside the block."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(db.engines.read, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engines.read, "before_cursor_execute", note)
