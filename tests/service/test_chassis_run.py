"""A process of services ends cleanly, and costs nothing while it waits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from chassis.health import HealthServer
from chassis.testing import eventually
from tests.service.test_gateway_connections import failing_once

ROOT = Path(__file__).parents[2]
Launch = Callable[..., "Process"]


class Process:
    """A process of the pet shop and what it has printed."""

    def __init__(self, bus: str, names: tuple[str, ...], output: Path) -> None:
        self._output = output
        with output.open("w") as target:
            self.popen = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.service.running", bus, *names],
                cwd=ROOT,
                stdout=target,
                stderr=subprocess.STDOUT,
            )

    def said(self, word: str) -> int:
        return self._output.read_text().split("\n").count(word)

    def wait_for(self, word: str, times: int = 1) -> None:
        eventually(lambda: self.said(word) >= times, seconds=60, what=f"{word!r} in {self._output.read_text()}")

    def end(self, number: signal.Signals) -> float:
        """Sends a signal and returns the seconds until the process is gone."""
        begun = time.monotonic()
        self.popen.send_signal(number)
        self.popen.wait(12)
        return time.monotonic() - begun


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    processes: list[Process] = []

    def run(bus: str, *names: str) -> Process:
        process = Process(bus, names, tmp_path / f"{len(processes)}.log")
        processes.append(process)
        process.wait_for("ready")
        return process

    yield run
    for process in processes:
        process.popen.kill()
        process.popen.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_when_work_in_hand_is_finished(bus: str, launch: Launch, number: signal.Signals) -> None:
    process = launch(bus, "pets", "customer", "call")
    process.wait_for("began", 3)
    assert process.end(number) < 5
    assert process.popen.returncode == 0
    assert process.said("ended") == 3


def test_finished_work_is_acknowledged(vhost: str, launch: Launch) -> None:
    """What the stopped process answered does not come again in the next."""
    first = launch(vhost, "pets", "customer", "call")
    first.wait_for("began", 3)
    first.end(signal.SIGTERM)
    second = launch(vhost, "pets", "customer")
    second.end(signal.SIGTERM)
    assert (first.said("ended"), second.said("began")) == (3, 0)


def test_work_that_never_ends_is_given_up(launch: Launch) -> None:
    process = launch("embedded://", "stuck", "customer", "call")
    process.wait_for("began")
    assert 2 <= process.end(signal.SIGTERM) < 4


def test_an_idle_process_uses_next_to_nothing(launch: Launch) -> None:
    process = psutil.Process(launch("embedded://", "pets", "shop", "customer").popen.pid)
    before = process.cpu_times()
    time.sleep(2)  # the measurement itself
    after = process.cpu_times()
    assert (after.user + after.system) - (before.user + before.system) < 0.02 * 2


def get(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_process_without_descriptors_for_a_while_stays_live(monkeypatch: pytest.MonkeyPatch) -> None:
    server = HealthServer(0, list, host="127.0.0.1")
    try:
        with failing_once(monkeypatch) as failed:
            assert [get(server.port, "/health/live")[0] for _ in range(2)] == [200, 200]
        assert failed
    finally:
        server.stop()


def test_the_health_port_tells_live_from_ready() -> None:
    bus = SimpleNamespace(connected=True)
    container = SimpleNamespace(service_name="pets", shared_extensions={"bus": bus}, dependencies=[])
    server = HealthServer(0, lambda: [container], host="127.0.0.1")
    try:
        assert get(server.port, "/health/ready") == (
            200,
            b'{"ok":true,"services":{"pets":{"ok":true,"parts":{"bus":true}}}}',
        )
        bus.connected = False
        server._checked_at = float("-inf")
        status, body = get(server.port, "/health/ready")
        assert (status, json.loads(body)["ok"]) == (503, False)
        assert get(server.port, "/health/live")[0] == 200
        assert b"casewire_calls_seconds" in get(server.port, "/metrics")[1]
        assert get(server.port, "/other")[0] == 404
    finally:
        server.stop()
