"""BEGIN travels with a transaction's first statement, and COMMIT with its last where that is known to be the last.

Left to itself psycopg2 sends each alone and waits for its answer. On a busy machine such a turn costs milliseconds, and
a STOP is in force only when the last of its turns has been taken. So connections are in the driver's autocommit, where
it sends nothing by itself; reads stay so, each statement with its own moment.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

LAST = {"casewire_last": True}
"""Execution options of a statement that ends its transaction and whose result is not read. (The transaction is
committed as always afterwards, which then sends nothing.)"""
_BEGIN = "casewire_begin"
_IDLE = 0
"""libpq's PQTRANS_IDLE: no transaction is open."""


def save_turns(engine: Engine) -> None:
    """For an engine of PostgreSQL's with psycopg2. With the execution option `casewire_autocommit` nothing is begun."""
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin_later)
    event.listen(engine, "before_cursor_execute", _travel_along, retval=True)
    dialect: Any = engine.dialect
    dialect.do_commit = _commit
    dialect.do_rollback = _rollback


def _leave_transactions_to_us(driver: Any, record: object) -> None:
    driver.autocommit = True


def _begin_later(connection: Connection) -> None:
    connection.info[_BEGIN] = not connection.get_execution_options().get("casewire_autocommit", False)


def _travel_along(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    begins = connection.info.pop(_BEGIN, False)
    if executemany:
        # The driver makes several statements of it.
        if begins:
            cursor.execute("BEGIN")
        return statement, parameters
    ends = context.execution_options.get("casewire_last", False)
    return f"{'BEGIN; ' if begins else ''}{statement}{'; COMMIT' if ends else ''}", parameters


def _commit(driver: Any) -> None:
    _end(driver, "COMMIT")


def _rollback(driver: Any) -> None:
    if driver.autocommit:
        _end(driver, "ROLLBACK")
    else:
        driver.rollback()  # while SQLAlchemy asks a new connection about its server


def _end(driver: Any, statement: str) -> None:
    if driver.get_transaction_status() != _IDLE:
        cursor = driver.cursor()
        try:
            cursor.execute(statement)
        finally:
            cursor.close()
