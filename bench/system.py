"""The whole of Casewire as `casewire up` starts it, in a folder of its own, for measurements."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from sqlalchemy import text

from chassis.migrations import owner_engine
from deploy.demo.api import Api
from deploy.distributed import down, read_state, up
from deploy.folder import UP_MODE, Folder
from deploy.rabbitmq import management_request


@dataclass(frozen=True)
class System:
    """A running system: its folder, its address, its firm's API key."""

    folder: Path
    url: str
    key: str

    @property
    def api(self) -> Api:
        return Api(self.url, self.key)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def state(self) -> dict[str, Any]:
        """What the supervisor says of its processes."""
        return read_state(self.folder) or {"services": {}}

    def peak_megabytes(self) -> dict[str, float]:
        """The most memory that each service process has had resident since its start, in MB."""
        services = self.state()["services"]
        return {name: _peak(entry["pid"]) for name, entry in services.items()}

    def database_urls(self) -> dict[str, str]:
        """Each service's database."""
        urls: dict[str, str] = yaml.safe_load(Path(self.state()["settings"]).read_text())["DATABASE_URLS"]
        return urls

    def cpu_seconds(self) -> dict[str, float]:
        """The processor time that each service process, RabbitMQ and PostgreSQL have used since their start, in
        seconds. Of PostgreSQL all backends, also those that have ended."""
        state = self.state()
        services = {name: cpu_of(entry["pid"]) for name, entry in state["services"].items()}
        return services | {name: cpu_of(pid) for name, pid in state["servers"].items()}

    def quiet(self) -> bool:
        """Whether every event is published, and every queue empty."""
        settings = yaml.safe_load(Path(self.state()["settings"]).read_text())
        for url in settings["MIGRATION_URLS"].values():
            with owner_engine(url).connect() as connection:
                waits = connection.scalar(text("SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"))
            if waits:
                return False
        queues = management_request(self.state()["management"], "GET", "/api/queues")
        return not sum(queue.get("messages", 0) for queue in queues)


def cpu_of(pid: int) -> float:
    """Seconds of processor time of a process and its children."""
    process = psutil.Process(pid)
    used = 0.0
    for part in [process, *process.children(recursive=True)]:
        try:
            times = part.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system + times.children_user + times.children_system
    return used


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024 / 1e6


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def system(replicas: Mapping[str, int] | None = None, settings: Mapping[str, str] | None = None) -> Iterator[System]:
    """Starts everything, with `settings` over those of `casewire up`, and stops it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="casewire-bench-system-"))
    # PostgreSQL runs as a user of its own and has to reach its folder.
    folder.chmod(UP_MODE)
    try:
        with _environment(settings or {}):
            state = up(folder, replicas or {}, quiet=True)
        yield System(folder, state["url"], Folder(folder, UP_MODE).kept("api-key") or "")
    finally:
        down(folder, quiet=True)
        shutil.rmtree(folder, ignore_errors=True)
