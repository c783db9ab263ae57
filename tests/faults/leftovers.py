"""Looking for people where nothing of them should be: in every table, in the databases' own files, in queues, logs and
files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from amqp.exceptions import NotFound, ResourceLocked
from kombu import Connection

from tests.faults.deployments import Deployment, Distributed


class Words:
    """What is looked for: words that begin with a mark of their own, whatever their case, and telephone numbers, which
    cannot."""

    def __init__(self, mark: str, numbers: Iterable[str]) -> None:
        digits = "|".join(re.escape(number.lstrip("+")) for number in numbers)
        self._pattern = re.compile(
            rf"{mark}[a-z0-9]+|{digits}".encode() if digits else f"{mark}[a-z0-9]+".encode(), re.I
        )

    def in_(self, content: bytes) -> set[str]:
        """Those that are in it, in lower case."""
        return {found.decode().lower() for found in self._pattern.findall(content)}


def find(deployment: Deployment, words: Words) -> dict[str, set[str]]:
    """Place to the words that are there; places where there are none are left out."""
    found: dict[str, set[str]] = {}
    for place, content in _everything(deployment):
        if there := words.in_(content):
            found.setdefault(place, set()).update(there)
    return found


def _everything(deployment: Deployment) -> Iterator[tuple[str, bytes]]:
    for service in deployment.urls:
        yield from _tables(deployment, service)
    yield from _files(deployment.folder)
    if isinstance(deployment, Distributed):
        yield from _queues(deployment)


def _tables(deployment: Deployment, service: str) -> Iterator[tuple[str, bytes]]:
    if deployment.backend == "embedded":
        listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        for (name,) in deployment.ask(service, listed):
            rows = deployment.ask(service, f'SELECT * FROM "{name}"')
            yield f"{service}.{name}", repr([tuple(row) for row in rows]).encode()
        return
    listed = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    for (name,) in deployment.ask(service, listed):
        rows = deployment.ask(service, f'SELECT t::text FROM "{name}" AS t')
        yield f"{service}.{name}", "\n".join(row[0] for row in rows).encode()


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everything under the deployment's folder, but of the servers only their logs: what is deleted in PostgreSQL's own
    files, autovacuum takes away in its time. SQLite's files, its log of writes and its free pages included, are looked
    through as they are."""
    for path in sorted(folder.rglob("*")):
        is_servers = path.relative_to(folder).parts[0] in ("postgres", "rabbitmq")
        if path.is_file() and (not is_servers or path.suffix == ".log"):
            yield f"file {path.relative_to(folder)}", path.read_bytes()


def _queues(deployment: Distributed) -> Iterator[tuple[str, bytes]]:
    """What waits in any queue of the bus; it is given back."""
    listed = deployment.broker_queues()
    with Connection(deployment.amqp_uri) as connection:
        for name in listed:
            channel = connection.channel()
            try:
                while (message := channel.basic_get(name, no_ack=False)) is not None:
                    body = message.body
                    yield f"queue {name}", body if isinstance(body, bytes) else str(body).encode()
                channel.close()  # unacknowledged ones go back
            except (ResourceLocked, NotFound):
                continue  # one process's own: for its calls' answers, or what is told to each of them
