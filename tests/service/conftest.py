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
    """Call it with a service's base for an empty database of its own; the test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return make_database
    create = request.getfixturevalue("postgres_database")
    return lambda base: make_database(base, create(), fresh=True)


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
