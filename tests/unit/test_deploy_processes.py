"""Programs are started as they are told to be."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from deploy.processes import PORTS, free_port, start


def test_a_program_stands_back_as_far_as_it_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = [sys.executable, "-c", "import os; print(os.nice(0))"]
    own = start(program, folder=tmp_path, log=log, niceness=0)
    own.wait(30)
    behind = start(program, folder=tmp_path, log=log, niceness=7)
    behind.wait(30)
    first, second = map(int, log.read_text().split())
    assert second == min(first + 7, 19)


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="the kernel has no groups of sessions")
def test_it_also_stands_back_where_processors_are_shared_out_by_session(tmp_path: Path) -> None:
    several = [
        start(["sleep", "30"], folder=tmp_path, log=tmp_path / "log", niceness=niceness) for niceness in (0, 7, 9)
    ]
    try:
        told = [Path(f"/proc/{process.pid}/autogroup").read_text().split()[-1] for process in several]
    finally:
        for process in several:
            process.kill()
            process.wait()
    assert told == ["0", "7", "9"]


def test_a_free_port_is_one_that_no_outgoing_connection_gets_before_its_server_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as outgoing:
        assert outgoing.getsockname()[1] not in PORTS
    assert free_port() in PORTS


def test_ports_that_are_listened_on_are_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = free_port(), free_port()
    monkeypatch.setattr("random.SystemRandom.sample", lambda _, ports, k: [taken, free])
    with socket.create_server(("127.0.0.1", taken)):
        assert free_port() == free
