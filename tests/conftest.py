"""What tests of every level share: a real RabbitMQ, a real PostgreSQL and a real browser, each started on first use.

`CASEWIRE_TEST_AMQP` (the management address of a running RabbitMQ and its AMQP port:
`http://user:password@127.0.0.1:15672?amqp=5672`) and `CASEWIRE_TEST_POSTGRES` (a superuser's
`postgresql+psycopg2://user:password@host:port/postgres`) are used in place of private ones.
"""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from chassis.queues import declare_queues
from tests.running_servers import OwnedDatabases, RunningPostgres, RunningRabbitMQ


def pytest_configure() -> None:
    """A tenth of the tests' time went into looking for garbage after every 700 objects."""
    gc.set_threshold(20_000, 10, 10)


def pytest_collection_finish() -> None:
    """What the modules hold by now they hold to the end: no collection has to look through it."""
    gc.freeze()


class Broker(Protocol):
    """What a test may ask of RabbitMQ; a private one can also be killed, paused and started again."""

    def amqp_uri(self, vhost: str = "/") -> str: ...
    def create_vhost(self, name: str) -> str: ...
    def delete_vhost(self, name: str) -> None: ...


class DatabaseServer(Protocol):
    """What a test may ask of PostgreSQL."""

    def create_database(self, name: str, like: str = ...) -> str: ...
    def drop_database(self, name: str) -> None: ...


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Broker]:
    """One RabbitMQ for all tests: use `vhost` to have a part of it alone."""
    given = os.environ.get("CASEWIRE_TEST_AMQP")
    if given:
        yield RunningRabbitMQ(given)
        return
    from deploy.rabbitmq import private_rabbitmq

    with private_rabbitmq() as node:
        yield node


@pytest.fixture
def vhost(rabbitmq: Broker) -> Iterator[str]:
    """The AMQP URI of a virtual host that is this test's own, on which anybody may publish."""
    name = f"test-{uuid.uuid4().hex}"
    uri = rabbitmq.create_vhost(name)
    declare_queues({"AMQP_URI": uri}, [])
    yield uri
    rabbitmq.delete_vhost(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[DatabaseServer]:
    """One PostgreSQL for all tests: use `postgres_database` to have databases of one's own."""
    given = os.environ.get("CASEWIRE_TEST_POSTGRES")
    if given:
        yield OwnedDatabases(RunningPostgres(given))
        return
    from deploy.postgres import private_postgres

    with private_postgres() as server:
        yield OwnedDatabases(server)


@pytest.fixture
def postgres_database(postgres: DatabaseServer) -> Iterator[Callable[[], str]]:
    """Call it for the URL of a new, empty database, as its owner; it is dropped after the test."""
    names: list[str] = []

    def create() -> str:
        names.append(f"test_{uuid.uuid4().hex}")
        return postgres.create_database(names[-1])

    yield create
    for name in names:
        postgres.drop_database(name)
