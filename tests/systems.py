"""The system as its users have it: started as processes, driven over HTTP. For tests from outside."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from deploy.demo.api import Api

START_SECONDS = 60.0


class Embedded:
    """`casewire run` on a folder. `start` it, `kill` it at any moment, `start` it again on the same folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = dict(environment or {})
        self.lines: list[str] = []
        self.api_key = ""
        self.url = ""
        self.process: subprocess.Popen[str] | None = None
        self._apis: dict[tuple[str, str], Api] = {}
        self._listener: threading.Thread | None = None

    def start(self) -> Embedded:
        """Returns when it serves. Raises AssertionError with what it said if it does not."""
        environment = {**os.environ, "PORT": "0", **self.environment, "CASEWIRE_DATA": str(self.folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "run"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
        )  # fmt: skip
        said: queue.Queue[str | None] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, args=(self.process, said), daemon=True)
        self._listener.start()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                line = said.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise AssertionError(f"not serving within {START_SECONDS:.0f} s: {self.lines[-20:]}") from None
            if line is None:
                self._end(signal.SIGKILL, 10)
                raise AssertionError(f"it ended at its start: {self.lines[-20:]}")
            if line.startswith("api key: "):
                self.api_key = line.removeprefix("api key: ")
            if line.startswith("listening on "):
                self.url = line.removeprefix("listening on ")
                return self

    def _listen(self, process: subprocess.Popen[str], said: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        with process.stdout as told:
            for line in told:
                self.lines.append(line.rstrip("\n"))
                said.put(line.rstrip("\n"))
        said.put(None)

    @property
    def api(self) -> Api:
        """The API with the demonstration firm's key."""
        return self.api_with(self.api_key)

    def api_with(self, key: str) -> Api:
        """The API with another key. It is closed when the system ends."""
        if (self.url, key) not in self._apis:
            self._apis[self.url, key] = Api(self.url, key)
        return self._apis[self.url, key]

    def kill(self) -> None:
        """As `kill -9` does."""
        self._end(signal.SIGKILL, 10)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It does nothing for the length of the block, and then goes on where it was."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self, ending: signal.Signals = signal.SIGTERM, seconds: float = 30) -> float:
        """Ask it to end; the seconds that it took. Raises subprocess.TimeoutExpired if it does not."""
        return self._end(ending, seconds)

    def _end(self, ending: signal.Signals, seconds: float) -> float:
        assert self.process is not None
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(ending)
            self.process.wait(seconds)
        if self._listener is not None:
            self._listener.join(10)
        for api in self._apis.values():
            api.session.close()
        return time.monotonic() - began


@contextmanager
def embedded(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Embedded]:
    """A running embedded system that ends with the block."""
    system = Embedded(folder, environment)
    try:
        yield system.start()
    finally:
        if system.process is not None:
            system.kill()


def second_firm(system: Embedded, name: str = "Another firm") -> Api:
    """A second firm's API, made as an operator makes one."""
    told = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "firm", "create", name],
        env={**os.environ, "CASEWIRE_DATA": str(system.folder)}, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    key = next(line for line in told.stdout.splitlines() if line.startswith("api key: "))
    return system.api_with(key.removeprefix("api key: "))


def answer(api: Api, method: str, path: str, **kwargs: Any) -> requests.Response:
    """The raw answer to one request, whatever its status."""
    return api.session.request(method, api.base_url + path, timeout=60, **kwargs)


def eventually(condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Ask until it is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)
    return found
