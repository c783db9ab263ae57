"""`casewire up` and `casewire down`: the distributed deployment on this machine, in a folder of its own."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.folder import UP_MODE, Folder, FolderInUse
from deploy.installing import ProgramMissing, need_program
from deploy.postgres import BINARIES
from deploy.processes import end_all, free_port, running, start, wait_until
from deploy.rabbitmq import SERVERS

START_SECONDS = 180.0


class UpFailed(Exception):
    """The start failed; the message says why in one sentence."""


def up(path: Path, replicas: Mapping[str, int], *, port: int | None = None, quiet: bool = False) -> dict[str, Any]:
    """Start everything and wait until every service is ready. Returns the state (see deploy/supervisor.py).

    Raises UpFailed. What ran before on this folder is left alone if it still serves, and ended if it does not.
    """
    folder = Folder(path, UP_MODE)
    state = read_state(folder.path)
    if state is not None and _supervised(folder):
        _report(folder, state, quiet, "runs already")
        return state
    end_all(folder.path)
    (folder.path / "state.json").unlink(missing_ok=True)
    _need_programs()
    log = folder.path / "supervisor.log"
    log.unlink(missing_ok=True)
    chosen = port or int(os.environ.get("PORT") or 0) or free_port()
    arguments = [f"{name}={count}" for name, count in replicas.items()]
    supervisor = start(
        [sys.executable, "-m", "deploy.supervisor", str(folder.path), str(chosen), *arguments],
        folder=folder.path,
        log=log,
        outlives=True,
    )
    shown = _Follower(log, quiet)

    def ready() -> dict[str, Any] | None:
        shown.show_new()
        if supervisor.poll() is not None:
            raise UpFailed(f"it ended while it was starting: {_last_line(log)} (see {log})")
        found = read_state(folder.path)
        return found if found and not _late(found) else None

    try:
        state = wait_until(ready, "every service is ready", START_SECONDS, pause=0.3)
    except TimeoutError as error:
        late = ", ".join(_late(read_state(folder.path))) or "RabbitMQ or PostgreSQL"
        down(path, quiet=True)
        raise UpFailed(f"{error}; not ready: {late} (see {log.parent})") from None
    except BaseException:
        down(path, quiet=True)
        raise
    _report(folder, state, quiet, f"is up, {len(state['services'])} service processes")
    return state


def down(path: Path, *, quiet: bool = False) -> None:
    """End everything that `up` started on this folder, whatever became of its supervisor. Its data stays."""
    if not path.exists():
        return
    folder = path.resolve()
    state = read_state(folder)
    # The supervisor ends the rest in order; what is left after that, or has lost its supervisor, is ended directly.
    if state is not None:
        supervisor = [process for process in running(folder) if process.pid == state["supervisor"]]
        for process in supervisor:
            process.terminate()
        deadline = time.monotonic() + 60
        while any(process.is_running() and process.status() != "zombie" for process in supervisor):
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
    end_all(folder)
    (folder / "state.json").unlink(missing_ok=True)
    if not quiet:
        print("casewire is down")


def read_state(folder: Path) -> dict[str, Any] | None:
    """What the supervisor of a folder wrote last, None if it is not running services."""
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        return None
    return state


def _late(state: dict[str, Any] | None) -> list[str]:
    """The services that are not ready yet."""
    entries = state["services"] if state else {}
    return [name for name, entry in entries.items() if not is_ready(entry["health_port"])]


def is_ready(health_port: int) -> bool:
    """Whether the process behind a health port is ready for work."""
    connection = http.client.HTTPConnection("127.0.0.1", health_port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _supervised(folder: Folder) -> bool:
    """A supervisor holds its folder's lock as long as it lives."""
    try:
        folder.hold()
    except FolderInUse:
        return True
    folder.release()
    return False


def _need_programs() -> None:
    try:
        need_program("rabbitmq-server", SERVERS, package="rabbitmq-server")
        need_program("initdb", f"{BINARIES}/initdb", package="postgresql")
    except ProgramMissing as error:
        raise UpFailed(str(error)) from None


def _report(folder: Folder, state: dict[str, Any], quiet: bool, what: str) -> None:
    if quiet:
        return
    print(f"casewire {what}; logs in {folder.path / 'log'}, settings in {state['settings']}")
    print(f"api key: {folder.kept('api-key')}")
    print(f"listening on {state['url']}", flush=True)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("failed: ")]
    return lines[-1].removeprefix("failed: ") if lines else "no reason given"


class _Follower:
    """Shows what is added to a log."""

    def __init__(self, log: Path, quiet: bool) -> None:
        self._log = log
        self._shown = 0
        self._quiet = quiet

    def show_new(self) -> None:
        if self._quiet or not self._log.exists():
            return
        lines = self._log.read_text(errors="replace").splitlines()
        for line in lines[self._shown :]:
            print(f"  {line}", flush=True)
        self._shown = len(lines)
