"""Clients of the API that keep asking while something is broken, and how long they wait for an answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from deploy.demo.api import Api


@dataclass
class Probe:
    """`slowest`: the longest that an answer took, of requests that were made since `begin`."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_path: str = ""
    created: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def note(self, path: str, status: int, seconds: float) -> None:
        """Counts one answer; status 0 is none."""
        with self._lock:
            self.statuses[status] += 1
            if seconds > self.slowest:
                self.slowest, self.slowest_path = seconds, path

    def answers(self, *statuses: int) -> int:
        """How many answers had one of these statuses."""
        return sum(self.statuses[status] for status in statuses)


@contextmanager
def asking(api: Api, ask: Callable[[Probe, requests.Session], None], threads: int = 4) -> Iterator[Probe]:
    """Calls `ask` again and again in some threads, as long as the block lasts."""
    probe = Probe()

    def work() -> None:
        with requests.Session() as session:
            session.headers.update(api.session.headers)
            while not probe._stopping.is_set():
                ask(probe, session)
                time.sleep(0.02)

    running = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield probe
    finally:
        probe._stopping.set()
        for thread in running:
            thread.join(60)


def reading(api: Api, paths: tuple[str, ...]) -> Callable[[Probe, requests.Session], None]:
    """Reads these paths by turns."""

    def ask(probe: Probe, session: requests.Session) -> None:
        for path in paths:
            began = time.monotonic()
            try:
                status = session.get(api.base_url + path, timeout=60).status_code
            except requests.RequestException:
                status = 0
            probe.note(path, status, time.monotonic() - began)

    return ask


def writing(api: Api) -> Callable[[Probe, requests.Session], None]:
    """Creates clients, and keeps the ids of those that a 2xx answered."""

    def ask(probe: Probe, session: requests.Session) -> None:
        began = time.monotonic()
        body = {"first_name": "Ann", "last_name": f"Durable{time.monotonic_ns()}"}
        try:
            answer = session.post(api.base_url + "/v1/clients", json=body, timeout=60)
        except requests.RequestException:
            probe.note("/v1/clients", 0, time.monotonic() - began)
            return
        probe.note("/v1/clients", answer.status_code, time.monotonic() - began)
        if answer.ok:
            probe.created.append(answer.json()["id"])

    return ask
