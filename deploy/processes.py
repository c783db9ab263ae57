"""Starting and ending programs that belong to one folder, and waiting until something is so."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

MARK = "CASEWIRE_FOLDER"
PORTS = range(12_000, 32_000)
"""Below those that systems give to outgoing connections: one of these would be taken before a server is up that is
some seconds at its start."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    for port in random.SystemRandom().sample(PORTS, k=100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("a hundred ports were tried, and all are taken")


def wait_until(so: Callable[[], Any], what: str, seconds: float, pause: float = 0.1) -> Any:
    """The first true answer of `so`, asked again and again. TimeoutError says `what` did not happen in `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := so()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)
    return answer


def _ending_with_parent(ending: signal.Signals) -> list[str]:
    """What makes Linux send `ending` to the new process when this one dies, even by kill -9.

    Linux ties it to the thread that starts the process, so that other threads than the main one go without.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or sys.platform != "linux" or threading.get_native_id() != os.getpid():
        return []
    return [setpriv, "--pdeathsig", ending.name.removeprefix("SIG"), "--"]


def _nice(niceness: int) -> list[str]:
    return ["nice", "-n", str(niceness)] if niceness else []


def _stand_back(process: subprocess.Popen[bytes], niceness: int) -> None:
    """Has a process that leads its session stand back also where Linux shares processors out by session
    (`sched_autogroup_enabled`): there `nice` counts only among the processes of one session. And it interrupts nobody
    when it wakes (`SCHED_BATCH`): who answers somebody ends that first.

    Without capabilities only one process in 0.1 s may be told of its session, of all there are.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            os.sched_setscheduler(process.pid, os.SCHED_BATCH, os.sched_param(0))
    deadline = time.monotonic() + 2
    while process.poll() is None and time.monotonic() < deadline:
        try:
            Path(f"/proc/{process.pid}/autogroup").write_text(str(niceness))
            return
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            return  # none here, or the process has ended


def start(
    arguments: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    ending: signal.Signals = signal.SIGTERM,
    outlives: bool = False,
    niceness: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, its output appended to `log`. `niceness`: how far it stands back behind
    others where processors are short, 0 to 19.

    It carries `folder` in its environment, so that `end_all(folder)` finds it whatever became of its parent. Unless it
    `outlives` this process, it gets the signal `ending` when this one dies.
    """
    identity: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if user else {}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*([] if outlives else _ending_with_parent(ending)), *_nice(niceness), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {}), MARK: str(folder)},
            start_new_session=True,
            **identity,
        )
    if niceness:
        _stand_back(process, niceness)
    return process


def end(process: subprocess.Popen[bytes], seconds: float, ending: signal.Signals = signal.SIGTERM) -> None:
    """End a process, by force after `seconds`."""
    if process.poll() is None:
        process.send_signal(ending)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def running(folder: Path) -> list[psutil.Process]:
    """Every living process that was started for `folder` or a folder in it, this one not counted."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK)
            mine = process.pid != os.getpid() and mark is not None and Path(mark).is_relative_to(folder)
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end_all(folder: Path, seconds: float = 20) -> int:
    """End every process that was started for `folder`, by force after `seconds`. Returns how many there were."""
    found = running(folder)
    for process in found:
        _signal(process, signal.SIGTERM)
        _signal(process, signal.SIGCONT)
    _, alive = psutil.wait_procs(found, timeout=seconds)
    for process in [*alive, *running(folder)]:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)
    return len(found)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return
