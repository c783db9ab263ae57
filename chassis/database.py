"""A service's database, bound to the firm of the work in hand.

Base = service_base("clients")

class Service:
    db = Data(Base)

with db.unit_of_work() as uow: ...
with db.read() as session: ...
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import eventlet
from nameko.extensions import DependencyProvider
from sqlalchemy import Index, MetaData, UniqueConstraint
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session

from chassis import walls
from chassis.bookkeeping import Bookkeeping, add_bookkeeping
from chassis.columns import Instant
from chassis.context import Context, context_of, current
from chassis.engines import Engines, engines_for
from chassis.idempotency import KeyedRequest, Wire, stored_answer
from chassis.scoping import (
    ByKind,
    FirmMissing,
    FirmScoped,
    ForeignFirm,
    ScopedSession,
    ScopeError,
    Shared,
    SharedWrite,
    Unscoped,
    limit_of,
)
from chassis.turns import ALONE
from chassis.unit_of_work import AlreadyDone, NestedUnitOfWork, UnitOfWork, _open, in_transaction
from contracts.errors import Unavailable

if TYPE_CHECKING:
    from chassis.envelope import ReceivedEvent
    from chassis.relay import Relay

__all__ = [
    "AlreadyDone",
    "ByKind",
    "Data",
    "Database",
    "FirmMissing",
    "FirmScoped",
    "ForeignFirm",
    "NestedUnitOfWork",
    "ScopeError",
    "Shared",
    "SharedWrite",
    "UnitOfWork",
    "Unscoped",
    "in_transaction",
    "service_base",
    "violates",
]

PATIENCE = 5.0
"""Seconds that a database has to answer before its service starts without it."""
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def service_base(name: str) -> Any:
    """A service's declarative base, with metadata of its own that also holds the bookkeeping tables.

    `Mapped[datetime]` is an `Instant`. (Typed `Any`, for mypy takes no computed base class.)
    """
    metadata = MetaData(naming_convention=_NAMES)

    def refuse_unscoped(cls: Any, /, **options: Any) -> None:
        super(base, cls).__init_subclass__(**options)
        if "firm_id" in cls.__table__.c and not issubclass(cls, FirmScoped):
            raise TypeError(f"{cls.__name__} has a firm_id and is not FirmScoped")
        if "firm_id" in cls.__table__.c and issubclass(cls, Shared):
            raise TypeError(f"{cls.__name__} has a firm_id and is Shared")
        if issubclass(cls, Shared):
            cls.__table__.info[walls.SHARED] = True

    base: Any = type(
        "Base",
        (DeclarativeBase,),
        {
            "metadata": metadata,
            "type_annotation_map": {dt.datetime: Instant},
            "service_name": name,
            "bookkeeping": add_bookkeeping(metadata),
            "__init_subclass__": classmethod(refuse_unscoped),
        },
    )
    return base


class Database:
    """One service's database, bound to a firm (`firm_id`), to none yet, or to all (`across_firms`)."""

    def __init__(
        self,
        url: str,
        base: Any,
        *,
        firm_id: str | None = None,
        context: Context | None = None,
        unscoped: str | None = None,
    ) -> None:
        self.url = url
        self.base = base
        self.firm_id = firm_id
        self.context = context
        self.unscoped = unscoped
        self.engines: Engines = engines_for(url)
        self.tables: Bookkeeping = base.bookkeeping

    @property
    def correlation_id(self) -> str | None:
        """The correlation id of the work in hand, if it has a context."""
        context = self.context or current()
        return context.correlation_id if context is not None else None

    @property
    def _kinds(self) -> tuple[str, ...] | None:
        # As the work runs now: what goes on in the background takes the limit of who began it (`context.limited_to`).
        context = current() or self.context
        return None if context is None else context.sees_only

    def for_firm(self, firm_id: str) -> Database:
        """The same database, bound to a firm."""
        return Database(self.url, self.base, firm_id=firm_id, context=self.context)

    def across_firms(self, reason: str) -> Database:
        """The same database with sessions that see every firm. The reason is for who reads and reviews the code."""
        if not reason:
            raise ScopeError("work across firms needs a reason")
        return Database(self.url, self.base, context=self.context, unscoped=reason)

    @contextmanager
    def unit_of_work(self, once: ReceivedEvent | Sequence[ReceivedEvent] | None = None) -> Iterator[UnitOfWork]:
        """One transaction: committed on a clean exit, rolled back on an exception.

        `once` names the event, or events, that cause it: they are marked as received in the same transaction;
        `uow.fresh` holds those not seen before. Raises AlreadyDone if there are none, FirmMissing without a firm,
        Unavailable if the database cannot be reached or written, and what `chassis.idempotency.claim_key` raises.
        """
        self._demand_firm()
        if _open.get():
            raise NestedUnitOfWork("a unit of work inside another")
        token = _open.set(True)
        try:
            with _typed_errors(), self.engines.writing():
                session = ScopedSession(
                    self.engines.write, firm_id=self.firm_id, writable=True, limit=limit_of(self.base, self._kinds)
                )
                try:
                    uow = UnitOfWork(self, session)
                    uow._begin(once)
                    yield uow
                    uow._complete()
                finally:
                    session.close()
        finally:
            _open.reset(token)
        uow._committed()

    @contextmanager
    def read(self, *, alone: bool = False) -> Iterator[Session]:
        """A session that only reads. On PostgreSQL each statement sees its own moment, and costs one round trip.
        `alone`: one process of PostgreSQL's carries each out (`chassis.turns.ALONE`).

        Raises FirmMissing without a firm and Unavailable if the database cannot be reached.
        """
        self._demand_firm()
        with _typed_errors():
            engine = self.engines.read.execution_options(**ALONE) if alone else self.engines.read
            limit = limit_of(self.base, self._kinds)
            session = ScopedSession(engine, firm_id=self.firm_id, writable=False, limit=limit)
            try:
                yield session
            finally:
                session.close()

    def stored_answer(self, request: KeyedRequest) -> Wire | None:
        """The answer that this request had before, or None. Raises Invalid `idempotency_key_reused`."""
        if self.firm_id is None:
            return None
        with self.read() as session:
            return stored_answer(session, self.tables, self.firm_id, request)

    def demand_walls(self) -> None:
        """Raises Unwalled if one firm could see another's rows in this database (on PostgreSQL; a SQLite file has only
        the sessions' own criteria), and Unavailable if it cannot be reached."""
        with _typed_errors():
            self.engines.read.connect().close()

    def _demand_firm(self) -> None:
        if self.firm_id is None and self.unscoped is None:
            raise FirmMissing("this work is bound to no firm")


