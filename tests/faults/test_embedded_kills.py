"""Fault rows 1, 2, 3 and 13 in quick forms on the embedded default: the process killed and stopped while it sends."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.faults.office import Office
from tests.systems import Embedded, embedded, eventually

CLIENTS = 160
RATE = 40.0
POINTS = (
    "after_chunk",
    "after_prepare_reserve",
    "after_reserve",
    "after_claim:2",
    "after_provider:5",
    "after_publish:20",
    "before_ack:3",
    "after_commit:30",
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with clients, cases and tasks, on which nobody was asked yet."""
    folder = tmp_path_factory.mktemp("prepared") / "data"
    with embedded(folder) as system:
        numbers = Office(system.api, folder).open(CLIENTS, rate=RATE)
        system.stop()
    return folder, numbers


@pytest.fixture
def system(prepared: tuple[Path, list[str]], tmp_path: Path) -> Iterator[Embedded]:
    """A system on a copy of the prepared folder."""
    folder = tmp_path / "data"
    shutil.copytree(prepared[0], folder)
    with embedded(folder) as running:
        yield running


def office(system: Embedded) -> Office:
    return Office(system.api, system.folder)


def wait_for_death(system: Embedded, seconds: float = 40) -> None:
    assert system.process is not None
    assert system.process.wait(seconds) == -signal.SIGKILL


def test_killed_at_named_points_nothing_is_lost_or_sent_twice(
    system: Embedded, prepared: tuple[Path, list[str]]
) -> None:
    system.stop()
    batch_id = ""
    for point in POINTS:
        system.environment["CASEWIRE_CRASH_AT"] = point
        try:
            system.start()
        except AssertionError:
            continue  # it died at this point before it served: as good a place as any
        if not batch_id:
            system.api.session.mount("http://", HTTPAdapter(max_retries=0))
            with contextlib.suppress(requests.ConnectionError):
                # The same key every time: an answer that the kill swallowed is given again; nobody is asked twice.
                batch_id = office(system).ask_all()
        wait_for_death(system)
    del system.environment["CASEWIRE_CRASH_AT"]
    system.start()
    again = office(system).ask_all()
    assert batch_id in ("", again)
    batch_id = again
    office(system).finished(batch_id)
    office(system).demand_all_once(batch_id, prepared[1])


def test_killed_at_random_nothing_is_lost_or_sent_twice(system: Embedded, prepared: tuple[Path, list[str]]) -> None:
    batch_id = office(system).ask_all()
    for _ in range(3):
        time.sleep(random.uniform(0.1, 0.8))  # the moment of the kill: waiting for a state would leave most moments out
        system.kill()
        began = time.monotonic()
        system.start()
        assert time.monotonic() - began < 15, "ready again"
    office(system).finished(batch_id)
    office(system).demand_all_once(batch_id, prepared[1])


def test_ended_in_the_middle_of_its_work_it_does_none_of_it_again(
    system: Embedded, prepared: tuple[Path, list[str]]
) -> None:
    batch_id = office(system).ask_all()
    for goal in (20, 60):
        office(system).sent_at_least(goal, batch_id)
        assert system.stop(signal.SIGTERM) < 30
        assert system.process is not None
        assert system.process.returncode == 0
        system.start()
    office(system).finished(batch_id)
    office(system).demand_all_once(batch_id, prepared[1])
    assert {row["attempts"] for row in office(system).rows(batch_id)} == {1}, "what was begun had been finished"


def test_no_call_begins_after_a_stop_was_committed(system: Embedded, prepared: tuple[Path, list[str]]) -> None:
    numbers = prepared[1]
    batch_id = office(system).ask_all()
    office(system).sent_at_least(5, batch_id)
    stopped = {number: office(system).stop(number) for number in random.sample(numbers, 20)}
    office(system).finished(batch_id)
    reached = office(system).demand_none_after(stopped, office(system).texts())
    rows = office(system).rows(batch_id)
    suppressed = [row for row in rows if row["state"] == "suppressed"]
    assert {row["reason"] for row in suppressed} == {"opted_out"}
    assert {row["address"] for row in suppressed} == set(numbers) - reached
    assert len(reached) + len(suppressed) == len(numbers)
    confirmed = eventually(
        lambda: [one for one in office(system).api.every("/sandbox/messages") if "opted out" in one["body"]],
        "the confirmations",
    )
    assert {message["to"] for message in confirmed} <= set(stopped)
