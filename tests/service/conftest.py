"""Databases, buses and containers for tests of services and of the chassis."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nameko.runners import ServiceRunner

from chassis import embedded_broker
from chassis.database import Database
from chassis.testing import make_database

MakeDatabase = Callable[[Any], Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> MakeDatabase:
    """Call it with a service's base for an empty database; the test runs on SQLite and on PostgreSQL."""
    made: MakeDatabase = request.getfixturevalue(f"emptied_{request.param}")
    return made


@pytest.fixture(scope="session")
def emptied_sqlite() -> MakeDatabase:
    """One file for each base, emptied whenever it is asked for. With a new one for each test, its engine would compile
    every statement again and keep what it compiled."""
    made: dict[Any, Database] = {}

    def make(base: Any) -> Database:
        if base not in made:
            made[base] = make_database(base)
        return _emptied(made[base])

    return make


@pytest.fixture(scope="session")
def emptied_postgresql(postgres: Any) -> Iterator[MakeDatabase]:
    """One PostgreSQL database for each base, emptied whenever it is asked for: making one takes far longer."""
    made: dict[Any, tuple[str, Database]] = {}

    def make(base: Any) -> Database:
        if base not in made:
            name = f"test_{uuid.uuid4().hex}"
            made[base] = (name, make_database(base, postgres.create_database(name)))
        return _emptied(made[base][1])

    yield make
    for name, db in made.values():
        db.engines.dispose()
        postgres.drop_database(name)


def _emptied(db: Database) -> Database:
    """Row by row: to truncate takes PostgreSQL 60 ms, since every table and index gets a new file. All tables at once
    there, for each statement's way there and back costs more than what it does."""
    tables = reversed(db.base.metadata.sorted_tables)
    statements = [f'DELETE FROM "{table.name}"' for table in tables]
    with db.engines.write.begin() as connection:
        db.engines.open_to_all(connection)
        for statement in statements if db.engines.is_sqlite else ["; ".join(statements)]:
            connection.exec_driver_sql(statement)
    return db


@pytest.fixture(params=["embedded", "rabbitmq"])
def bus(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a bus of the test's own, once embedded and once on RabbitMQ."""
    if request.param == "rabbitmq":
        yield request.getfixturevalue("vhost")
    else:
        yield from _embedded()


@pytest.fixture
def embedded_bus() -> Iterator[str]:
    """The address of an embedded bus of the test's own."""
    yield from _embedded()


def _embedded() -> Iterator[str]:
    name = uuid.uuid4().hex
    yield f"embedded:///{name}"
    embedded_broker.forget(name)


@pytest.fixture
def start() -> Iterator[Callable[..., ServiceRunner]]:
    """Call it with service classes, `bus=` and further settings; they are stopped after the test."""
    runners: list[ServiceRunner] = []

    def run(*classes: type, bus: str, **config: Any) -> ServiceRunner:
        runner = ServiceRunner({"AMQP_URI": bus, "HEARTBEAT": 5, **config})
        for entry in classes:
            runner.add_service(entry)
        runner.start()
        runners.append(runner)
        return runner

    yield run
    for runner in runners:
        runner.kill()
