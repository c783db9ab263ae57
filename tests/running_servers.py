"""Servers that run already, named by the environment: the same few methods as the private ones of deploy/."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import psycopg2
from psycopg2 import sql
from sqlalchemy import make_url

from deploy.rabbitmq import management_request


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

    def _do(self, statement: sql.Composed) -> None:
        connection = psycopg2.connect(self._url.set(drivername="postgresql").render_as_string(hide_password=False))
        connection.autocommit = True
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def create_database(self, name: str) -> str:
        self._do(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop_database(self, name: str) -> None:
        self._do(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
