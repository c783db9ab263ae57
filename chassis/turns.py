"""BEGIN travels with a transaction's first statement, and COMMIT with its last where that is known to be the last.

Left to itself psycopg2 sends each alone and waits for its answer. On a busy machine such a turn costs milliseconds, and
a STOP is in force only when the last of its turns has been taken. So connections are in the driver's autocommit, where
it sends nothing by itself; reads stay so, each statement with its own moment.

What must be said of a transaction before its first statement (whose rows it may see, `chassis/walls.py`) travels in the
same way, and with each statement where nothing is begun. The server forgets it with the transaction.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

LAST = {"casewire_last": True}
"""Execution options of a statement that ends its transaction and whose result is not read. (The transaction is
committed as always afterwards, which then sends nothing.)"""
IN_ORDER = {"casewire_in_order": True}
"""Execution options of a SELECT that PostgreSQL plans without sorting where it can: then only an index gives the order
that is asked for, whatever the server takes its tables to hold."""
SORT_LAST = "SET LOCAL enable_sort = off; "
"""What goes ahead of such a SELECT."""
ALONE = {"casewire_alone": True}
"""Execution options of a SELECT that one process of PostgreSQL's carries out, with whatever follows in its transaction.
Within the walls it takes a firm's rows for few and the search for them for long, and has others help it: to start them
takes ten times as long as to count 10,000 rows."""
_ALONE = "SET LOCAL max_parallel_workers_per_gather = 0; "
MANY = {"casewire_many": True}
"""Execution options of a SELECT of a read that is known to have many rows. PostgreSQL takes one row of two hundred to
pass the walls, and so looks each of what it takes for few up in the next table: it hashes them instead."""
_MANY = "SET LOCAL enable_nestloop = off; "
_BEGIN = "casewire_begin"
_AHEAD = "casewire_ahead"
_UNSORTED = "casewire_unsorted"
_SORT_AGAIN = "SET LOCAL enable_sort TO DEFAULT; "
_BEGINNING = "BEGIN; "
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
    dialect.do_execute = _execute
    dialect.do_execute_no_params = _execute_no_params


def say_ahead(connection: Connection, statements: str) -> None:
    """Has `statements`, each with its semicolon and a blank, go ahead of what the connection's transaction does; of
    each statement where nothing is begun. They hold no parameters, and their effect ends with the transaction."""
    connection.info[_AHEAD] = statements


def _leave_transactions_to_us(driver: Any, record: object) -> None:
    driver.autocommit = True


def _begin_later(connection: Connection) -> None:
    connection.info[_BEGIN] = not connection.get_execution_options().get("casewire_autocommit", False)
    # What an earlier user of the connection left unsaid is not said for this one.
    connection.info.pop(_AHEAD, None)
    connection.info.pop(_UNSORTED, None)


def _travel_along(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    begins = _BEGINNING if connection.info.pop(_BEGIN, False) else ""
    sorting = _sorting(connection, context)
    if executemany:
        # The driver makes several statements of it.
        first = begins + connection.info.pop(_AHEAD, "") + sorting
        if first:
            cursor.execute(first)
        return statement, parameters
    ends = context.execution_options.get("casewire_last", False)
    return f"{begins}{sorting}{statement}{'; COMMIT' if ends else ''}", parameters


def _sorting(connection: Connection, context: Any) -> str:
    """What goes ahead of a statement so that it is planned as its options say."""
    before = connection.info.pop(_UNSORTED, False)
    wanted = context.execution_options.get("casewire_in_order", False)
    if wanted and not connection.get_execution_options().get("casewire_autocommit", False):
        connection.info[_UNSORTED] = True
    return SORT_LAST if wanted and not before else _SORT_AGAIN if before and not wanted else ""


def _execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
    cursor.execute(_with_ahead(statement, context), parameters)


def _execute_no_params(cursor: Any, statement: str, context: Any = None) -> None:
    cursor.execute(_with_ahead(statement, context))


def _with_ahead(statement: str, context: Any) -> str:
    connection: Connection = context.root_connection
    if not connection.in_transaction():  # while SQLAlchemy asks a new connection about its server
        return statement
    info = connection.info
    ahead: str = info.get(_AHEAD, "")
    if not connection.get_execution_options().get("casewire_autocommit", False):
        info.pop(_AHEAD, None)
    if context.execution_options.get("casewire_alone", False):
        ahead += _ALONE
    if context.execution_options.get("casewire_many", False):
        ahead += _MANY
    if not ahead:
        return statement
    if statement.startswith(_BEGINNING):
        return f"{_BEGINNING}{ahead}{statement[len(_BEGINNING) :]}"
    return f"{ahead}{statement}"


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
