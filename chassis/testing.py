"""What tests stand on: databases, other services held to their contracts, events, a clock.

db = make_database(Base)                                        # SQLite in a folder of its own
calls = FakeCalls(clients, answers={GET_CLIENT: lambda client_id: {...}})
service = make_service(TasksService, db=db, calls=calls)
deliver(service, "apply_answers", received(TASK_COMPLETED, {...}, firm_id=firm_id))
assert [event.name for event in outbox_events(db)] == [...]
"""

from __future__ import annotations

import atexit
import copy
import datetime as dt
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, make_url, select

from chassis.columns import new_id, utc_now
from chassis.context import Context, use
from chassis.database import AlreadyDone, Database
from chassis.envelope import ReceivedEvent, unwrap, wrap
from chassis.fake_calls import FakeCalls
from chassis.migrations import OWNER, owner_engine
from chassis.sealing import LocalKeys, use_key_store
from chassis.wall_building import put_up
from chassis.wire import event_data, lenient
from contracts.base import Event

__all__ = [
    "Clock",
    "EmittedEvent",
    "FakeCalls",
    "as_owner",
    "bound_to",
    "deliver",
    "eventually",
    "make_database",
    "make_service",
    "outbox_events",
    "received",
    "service_url",
    "subscription_of",
]


_TEST_KEYS = LocalKeys([bytes(32)])


def make_database(base: Any, url: str | None = None) -> Database:
    """An empty database with the base's tables, bound to no firm yet: the one that the URL names, else a new file of
    SQLite's that goes when the process ends.

    A URL of PostgreSQL's is that of the owner, `<role>_owner`; the walls between firms are put up, and the database
    that is returned is the service's, which owns nothing.
    """
    use_key_store(_TEST_KEYS)
    db = Database(service_url(url or _new_sqlite()), base)
    with as_owner(db) as connection:
        base.metadata.create_all(connection)
        if connection.dialect.name == "postgresql":
            put_up(connection, base.metadata, str(make_url(db.url).username))
    return db


def service_url(owner_url: str) -> str:
    """The URL that a service connects with, from its owner's: in tests both have one password."""
    url = make_url(owner_url)
    if url.get_backend_name() == "sqlite":
        return owner_url
    service = url.set(username=(url.username or "").removesuffix(OWNER))
    return service.render_as_string(hide_password=False)


@contextmanager
def as_owner(db: Database) -> Iterator[Connection]:
    """A transaction of the tables' owner, who may change tables and sees the rows of every firm."""
    url = make_url(db.url)
    if url.get_backend_name() == "sqlite":
        with db.engines.write.begin() as connection:
            yield connection
        return
    owner = url.set(username=f"{url.username}{OWNER}").render_as_string(hide_password=False)
    with owner_engine(owner).begin() as connection:
        yield connection


def _new_sqlite() -> str:
    folder = tempfile.mkdtemp(prefix="casewire-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return f"sqlite:///{Path(folder) / 'test.db'}"


def make_service(cls: type[Any], **dependencies: Any) -> Any:
    """A service object without a container: its dependencies are attributes."""
    service = cls()
    for name, value in dependencies.items():
        setattr(service, name, value)
    return service


def bound_to(service: Any, context: Context) -> Any:
    """A copy of the service whose databases are bound to the context's firm, as a worker's would be."""
    bound = copy.copy(service)
    for name, value in vars(service).items():
        if isinstance(value, Database) and value.unscoped is None:
            setattr(bound, name, Database(value.url, value.base, firm_id=context.firm_id, context=context))
    return bound


def received(
    event: Event,
    data: dict[str, Any],
    *,
    firm_id: str,
    subject: str | None = None,
    subscription: str = "test",
    event_id: str | None = None,
    correlation_id: str | None = None,
    time: dt.datetime | None = None,
) -> ReceivedEvent:
    """An event as a handler gets it, sent through its schema both ways. `data` holds Python values."""
    envelope = wrap(
        source=event.owner,
        event_id=event_id or new_id(),
        name=event.name,
        firm_id=firm_id,
        subject=subject or new_id(),
        time=time or utc_now(),
        data=event_data(event, data),
        correlation_id=correlation_id,
    )
    return unwrap(orjson.loads(orjson.dumps(envelope)), event, subscription)


def deliver(service: Any, handler: str, *events: ReceivedEvent) -> None:
    """Gives events to a subscription's method as the bus would: in the firm's context, a batch handler in groups by
    firm. `AlreadyDone` counts as success."""
    entrypoint = subscription_of(type(service), handler)
    for event in events:
        if event.name != entrypoint.event.name:
            raise AssertionError(f"{handler} subscribes to {entrypoint.event.name}, not {event.name}")
    groups: list[list[ReceivedEvent]] = [[event] for event in events]
    if entrypoint.batch:
        by_firm: dict[str, list[ReceivedEvent]] = {}
        for event in events:
            by_firm.setdefault(event.firm_id, []).append(event)
        groups = list(by_firm.values())
    for group in groups:
        context = Context(firm_id=group[0].firm_id, correlation_id=group[0].correlation_id or new_id())
        with use(context), suppress(AlreadyDone):
            method = getattr(bound_to(service, context), handler)
            method(group if entrypoint.batch else group[0])


def subscription_of(cls: type[Any], handler: str) -> Any:
    """The subscription of a service's method. Raises AssertionError if it has none."""
    for entrypoint in getattr(getattr(cls, handler), "nameko_entrypoints", ()):
        if isinstance(getattr(entrypoint, "event", None), Event):
            return entrypoint
    raise AssertionError(f"{cls.__name__}.{handler} subscribes to nothing")


@dataclass(frozen=True)
class EmittedEvent:
    """A row of the outbox. `data` holds Python values."""

    id: str
    firm_id: str
    subject: str
    name: str
    data: dict[str, Any]
    aggregate_version: int | None
    correlation_id: str | None
    published: bool


def outbox_events(db: Database, event: Event | None = None) -> list[EmittedEvent]:
    """What was emitted, oldest first; of one event if it is given, and then `data` is loaded by its schema."""
    outbox = db.tables.outbox
    statement = select(outbox).order_by(outbox.c.created_at, outbox.c.id)
    if event is not None:
        statement = statement.where(outbox.c.event == event.name)
    with db.across_firms("a test reads what was emitted").read() as session:
        rows = session.execute(statement).all()
    return [
        EmittedEvent(
            id=row.id,
            firm_id=row.firm_id,
            subject=row.aggregate_id,
            name=row.event,
            data=_load(event, orjson.loads(row.payload)),
            aggregate_version=row.aggregate_version,
            correlation_id=row.correlation_id,
            published=row.published_at is not None,
        )
        for row in rows
    ]


def _load(event: Event | None, wire: dict[str, Any]) -> dict[str, Any]:
    return wire if event is None else dict(lenient(event.data).load(wire))


class Clock:
    """A clock for code that takes `now` as a function. It stands still until it is moved."""

    def __init__(self, now: dt.datetime | None = None) -> None:
        self.now = now or utc_now()

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, **delta: float) -> dt.datetime:
        """Moves it by a timedelta's arguments and returns the new instant."""
        self.now += dt.timedelta(**delta)
        return self.now


def eventually(condition: Callable[[], Any], *, seconds: float = 10.0, what: str = "the condition") -> Any:
    """Polls until `condition()` is true and returns it. Raises AssertionError after `seconds`."""
    give_up = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > give_up:
            raise AssertionError(f"{what} did not come true within {seconds:g} s")
        time.sleep(0.01)
