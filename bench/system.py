"""The whole of Casewire as `casewire up` starts it, in a folder of its own, for measurements."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.demo.api import Api
from deploy.distributed import down, read_state, up
from deploy.folder import Folder


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

    def megabytes(self) -> dict[str, float]:
        """Resident memory of each service process, in MB."""
        services = self.state()["services"]
        return {name: psutil.Process(entry["pid"]).memory_info().rss / 1e6 for name, entry in services.items()}


@contextmanager
def system(replicas: Mapping[str, int] | None = None) -> Iterator[System]:
    """Starts everything and stops it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="casewire-bench-system-"))
    # PostgreSQL runs as a user of its own and has to reach its folder.
    folder.chmod(0o711)
    try:
        state = up(folder, replicas or {}, quiet=True)
        yield System(folder, state["url"], Folder(folder).kept("api-key") or "")
    finally:
        down(folder, quiet=True)
        shutil.rmtree(folder, ignore_errors=True)
