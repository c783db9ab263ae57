"""Rows 1 to 3: processes killed at random, killed at named points, and asked to end in the middle of their work."""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence

import psutil

from tests.faults.deployments import COMES_WITHIN, Crasher, Deployment, Distributed, Single
from tests.faults.figures import Figure, at_least, below, exactly
from tests.faults.work import Batch, Firm, Load, patiently
from tests.systems import eventually

READY_WITHIN = 15.0
ENDED_WITHIN = 30.0
POINTS = (
    ("tasks", "after_commit:2"),
    ("messaging", "after_publish:2"),
    ("tasks", "before_ack:2"),
    ("dispatcher", "after_claim:2"),
    ("dispatcher", "after_provider:10"),
)
"""Which process dies where, at which passing of the point."""
IN_THE_WAY = "dispatcher"
"""The service whose ordinary processes leave little to one beside them that keeps dying."""
CARRIERS = ("dispatcher-1", "messaging", "tasks", "dispatcher-2")
"""The processes that carry a batch, and so are the first to be killed."""

MORE_POINTS = (
    ("messaging", "after_chunk"),
    ("dispatcher", "after_prepare_reserve"),
    ("dispatcher", "after_reserve"),
)

Say = Callable[[str], None]


class Stream:
    """Requests that follow one another, so that there is work as long as faults are to be made."""

    def __init__(self, firm: Firm, load: Load) -> None:
        self._firm, self._load = firm, load
        self._changes = itertools.count()
        self._looked_at = 0.0
        firm.rate(load.rate)
        self.batches: list[Batch] = [firm.ask(load.messages)]

    def feed(self) -> None:
        """Asks again when nothing is left to take, and changes a client: a commit, an event, and its effects."""
        if time.monotonic() - self._looked_at < 1:
            return
        self._looked_at = time.monotonic()
        number = next(self._changes)
        with contextlib.suppress(Exception):
            clients = self._firm.deployment.api.get("/v1/clients", limit=1)["data"]
            self._firm.deployment.api.patch(f"/v1/clients/{clients[0]['id']}", {"tags": [f"change {number}"]})
        # One process that has died leaves nobody to take the rest meanwhile; of several, the others do.
        alone = isinstance(self._firm.deployment, Single)
        if (self._firm.untaken if alone else self._firm.waiting)(*self.batches) <= 0:
            self.batches.append(self._firm.ask(self._load.messages))


