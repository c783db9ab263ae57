"""Servers that run already, named by the environment: the same few methods as the private ones of deploy/."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg2
from psycopg2 import sql
from sqlalchemy import make_url

from deploy.postgres import Postgres
from deploy.rabbitmq import management_request
from deploy.roles import Ask, make_roles, make_service_database


@contextmanager
def asking(url: Callable[[str], str]) -> Iterator[Ask]:
    """`ask(database, statement, *values)` on one connection to each database, where each question of its own would take
    ten times as long for connecting as for its answer. `url`: a database's name to a superuser's URL."""
    kept: dict[str, Any] = {}

    def ask(database: str, statement: str | sql.Composable, *values: Any) -> list[tuple[Any, ...]]:
        if database not in kept:
            where = make_url(url(database)).set(drivername="postgresql")
            kept[database] = psycopg2.connect(where.render_as_string(hide_password=False))
            kept[database].autocommit = True
        with kept[database].cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    try:
        yield ask
    finally:
        for connection in kept.values():
            connection.close()


class RunningRabbitMQ:
    """RabbitMQ at `http://user:password@host:management_port?amqp=port`."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.management_uri = f"{parts.scheme}://{parts.netloc}"
        self._port = parse_qs(parts.query)["amqp"][0]
        self._host = parts.hostname
        self._credentials = parts.netloc.rpartition("@")[0]

    def amqp_uri(self, vhost: str = "/") -> str:
        return f"pyamqp://{self._credentials}@{self._host}:{self._port}/{quote(vhost, safe='')}"

    def create_vhost(self, name: str) -> str:
        management_request(self.management_uri, "PUT", f"/api/vhosts/{quote(name, safe='')}")
        return self.amqp_uri(name)

    def delete_vhost(self, name: str) -> None:
        management_request(self.management_uri, "DELETE", f"/api/vhosts/{quote(name, safe='')}")


class RunningPostgres:
    """PostgreSQL under a superuser's SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)

    def ask(self, database: str, statement: str | sql.Composed, *values: Any) -> list[tuple[Any, ...]]:
        with asking(self.url) as ask:
            return ask(database, statement, *values)

    def url(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        found = self._url.set(database=database)
        if user is not None:
            found = found.set(username=user, password=password)
        return found.render_as_string(hide_password=False)

    def drop_database(self, name: str) -> None:
        self.ask("postgres", sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


class OwnedDatabases:
    """Databases for tests, each with the roles that a service's database has (deploy/roles.py)."""

    role = "casewire_test"

    def __init__(self, server: RunningPostgres | Postgres) -> None:
        self.server = server
        self._password = make_url(server.url()).password or ""
        self._owner = make_roles(server.ask, self.role, self._password, self._password)

    def create_database(self, name: str, like: str = "template1") -> str:
        """Its URL for the owner; `chassis.testing.service_url` makes the service's of it. It begins as a copy of a
        database to which nobody is connected."""
        with asking(self.server.url) as ask:
            # Copied as files, the template takes half the time of being written through the log.
            copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
            ask("postgres", copy.format(sql.Identifier(name), sql.Identifier(like)))
            make_service_database(ask, name, self.role)
        return self.server.url(name, self._owner, self._password)

    def drop_database(self, name: str) -> None:
        self.server.drop_database(name)
