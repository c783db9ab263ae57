"""Row 19: whoever takes in a file of cases, with their clients, is killed; and so is who takes the import back."""

from __future__ import annotations

import csv
import io
import random
import time
from collections.abc import Callable
from typing import Any

from tests.faults.figures import Figure, at_least, below, exactly
from tests.faults.processes import READY_WITHIN, kill_service
from tests.faults.work import EMPTY_WITHIN, Firm, Load, patiently
from tests.systems import eventually

KILLED = ("cases", "clients")
"""The processes that carry an import of cases, by turns."""
MOMENT = 0.15
"""Seconds after a part of the rows was seen to be done in which the kill comes."""
ARCHIVED = "archived_at IS NOT NULL"

Say = Callable[[str], None]


def kill_while_importing(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """A file of `load.messages` cases, each with a client that it makes, and one more row that fails. `load.faults`
    kills, half of them while it is taken back."""
    mark = f"Lee{random.getrandbits(40):x}"
    path = _begin(firm, mark, load.messages)
    killing = _Killing(firm, path, load.messages)
    killing.kill(load.faults - load.faults // 2)
    found = killing.ended("finished")
    counts = {name: found["counts"][name] for name in ("created", "failed")} | {"clients": found["clients_created"]}
    firm.deployment.outbox_empty()
    lost = firm.deployment.events_lost(240)
    taken_in = _account(firm, mark, load.messages)
    patiently(lambda: firm.deployment.api.post(f"{path}/undo", key=f"undo {mark}"))
    killing.kill(load.faults // 2)
    undone = killing.ended("undone")["undo"]["counts"]
    emptied = firm.deployment.outbox_empty()
    lost += firm.deployment.events_lost(240)
    say(
        f"{load.faults} kills, {killing.in_work} of them in mid-work; ready again after {killing.slowest:.1f} s at most"
    )
    return [
        exactly("counted otherwise", sum(
            abs(counts[name] - wanted)
            for name, wanted in (("created", load.messages), ("failed", 1), ("clients", load.messages))), 0),
        *taken_in,
        exactly("taken back otherwise", abs(undone["removed"] - load.messages) + undone["conflicts"], 0),
        exactly("cases left", _count(firm, "cases", "cases", "name", mark)[0], 0),
        exactly("clients left", _count(firm, "clients", "client", "last_name", mark)[0], 0),
        at_least("kills in mid-work", killing.in_work, 1 if load.slack == 1.0 else 0),
        exactly("events lost", lost, 0),
        exactly("parked", firm.deployment.parked(), 0),
        below("ready again, s", killing.slowest, READY_WITHIN * load.slack),
        below("outbox empty, s", emptied, EMPTY_WITHIN),
    ]  # fmt: skip


class _Killing:
    """Kills at parts of the work of an import, and counts."""

    def __init__(self, firm: Firm, path: str, total: int) -> None:
        self._firm, self._path, self._total = firm, path, total
        self.in_work, self.slowest = 0, 0.0

    def kill(self, times: int) -> None:
        """So many times, when equal parts of it are done."""
        for number in range(times):
            self._wait_for(self._total * (number + 1) // (times + 2))
            time.sleep(random.uniform(0.0, MOMENT))  # the moment of the kill, within a chunk or between two
            self.in_work += self._look()["state"] in ("running", "undoing")
            self.slowest = max(self.slowest, kill_service(self._firm.deployment, KILLED[number % len(KILLED)]))
        self._firm.deployment.wait_ready()

    def ended(self, state: str) -> Any:
        """The import, when it is in this state."""
        eventually(lambda: self._look()["state"] == state, f"the import {state}", 300)
        return self._look()

    def _wait_for(self, part: int) -> None:
        eventually(lambda: self._look()["progress"]["done"] >= part, "a part of the rows", 240)

    def _look(self) -> Any:
        return patiently(lambda: self._firm.deployment.api.get(self._path))


def _begin(firm: Firm, mark: str, count: int) -> str:
    """Uploads the file, and starts its import; the import's address. Every second client is told by a name alone: a
    second copy of one would be seen."""
    api = firm.deployment.api
    patiently(lambda: api.post("/v1/case-types", {"name": mark, "statuses": [{"name": "New"}]}, key=f"type {mark}"))
    rows = [
        [f"{mark} {number}", f"Ann{number} {mark}", f"{mark}{number}@example.com" if number % 2 else "", mark]
        for number in range(count)
    ]
    content = io.StringIO()
    csv.writer(content).writerows([["Name", "Client", "Email", "Type"], *rows, ["", f"Nobody {mark}", "", mark]])
    files = {"file": ("cases.csv", content.getvalue().encode())}
    path = f"/v1/imports/{api.post('/v1/imports', files=files, data={'target': 'cases'})['id']}"
    api.post(f"{path}/preview", {})
    api.post(f"{path}/run")
    return path


def _account(firm: Firm, mark: str, count: int) -> list[Figure]:
    """Each case and each client once, and each client on its case."""
    links = (
        "SELECT count(*), count(DISTINCT client_id), count(DISTINCT case_id) FROM case_client "
        "WHERE case_id IN (SELECT id FROM cases WHERE name LIKE :mark)"
    )
    of_cases = firm.deployment.ask("cases", links, mark=f"{mark} %")[0]
    figures = []
    for what, found in (
        ("cases", _count(firm, "cases", "cases", "name", mark)),
        ("clients", _count(firm, "clients", "client", "last_name", mark, "first_name")),
    ):
        figures += [exactly(f"{what} missing", count - found[1], 0), exactly(f"{what} twice", found[0] - found[1], 0)]
    return [*figures, exactly("clients on cases otherwise", sum(abs(count - number) for number in of_cases), 0)]


def _count(firm: Firm, service: str, table: str, column: str, mark: str, apart: str | None = None) -> tuple[int, int]:
    """How many there are that are not archived, and how many different ones."""
    asked = (
        f"SELECT count(*), count(DISTINCT {apart or column}) FROM {table} "
        f"WHERE {column} LIKE :mark AND NOT ({ARCHIVED})"
    )
    total, different = firm.deployment.ask(service, asked, mark=f"{mark}%")[0]
    return int(total), int(different)
