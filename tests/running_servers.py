"""Servers that run already, named by the environment: the same few methods as the private ones of deploy/."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg2
from psycopg2 import sql
from sqlalchemy import make_url

from deploy.postgres import Postgres
from deploy.rabbitmq import management_request
from deploy.roles import make_roles, make_service_database


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
        connection = psycopg2.connect(
            self._url.set(drivername="postgresql", database=database).render_as_string(hide_password=False)
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

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

    def create_database(self, name: str) -> str:
        """Its URL for the owner; `chassis.testing.service_url` makes the service's of it."""
        make_service_database(self.server.ask, name, self.role)
        return self.server.url(name, self._owner, self._password)

    def drop_database(self, name: str) -> None:
        self.server.drop_database(name)
