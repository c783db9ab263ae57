"""One SQLAlchemy engine per database URL in a process, set up for green threads.

A pool is as large as the worker pool could ever need: a smaller one deadlocks with it.
"""

from __future__ import annotations

import functools
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, Engine, Uuid, create_engine, event
from sqlalchemy.dialects.postgresql.types import PGUuid
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.pool import QueuePool

from chassis.turns import save_turns, say_ahead
from chassis.walls import across, demand_walls

POOL_SIZE = 20
POOL_OVERFLOW = 80
SERVICE_ROLE = "casewire_role"
"""In a connection's `info`: the role that it works as, on PostgreSQL."""
BUSY_SECONDS = 5.0
"""How long a write on SQLite waits for another process's write before it fails."""


def _at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


class Engines:
    """The engines of one database URL.

    `write` opens transactions. `read` is the same pool: on PostgreSQL in autocommit, so that a read costs one round
    trip; on SQLite with a deferred BEGIN, so that readers never wait.
    """

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE, overflow: int = POOL_OVERFLOW) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._writer = threading.Semaphore(1)
        self._outbox_listeners: list[Callable[[], object]] = []
        self._role: str | None = None
        connect_args: dict[str, Any] = {}
        if self.is_sqlite:
            connect_args = {"check_same_thread": False, "timeout": 0.05}
        else:
            # Not for everybody: where only SQLite is used, the driver need not be there.
            from chassis.array_literals import use_array_literals

            use_array_literals()
            parsed = parsed.set(drivername="postgresql+psycopg2")
            connect_args = {"connect_timeout": 5, "application_name": "casewire"}
        base = create_engine(
            parsed,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=overflow,
            pool_timeout=10,
            connect_args=connect_args,
            **({} if self.is_sqlite else {"executemany_mode": "values_plus_batch", "json_serializer": _json}),
        )
        if self.is_sqlite:
            event.listen(base, "connect", _prepare_sqlite)
            event.listen(base, "begin", _begin_sqlite)
            self.write: Engine = base.execution_options(casewire_begin="BEGIN IMMEDIATE")
            self.read: Engine = base
        else:
            base.dialect.colspecs = {**base.dialect.colspecs, Uuid: _TextId}
            event.listen(base, "connect", _ids_as_text)
            event.listen(base, "checkout", _refuse_closed)
            save_turns(base)
            event.listen(base, "connect", self._know_role)
            self.write = base
            self.read = base.execution_options(casewire_autocommit=True)

    def _know_role(self, driver: Any, record: Any) -> None:
        """Refuses, at the first connection, to work where a firm might see another's rows."""
        if self._role is None:
            try:
                self._role = demand_walls(driver)
            except BaseException:
                driver.close()
                raise
        record.info[SERVICE_ROLE] = self._role

    def open_to_all(self, connection: Connection) -> None:
        """Lets what the connection does next, to the end of its transaction, see the rows of every firm; without it a
        bare connection sees none. For what needs no session, such as a test's look into tables."""
        if self._role is not None:
            if not connection.in_transaction():
                connection.begin()
            say_ahead(connection, across(self._role))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the right to write: on SQLite one green thread of this process at a time.

        A green thread that yields inside a SQLite write would make every other writer block the whole process.
        """
        if not self.is_sqlite:
            yield
            return
        with self._writer:
            yield

    def on_outbox(self, listener: Callable[[], object]) -> None:
        """Calls `listener` after each commit of this process that wrote events."""
        self._outbox_listeners.append(listener)

    def no_outbox(self, listener: Callable[[], object]) -> None:
        """Ends what `on_outbox` began."""
        if listener in self._outbox_listeners:
            self._outbox_listeners.remove(listener)

    def announce_outbox(self) -> None:
        """Tells the listeners that events were committed."""
        for listener in self._outbox_listeners:
            listener()

    def empty_log(self) -> bool:
        """Moves all that SQLite's log of writes holds into the file and empties it; False while somebody reads from
        it."""
        with self._writer, self.read.connect() as connection:
            # Outside a transaction: SQLAlchemy has begun none on the driver's own connection yet.
            return _empty_log(connection.connection.driver_connection)

    def to_forget(self) -> int:
        """A number other than 0 while the file may still show what was deleted (see `chassis.forgetting`)."""
        if not self.is_sqlite:
            return 0
        with self.read.connect() as connection:
            return int(connection.connection.driver_connection.execute("PRAGMA user_version").fetchone()[0])  # type: ignore[union-attr]

    def forget_deleted(self, apart: Callable[..., Any] = _at_once) -> bool:
        """Writes the file anew with nothing but what is in its tables, and empties its log of writes; False if somebody
        writes or reads right now. On PostgreSQL, what was deleted is gone from every answer and every dump at once, and
        from the files by autovacuum.

        `apart(function, *arguments)` runs what takes a second for each 100 MB, outside the green threads. Readers go
        on meanwhile, writers wait.
        """
        if not self.is_sqlite:
            return True
        with self._writer, self.read.connect() as connection:
            raw: Any = connection.connection.driver_connection
            # Closed afterwards: a change of `temp_store` drops the temporary tables that a connection keeps.
            connection.detach()
            raw.execute("PRAGMA temp_store = FILE")
            try:
                marked = raw.execute("PRAGMA user_version").fetchone()[0]
                # `secure_delete` overwrites what is deleted, but not the copies that SQLite leaves in the unused middle
                # of a page when it moves rows to the next one.
                apart(raw.execute, "VACUUM")
                if not apart(_empty_log, raw):
                    return False
                raw.execute("BEGIN IMMEDIATE")
                # Another process may have deleted more since.
                if raw.execute("PRAGMA user_version").fetchone()[0] == marked:
                    raw.execute("PRAGMA user_version = 0")
                raw.execute("COMMIT")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                return False
        return True

    def dispose(self) -> None:
        """Closes idle connections; those in use close when they are given back."""
        self.write.dispose()


@functools.cache
def engines_for(url: str) -> Engines:
    """The engines of a URL: the same ones for every caller in this process."""
    return Engines(url)


_JSON_ALONE = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
"""What has no form in JSON is refused as on SQLite."""


def _json(value: Any) -> str:
    """A value as JSON, several times as fast as by `json` alone, which is left what the other refuses."""
    try:
        return orjson.dumps(value, option=_JSON_ALONE).decode()
    except TypeError:
        return json.dumps(value)


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    # BEGIN is ours to issue (see `_begin_sqlite`), not the driver's.
    connection.isolation_level = None
    cursor = connection.cursor()
    _insisting(lambda: cursor.execute("PRAGMA journal_mode = WAL"))
    # FULL: what was answered survives a power cut, not only a kill.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA temp_store = MEMORY")
    # What was deleted is overwritten, for a person's data must not be found in what is left of a page. `forget_deleted`
    # takes away what this misses.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()
    # Its own `lower` knows the letters of English only.
    connection.create_function(
        "casewire_lower", 1, lambda text: text.lower() if isinstance(text, str) else text, deterministic=True
    )


def _empty_log(connection: Any) -> bool:
    return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


def _begin_sqlite(connection: Connection) -> None:
    statement = connection.get_execution_options().get("casewire_begin", "BEGIN")
    _insisting(lambda: connection.exec_driver_sql(statement))


def _insisting(action: Any) -> None:
    """Runs `action` again while another process holds the file. SQLite's own wait would stop every green thread."""
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            action()
            return
        except (OperationalError, sqlite3.OperationalError) as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
        time.sleep(0.01)


