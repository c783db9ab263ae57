"""Casewire as processes that can be killed, stopped and frozen, on either backend, and what its databases say."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import requests
import yaml
from sqlalchemy import Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from chassis.walls import UPKEEP
from contracts.clients import IMPORT_REQUESTED, IMPORT_UNDO_REQUESTED
from deploy.demo.api import Api
from deploy.deployables import DEPLOYABLES
from deploy.distributed import down, is_ready, read_state
from deploy.embedded import embedded_urls
from deploy.installing import need_program
from deploy.processes import MARK, end, free_port, start
from tests.systems import Embedded, embedded, eventually

STARTING = """
import json, pathlib, sys
from deploy.distributed import up
up(pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]))
"""

COMES_WITHIN = 120.0
"""Seconds in which a process with work to do comes to the point at which it is to die."""
OF_CONCERN = {
    "portal.client.changed.v1.end_links_to_old_address": "payload LIKE '%\"phones\"%' OR payload LIKE '%\"emails\"%'",
    # What sets off no rule: of the firm of these tests, only a row with a rule of its own does, and counts what it did.
    "tasks.task.completed.v1.follow_completed_tasks": "1 = 0",
    "tasks.form.completed.v1.follow_completed_forms": "1 = 0",
    "tasks.task.overdue.v1.follow_overdue_tasks": "1 = 0",
    "tasks.batch.finished.v1.record_finished_messages": "1 = 0",
}
"""Subscriptions that write nothing down for events which change nothing for them: the events for which they do."""


class Deployment:
    """What both backends have. `urls`: each service's database; `owners`: the same as its owner, if it is another."""

    backend = ""

    def __init__(self, folder: Path, urls: Mapping[str, str], owners: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.urls = dict(urls)
        self._engines = {name: _engine(url) for name, url in (owners or urls).items()}
        self._subscriptions: list[tuple[str, str, str, str]] = []
        # Of what was published before the last consumer was there to declare its queue, no account can be given.
        self._before = {name: self._ids(name, "SELECT id FROM outbox") for name in self.urls}

    @property
    def api(self) -> Api:
        """The API, with the demonstration firm's key."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether every process is ready for work."""
        raise NotImplementedError

    def health_ports(self) -> list[int]:
        """The health port of each process."""
        raise NotImplementedError

    def wait_ready(self, seconds: float = 60) -> float:
        """Waits until everything is ready; the seconds that it took."""
        began = time.monotonic()
        eventually(self.ready, "everything ready again", seconds)
        return time.monotonic() - began

    def ask(self, service: str, statement: str, **values: Any) -> list[Any]:
        """One statement on a service's database; its rows. Waits for a database that is away."""
        give_up = time.monotonic() + 60
        while True:
            try:
                with self._engines[service].begin() as connection:
                    result = connection.execute(text(statement), values)
                    return list(result.all()) if result.returns_rows else []
            except DBAPIError:
                if time.monotonic() > give_up:
                    raise
            time.sleep(0.1)

    # Events

    def unpublished(self) -> int:
        """Events that are in an outbox and not yet confirmed by the bus."""
        asked = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        return sum(self.ask(service, asked)[0][0] for service in self.urls)

    def outbox_empty(self, seconds: float = 120) -> float:
        """Waits until no event waits in any outbox; the seconds that it took."""
        began = time.monotonic()
        with contextlib.suppress(AssertionError):
            eventually(lambda: not self.unpublished(), "the outboxes empty", seconds)
        return time.monotonic() - began

    def unapplied(self) -> dict[str, int]:
        """Subscription to how many of its owner's events it has neither applied nor parked: accepted = applied +
        parked, counted by ids. Those of all are counted; it is empty when nothing is lost."""
        missing = {}
        for subscription, service, owner, event in self._of_subscriptions():
            concerning = OF_CONCERN.get(subscription, "1 = 1")
            accepted = self._ids(owner, f"SELECT id FROM outbox WHERE event = :event AND ({concerning})", event=event)
            accepted -= self._before[owner]
            if not accepted:
                continue
            done = self._ids(service, "SELECT event_id FROM inbox WHERE subscription = :name", name=subscription)
            done |= self._ids(service, "SELECT event_id FROM parked_message WHERE subscription = :name "
                              "AND state <> 'trying'", name=subscription)  # fmt: skip
            if accepted - done:
                missing[subscription] = len(accepted - done)
        return missing

    def events_lost(self, seconds: float) -> int:
        """Waits until every event is applied or parked; how many are not after `seconds`."""
        give_up = time.monotonic() + seconds
        while missing := self.unapplied():
            if time.monotonic() > give_up:
                print(f"  neither applied nor parked: {missing}", flush=True)
                break
            time.sleep(0.2)
        return sum(missing.values())

    def parked(self) -> int:
        """Events that are parked in any service."""
        asked = "SELECT count(*) FROM parked_message WHERE state = 'parked'"
        return sum(self.ask(service, asked)[0][0] for service in self.urls)

    def repeated(self) -> int:
        """Events that came again although they had been applied, since each process's start."""
        total = 0.0
        for port in self.health_ports():
            with contextlib.suppress(requests.RequestException):
                told = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
                total += sum(
                    float(line.rpartition(" ")[2])
                    for line in told.splitlines()
                    if line.startswith("casewire_events_repeated_total")
                )
        return int(total)

    def _ids(self, service: str, statement: str, **values: Any) -> set[str]:
        return {str(row[0]).replace("-", "") for row in self.ask(service, statement, **values)}

    def _of_subscriptions(self) -> list[tuple[str, str, str, str]]:
        """(subscription, service, owner, event) of all that are not broadcast and are marked as received."""
        if not self._subscriptions:
            from chassis.events import Subscription

            for entry in DEPLOYABLES.values():
                service = entry.load()
                for name in dir(service):
                    for entrypoint in getattr(getattr(service, name), "nameko_entrypoints", ()):
                        if isinstance(entrypoint, Subscription) and not entrypoint.broadcast:
                            event = entrypoint.event
                            if event.name in _WITHOUT_A_MARK:
                                continue
                            told = (f"{service.name}.{event.name}.{name}", entry.name, event.owner, event.name)
                            self._subscriptions.append(told)
        return self._subscriptions


_WITHOUT_A_MARK = (IMPORT_REQUESTED.name, IMPORT_UNDO_REQUESTED.name)
"""An import's own row tells how far it is, and its events leave no mark."""


def _engine(url: str) -> Engine:
    """Keeps connections to a server, for one is a process there; but no file open that a killed process left behind, or
    its successor would not find it as after a crash. On a server it sees every firm, as the owner for upkeep."""
    if url.startswith("sqlite"):
        return create_engine(url, poolclass=NullPool)
    return create_engine(url, connect_args={"options": f"-c {UPKEEP}=on"})


class Distributed(Deployment):
    """Every service in its process, on RabbitMQ and PostgreSQL: the supervisor starts again whatever dies."""

    backend = "distributed"

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """`environment`: what its processes were given beside their settings."""
        self._environment = dict(environment or {})
        self._settings = yaml.safe_load((folder / "settings.yaml").read_text())
        super().__init__(folder, self._settings["DATABASE_URLS"], self._settings["MIGRATION_URLS"])
        self.url = self.state()["url"]
        self._asked: set[int] = set()
        self._api = Api(self.url, (folder / "api-key").read_text().strip())

    @property
    def api(self) -> Api:
        return self._api

    def close(self) -> None:
        """Hangs up."""
        self._api.session.close()
        for engine in self._engines.values():
            engine.dispose()

    @property
    def amqp_uri(self) -> str:
        """The bus."""
        return str(self._settings["AMQP_URI"])

    def state(self) -> dict[str, Any]:
        """What the supervisor says of its processes."""
        state = read_state(self.folder)
        assert state is not None
        return state

    def pid(self, name: str) -> int:
        """The process id of a service's process, of `rabbitmq` or of `postgres`."""
        state = self.state()
        entry = state["services"].get(name)
        return int(entry["pid"] if entry else state["servers"][name])

    def health_ports(self) -> list[int]:
        return [entry["health_port"] for entry in self.state()["services"].values()]

    def ready(self) -> bool:
        return all(is_ready(port) for port in self.health_ports())

    def send_signal(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to a process."""
        os.kill(self.pid(name), number)

    def ask_to_end(self, service: str) -> None:
        """Asks each process of a service that the supervisor keeps to end, once: the supervisor starts it again, later
        each time."""
        for name, entry in self.state()["services"].items():
            if name.partition("-")[0] == service and entry["pid"] not in self._asked:
                self._asked.add(entry["pid"])
                with contextlib.suppress(ProcessLookupError):  # it has ended already
                    os.kill(entry["pid"], signal.SIGTERM)

    def wait_started(self, name: str, old: int, seconds: float = 60) -> float:
        """Waits until another process than `old` runs under the name and is ready; the seconds that it took."""
        began = time.monotonic()

        def again() -> bool:
            entry = self.state()["services"][name]
            return entry["pid"] != old and is_ready(entry["health_port"])

        eventually(again, f"{name} ready again", seconds)
        return time.monotonic() - began

    def start_beside(self, service: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """One more process of a service like the others, which nobody starts again."""
        arguments = [sys.executable, "-m", "deploy.cli", "serve", service]
        return start(
            [*arguments, "--settings", str(self.folder / f"{service}.yaml")],
            folder=self.folder,
            log=self.folder / "log" / f"{service}-extra.log",
            environment={**self._environment, **environment, "HEALTH_PORT": str(free_port())},
        )

    @property
    def superuser_url(self) -> str:
        """The URL of PostgreSQL's superuser."""
        password = (self.folder / "postgres" / "password").read_text()
        found = make_url(self.urls["messaging"]).set(username="postgres", password=password, database="postgres")
        return found.render_as_string(hide_password=False)

    def administer(self, statement: str) -> list[tuple[Any, ...]]:
        """One statement to PostgreSQL as its superuser."""
        url = make_url(self.superuser_url).set(drivername="postgresql")
        connection = psycopg2.connect(url.render_as_string(hide_password=False))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def broker_queues(self) -> list[str]:
        """The names of all queues on the bus."""
        told = self._rabbitmqctl("list_queues", "--vhost", self.amqp_uri.rpartition("/")[2] or "/", "name", "--silent")
        return [line for line in told.splitlines() if line and line != "name"]

    def control_broker(self, *arguments: str) -> None:
        """Runs rabbitmqctl against the broker."""
        self._rabbitmqctl(*arguments)

    def _rabbitmqctl(self, *arguments: str) -> str:
        environment = psutil.Process(self.pid("rabbitmq")).environ()
        control = need_program("rabbitmqctl", "/usr/lib/rabbitmq/bin/rabbitmqctl", package="rabbitmq-server")
        told = subprocess.run(
            [control, "--quiet", *arguments], env=environment, check=True, capture_output=True, timeout=60, text=True
        )
        return told.stdout


@contextlib.contextmanager
def distributed(
    replicas: Mapping[str, int] | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Distributed]:
    """Starts everything in a folder of its own, and ends it with the block."""
    with tempfile.TemporaryDirectory(prefix="casewire-faults-", ignore_cleanup_errors=True) as parent:
        # PostgreSQL runs as a user of its own, which must be able to enter.
        Path(parent).chmod(0o711)
        folder = (Path(parent) / "up").resolve()
        # In a process of its own, which its supervisor outlives.
        subprocess.run(
            [sys.executable, "-c", STARTING, str(folder), json.dumps(dict(replicas or {}))],
            check=True, timeout=240, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        try:
            running = Distributed(folder, environment)
            yield running
            running.close()
        finally:
            down(folder, quiet=True)


class Single(Deployment):
    """Everything in one process on SQLite. Nobody starts it again but `system.start`."""

    backend = "embedded"

    def __init__(self, system: Embedded, health_port: int) -> None:
        super().__init__(system.folder, embedded_urls(system.folder))
        self.system = system
        self._health_port = health_port

    @property
    def api(self) -> Api:
        return self.system.api

    def health_ports(self) -> list[int]:
        return [self._health_port]

    def ready(self) -> bool:
        return is_ready(self._health_port)


@contextlib.contextmanager
def single(environment: Mapping[str, str] | None = None) -> Iterator[Single]:
    """Starts the embedded default on a folder of its own, and ends it with the block."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="casewire-faults-", ignore_cleanup_errors=True) as parent:
        folder = Path(parent) / "data"
        # The same port at each start: callbacks that are under way find it again.
        given = {"PORT": str(free_port()), **(environment or {}), "HEALTH_PORT": str(port), MARK: parent}
        with embedded(folder, given) as system:
            yield Single(system, port)


@dataclass
class Crasher:
    """Keeps one more process of a service running that dies at a named point, and counts its deaths."""

    deployment: Distributed
    service: str
    point: str
    wanted: int
    deaths: int = 0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0

    def tend(self) -> bool:
        """Starts it where it does not run. Returns whether it has died often enough. AssertionError where it lives on
        without coming to its point."""
        if self.process is not None and self.process.poll() is not None:
            if self.process.returncode == -signal.SIGKILL:
                self.deaths += 1
            self.process = None
        if self.deaths >= self.wanted:
            return True
        if self.process is None:
            self.process = self.deployment.start_beside(self.service, {"CASEWIRE_CRASH_AT": self.point})
            self.started_at = time.monotonic()
        assert time.monotonic() - self.started_at < COMES_WITHIN, f"it never came to {self.point}"
        return False

    def close(self) -> None:
        """Ends what runs."""
        if self.process is not None:
            end(self.process, 30)
