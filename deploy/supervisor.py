"""Keeps RabbitMQ, PostgreSQL and every service of `casewire up` running: what dies is started again.

`python -m deploy.supervisor FOLDER [SERVICE=N …]`, started by deploy/distributed.py. SIGTERM ends it and everything it
started; when it is killed itself, the kernel ends its children. What runs is written to `state.json` in the folder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from chassis.config import CHASSIS
from chassis.migrations import upgrade
from deploy.deployables import DATABASES, DEPLOYABLES, Deployable
from deploy.embedded import sealing_keys
from deploy.firms import create_demonstration_firm
from deploy.folder import UP_MODE, Folder
from deploy.installing import ProgramMissing
from deploy.postgres import Postgres
from deploy.processes import end, free_port, start
from deploy.rabbitmq import RabbitMQ

VHOST = "casewire"
WORKERS = 20
"""Requests and events that one process handles at once."""
STEADY_SECONDS = 30.0
"""A process that lived this long is started again at once when it dies; one that keeps dying waits longer each time."""
LONGEST_PAUSE = 10.0
STOP_SECONDS = 25.0
DECLARING_SECONDS = 60.0


@dataclass
class Child:
    """One service process. `starts` counts how often it was started."""

    name: str
    arguments: list[str]
    health_port: int
    log: Path
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    starts: int = 0
    failures: int = 0
    wait_until: float = 0.0

    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """`port` is the gateway's, `replicas` how many processes a service gets (1 if not named)."""

    folder: Folder
    port: int
    replicas: dict[str, int]
    children: list[Child] = field(default_factory=list)
    stopping: bool = False

    def __post_init__(self) -> None:
        path = self.folder.path
        self.log = path / "log"
        self.log.mkdir(exist_ok=True)
        self.rabbitmq = RabbitMQ(path / "rabbitmq")
        self.postgres = Postgres(path / "postgres")

    def run(self) -> None:
        """Start everything, then watch until a signal comes."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        try:
            self._say("starting RabbitMQ and PostgreSQL")
            self.rabbitmq.launch()
            self.postgres.start()
            self._say("making databases and their tables")
            urls, owners = self._databases()
            self.rabbitmq.wait_ready()
            self._add_services(urls, owners)
            self._say("starting services")
            while not self.stopping:
                self._tend()
                time.sleep(0.25)
        finally:
            self._stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _databases(self) -> tuple[dict[str, str], dict[str, str]]:
        """Each service's database, at its newest schema: the URLs of the services, and those of the owners."""
        urls, owners = {}, {}
        for name in DATABASES:
            secret, owners_secret = self.folder.secret(f"password-{name}"), self.folder.secret(f"password-{name}-owner")
            urls[name], owners[name] = self.postgres.create_service_database(name, name, secret, owners_secret)
            upgrade(name, owners[name], role=name)
        if not self.folder.kept("api-key"):
            self.folder.keep("api-key", create_demonstration_firm(urls["accounts"]))
        return urls, owners

    def _add_services(self, urls: dict[str, str], owners: dict[str, str]) -> None:
        self.rabbitmq.create_vhost(VHOST)
        shared = self._shared_settings()
        common = {name: shared[name] for name in ("AMQP_URI", "FILES_URL", "SEALING_KEYS_URL")}
        operators = {**common, "DATABASE_URLS": urls, "MIGRATION_URLS": owners}
        self._declare_queues(self._write_settings("settings", operators))
        for entry in DEPLOYABLES.values():
            # Each is told of its own database only.
            own = {"DATABASE_URL": urls[entry.database]} if entry.database else {}
            known = {setting.name for setting in (*CHASSIS, *entry.settings())}
            told = {name: value for name, value in (shared | own).items() if name in known}
            settings = self._write_settings(entry.name, told)
            count = self.replicas.get(entry.name, 1)
            self.children += [self._child(entry, number, count, settings) for number in range(1, count + 1)]

    def _declare_queues(self, settings: Path) -> None:
        """Before any service runs, in a process of its own: it needs every service's modules, and eventlet."""
        self._say("declaring queues")
        command = [sys.executable, "-m", "deploy.cli", "queues", "declare", "--settings", str(settings)]
        log = self.log / "queues.log"
        status = start(command, folder=self.folder.path, log=log).wait(DECLARING_SECONDS)
        if status:
            raise OSError(f"the queues could not be declared: see {log}")

    def _shared_settings(self) -> dict[str, Any]:
        address = f"http://127.0.0.1:{self.port}"
        return {
            "AMQP_URI": self.rabbitmq.amqp_uri(VHOST),
            "FILES_URL": f"file://{self.folder.path / 'files'}",
            "WEB_SERVER_ADDRESS": f"127.0.0.1:{self.port}",
            "PUBLIC_URL": address,
            "SECRET_KEY": self.folder.secret("secret-key"),
            "SEALING_KEYS_URL": sealing_keys(self.folder),
            "TWILIO_AUTH_TOKEN": self.folder.secret("sandbox-token"),
            "SANDBOX_PAGES": True,
            "PROVIDER": "sandbox",
            "LOG_FORMAT": "json",
            "max_workers": WORKERS,
        }

    def _write_settings(self, name: str, settings: dict[str, Any]) -> Path:
        self.folder.keep(f"{name}.yaml", yaml.safe_dump(settings, sort_keys=True).strip())
        return self.folder.path / f"{name}.yaml"

    def _child(self, entry: Deployable, number: int, count: int, settings: Path) -> Child:
        name = entry.name if count == 1 else f"{entry.name}-{number}"
        arguments = [sys.executable, "-m", "deploy.cli", "serve", entry.name, "--settings", str(settings)]
        return Child(name, arguments, free_port(), self.log / f"{name}.log", entry.niceness)

    def _tend(self) -> None:
        """Start whatever is not running, and write down what is."""
        changed = False
        for server, name in ((self.postgres, "PostgreSQL"), (self.rabbitmq, "RabbitMQ")):
            if server.pid is None:
                self._say(f"{name} ended; starting it again")
                self._start_server(server, name)
                changed = True
        now = time.monotonic()
        for child in self.children:
            if not child.alive() and now >= child.wait_until:
                self._start(child, now)
                changed = True
        if changed:
            self._write_state()

    def _start_server(self, server: RabbitMQ | Postgres, name: str) -> None:
        """Start a server again. One that does not serve in time is tried once more: what runs waits for it."""
        try:
            server.start()
        except (OSError, ProgramMissing) as error:
            self._say(f"{name} did not start: {error}")
            time.sleep(LONGEST_PAUSE)

    def _start(self, child: Child, now: float) -> None:
        if child.process is not None:
            steady = now - child.started_at > STEADY_SECONDS
            child.failures = 0 if steady else child.failures + 1
            self._say(f"{child.name} ended with status {child.process.returncode}; starting it again")
        child.process = start(
            child.arguments,
            folder=self.folder.path,
            log=child.log,
            environment={"HEALTH_PORT": str(child.health_port), "HEALTH_HOST": "127.0.0.1"},
            niceness=child.niceness,
        )
        child.started_at = now
        child.starts += 1
        child.wait_until = now + pause_after(child.failures)

    def _write_state(self) -> None:
        """`state.json`: where the gateway is, and each process with its id, its health port and its log."""
        state = {
            "supervisor": os.getpid(),
            "url": f"http://127.0.0.1:{self.port}",
            "management": self.rabbitmq.management_uri,
            "settings": str(self.folder.path / "settings.yaml"),
            "servers": {"rabbitmq": self.rabbitmq.pid, "postgres": self.postgres.pid},
            "services": {
                child.name: {
                    "pid": child.process.pid if child.process else None,
                    "health_port": child.health_port,
                    "log": str(child.log),
                    "starts": child.starts,
                }
                for child in self.children
            },
        }
        self.folder.keep("state.json", json.dumps(state, indent=1))

    def _stop(self) -> None:
        self._say("stopping")
        (self.folder.path / "state.json").unlink(missing_ok=True)
        started = [child.process for child in self.children if child.process and child.alive()]
        for process in started:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in started:
            end(process, max(0.0, deadline - time.monotonic()))
        self.rabbitmq.stop()
        self.postgres.stop()
        self._say("stopped")

    def _say(self, line: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def pause_after(failures: int) -> float:
    """Seconds from a start to the next one, of a process that has died early so many times."""
    # A power of many thousands is no float any more.
    return min(0.5 * 2 ** min(failures, 10), LONGEST_PAUSE)


def main() -> int:
    """Hold the folder and supervise. Status 1 and one line when the start fails."""
    path, port, *pairs = sys.argv[1:]
    folder = Folder(Path(path), UP_MODE)
    try:
        folder.hold()
        replicas = {name: int(count) for name, _, count in (pair.partition("=") for pair in pairs)}
        Supervisor(folder, int(port), replicas).run()
    except Exception as error:
        print(f"failed: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