_UUID_OID, _UUIDS_OID = 2950, 2951


def _ids_as_text(connection: Any, record: object) -> None:
    # SQLAlchemy has psycopg2 make a UUID object of each, only to make a string of it: 60 % of the time of reading ids.
    from psycopg2 import extensions

    as_text = extensions.new_type((_UUID_OID,), "UUID", lambda value, cursor: value)
    extensions.register_type(as_text, connection)
    extensions.register_type(extensions.new_array_type((_UUIDS_OID,), "UUID[]", as_text), connection)


class _TextId(PGUuid[str]):
    """A UUID that the driver gave as the text that it is to be (`_ids_as_text`)."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        return None


def _refuse_closed(connection: Any, record: object, proxy: object) -> None:
    """Makes the pool replace a connection that the server closed while it was idle, at no round trip.

    An idle connection has nothing to say: if its socket is readable, that is the server's goodbye.
    """
    if _readable(connection.fileno()):
        raise DisconnectionError("closed by the server while idle")


def _readable(descriptor: int) -> bool:
    poller = _select().poll()
    poller.register(descriptor, 1)
    return bool(poller.poll(0))


@functools.cache
def _select() -> Any:
    """The unpatched `select` module: eventlet's has no `poll`, and this call never waits."""
    try:
        from eventlet.patcher import original
    except ImportError:
        import select

        return select
    return original("select")