class Feeding:
    """Feeds a stream beside what is done to processes: a request that a death cuts off is made again, under the same
    key, to the process that follows."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._thread = threading.Thread(target=stream.feed)
        self._thread.start()

    def feed(self) -> None:
        """Feeds it once more, unless the last time still lasts."""
        if not self._thread.is_alive():
            self._thread = threading.Thread(target=self._stream.feed)
            self._thread.start()

    def finish(self) -> None:
        """Waits for the last request; the process serves again."""
        self._thread.join()


def kill_at_random(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """Row 1."""
    deployment = firm.deployment
    stream = Stream(firm, load)
    slowest = 0.0
    for number in range(load.faults):
        time.sleep(random.uniform(0.2, 1.5))  # the moment of the kill: waiting for a state would leave most out
        slowest = max(slowest, _kill_one(deployment, number))
        stream.feed()
    say(f"{load.faults} kills, ready again after {slowest:.1f} s at most")
    deployment.wait_ready()
    firm.settled(*stream.batches)
    return [below("ready again, s", slowest, READY_WITHIN * load.slack), *firm.account(*stream.batches)]


def kill_service(deployment: Deployment, name: str) -> float:
    """Kills a process by its name, or the one that there is; the seconds until it is ready again."""
    if isinstance(deployment, Single):
        deployment.system.kill()
        began = time.monotonic()
        deployment.system.start()
        return time.monotonic() - began
    assert isinstance(deployment, Distributed)
    old = deployment.pid(name)
    deployment.send_signal(name, signal.SIGKILL)
    return deployment.wait_started(name, old)


def _kill_one(deployment: Deployment, number: int) -> float:
    """Kills a process; the seconds until it is ready again."""
    if not isinstance(deployment, Distributed):
        return kill_service(deployment, "")
    # Each in turn, and between them those that carry the batch.
    name = random.choice(CARRIERS) if number % 2 else _in_turn(deployment, number // 2)
    return kill_service(deployment, name)


def _in_turn(deployment: Distributed, number: int) -> str:
    names = sorted(deployment.state()["services"], key=lambda name: (name not in CARRIERS, name))
    return names[number % len(names)]


def kill_at_points(firm: Firm, load: Load, say: Say, points: Sequence[tuple[str, str]] = POINTS) -> list[Figure]:
    """Row 2: `load.faults` deaths at each point."""
    stream = Stream(firm, load)
    if isinstance(firm.deployment, Distributed):
        deaths = _crash_beside(firm.deployment, stream, points, load.faults, say)
    else:
        assert isinstance(firm.deployment, Single)
        deaths = _crash_in_place(firm.deployment, stream, points, load.faults, say)
    firm.deployment.wait_ready()
    firm.settled(*stream.batches)
    figures = [at_least(f"deaths {point.partition(':')[0]}", count, load.faults) for point, count in deaths.items()]
    return [*figures, *firm.account(*stream.batches)]


def _crash_beside(
    deployment: Distributed, stream: Stream, points: Sequence[tuple[str, str]], wanted: int, say: Say
) -> dict[str, int]:
    """More processes beside those that serve, which die and are started again until they have died often enough.

    Beside an ordinary dispatcher, one that has just been started has little to do: the work is reserved and the rate
    spent before it looks. So these are asked to end, and give back what they have, until the others have died often
    enough.
    """
    crashers = [Crasher(deployment, service, point, wanted) for service, point in points]
    feeding = Feeding(stream)
    try:
        told = 0
        while sum(crasher.tend() for crasher in crashers) < len(crashers):
            if any(crasher.service == IN_THE_WAY and crasher.deaths < wanted for crasher in crashers):
                deployment.ask_to_end(IN_THE_WAY)
            feeding.feed()
            time.sleep(0.1)
            died = sum(crasher.deaths for crasher in crashers)
            if died >= told + 25:
                told = died
                say(", ".join(f"{crasher.point} {crasher.deaths}" for crasher in crashers))
    finally:
        for crasher in crashers:
            crasher.close()
    feeding.finish()
    return {crasher.point: crasher.deaths for crasher in crashers}


def _crash_in_place(
    deployment: Single, stream: Stream, points: Sequence[tuple[str, str]], wanted: int, say: Say
) -> dict[str, int]:
    """The one process, which dies at one point after the other."""
    deaths = dict.fromkeys((point for _, point in points), 0)
    system = deployment.system
    feeding = Feeding(stream)
    for number in itertools.count():
        point = min(deaths, key=lambda name: deaths[name])
        if deaths[point] >= wanted:
            break
        system.stop()
        system.environment["CASEWIRE_CRASH_AT"] = point
        try:
            system.start()
        except AssertionError:
            deaths[point] += 1  # it died at this point before it served: as good a place as any
            continue
        assert system.process is not None
        give_up = time.monotonic() + COMES_WITHIN
        while system.process.poll() is None and time.monotonic() < give_up:
            feeding.feed()
            time.sleep(0.05)
        assert system.process.poll() == -signal.SIGKILL, f"it never came to {point}"
        deaths[point] += 1
        if number % 25 == 24:
            say(", ".join(f"{name} {count}" for name, count in deaths.items()))
    del system.environment["CASEWIRE_CRASH_AT"]
    system.stop()
    system.start()
    feeding.finish()
    return deaths


def end_in_the_middle(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """Row 3."""
    deployment = firm.deployment
    stream = Stream(firm, load)
    slowest, repeated, before = 0.0, 0, deployment.repeated()
    firm.sent_at_least(1, *stream.batches)
    for number in range(load.faults):
        # What a process has counted goes with it.
        repeated += deployment.repeated() - before
        took = _end_one(deployment, number)
        before = deployment.repeated()
        slowest = max(slowest, took)
        stream.feed()
        time.sleep(random.uniform(0.2, 1.0))  # some work between two ends
    say(f"{load.faults} ends, the longest took {slowest:.1f} s")
    deployment.wait_ready()
    firm.settled(*stream.batches)
    figures = firm.account(*stream.batches)
    repeated += deployment.repeated() - before
    again = sum(row.attempts > 1 for row in firm.deliveries(*stream.batches).values())
    return [
        below("ended, s", slowest, ENDED_WITHIN * load.slack),
        exactly("finished events redelivered", repeated, 0),
        exactly("messages begun again", again, 0),
        *figures,
    ]


def _end_one(deployment: Deployment, number: int) -> float:
    """Asks a process to end; the seconds that it took. Returns when its successor is ready."""
    if isinstance(deployment, Single):
        took = deployment.system.stop()
        deployment.system.start()
        return took
    assert isinstance(deployment, Distributed)
    name = _in_turn(deployment, number)
    old = deployment.pid(name)
    process = psutil.Process(old)
    began = time.monotonic()
    process.terminate()
    with contextlib.suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
        # The supervisor is its parent: it is gone when that has noticed.
        eventually(lambda: not process.is_running() or process.status() == "zombie", f"{name} ended", 40)
    took = time.monotonic() - began
    deployment.wait_started(name, old)
    patiently(lambda: deployment.api.get("/v1/firm"))
    return took