class Data(DependencyProvider):
    """Gives each worker the service's `Database`, bound to the firm of its context, and runs the relay of its outbox
    unless `relay` is false.

    The URL is `DATABASE_URLS[name of the base]` of the configuration, else `DATABASE_URL`.
    """

    def __init__(self, base: Any, *, relay: bool = True) -> None:
        self.base = base
        self.relay = relay
        self._relay: Relay | None = None

    def setup(self) -> None:
        self.url = database_url(self.container.config, self.base.service_name)
        # Before anything is taken from the bus. A database that is away is waited for later, and asked then.
        with suppress(Unavailable), eventlet.Timeout(PATIENCE, False):
            self.database.demand_walls()

    @property
    def database(self) -> Database:
        """The database, bound to no firm."""
        return Database(self.url, self.base)

    def start(self) -> None:
        from chassis.relay import start_relay

        self._relay = start_relay(self.container, self.database) if self.relay else None

    def stop(self) -> None:
        if self._relay is not None:
            self._relay.stop()

    kill = stop

    def get_dependency(self, worker_ctx: Any) -> Database:
        context = context_of(worker_ctx)
        return Database(self.url, self.base, firm_id=context.firm_id, context=context)


def database_url(config: Any, service: str) -> str:
    """The URL of a service's database. Raises `KeyError` if none is configured."""
    urls = config.get("DATABASE_URLS") or {}
    url = urls.get(service) or config.get("DATABASE_URL")
    if not url:
        raise KeyError(f"DATABASE_URLS has no {service}, and there is no DATABASE_URL")
    return str(url)


def violates(error: IntegrityError, constraint: UniqueConstraint | Index) -> bool:
    """Whether an IntegrityError came from this uniqueness."""
    named = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    if named is not None:
        return bool(named == constraint.name)
    columns = ", ".join(f"{column.table.name}.{column.name}" for column in constraint.columns)
    message = str(error.orig)
    return message.endswith((f": {columns}", f"index '{constraint.name}'"))


_SQLITE_TROUBLE = ("locked", "full", "disk I/O", "unable to open", "readonly")


@contextmanager
def _typed_errors() -> Iterator[None]:
    """Turns a database that cannot be reached, or has no room, into `Unavailable`."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("database_busy") from error
    except DBAPIError as error:
        from_sqlite = type(error.orig).__module__ == "sqlite3"
        trouble = isinstance(error, OperationalError) and (
            not from_sqlite or any(sign in str(error.orig) for sign in _SQLITE_TROUBLE)
        )
        if error.connection_invalidated or trouble:
            raise Unavailable("database_unavailable") from error
        raise
