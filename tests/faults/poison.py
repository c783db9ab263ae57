"""Row 10: five kinds of poison among events that are as they should be."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select

from chassis import dead_letters, outbox
from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.scoping import UNGUARDED
from chassis.testing import make_database
from deploy.postgres import private_postgres
from deploy.processes import end
from deploy.rabbitmq import private_rabbitmq
from tests.faults.deployments import Distributed
from tests.faults.figures import Figure, exactly
from tests.faults.work import Load
from tests.running_servers import OwnedDatabases, RunningPostgres, RunningRabbitMQ
from tests.service.sample import THING_MADE, MakerBase, Noted, TakerBase
from tests.systems import eventually

KINDS = ("json", "schema", "refused", "exception", "death")
FIRM = new_id()
QUICK_RETRIES = [0.1, 0.2, 0.3]
"""Seconds between attempts in the row's quick forms."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Bus:
    """Where the two services run. The databases hold their tables."""

    uri: str
    maker: str
    taker: str


def poison(bus: Bus, load: Load, say: Say, retries: list[float] | None = None) -> list[Figure]:
    """`load.faults` events of each kind among `load.messages` sound ones; then a replay by a release that digests
    them."""
    maker = Database(bus.maker, MakerBase, firm_id=FIRM)
    taker = Database(bus.taker, TakerBase, firm_id=FIRM)
    poisoned = load.faults * len(KINDS)
    _make(maker, load)
    with _Keeper(bus, fixed=False, retries=retries) as keeper:
        seconds = 600 if retries is None else 300

        def digested() -> bool:
            keeper.tend()
            return _noted(taker) + len(_parked(taker)) >= load.messages + poisoned and not _unpublished(maker)

        eventually(digested, "all applied or parked", seconds)
        reasons = Counter(row.reason.partition("\n")[0].partition(":")[0] for row in _parked(taker))
        say(f"{_noted(taker):,} applied, {len(_parked(taker))} parked, {keeper.deaths} deaths; {dict(reasons)}")
        applied, parked = _noted(taker), len(_parked(taker))
    with _Keeper(bus, fixed=True, retries=retries) as keeper:
        keeper.tend()
        replayed = dead_letters.replay(taker, [row.id for row in _parked(taker)], "the fault matrix")
        eventually(lambda: keeper.tend() or len(_parked(taker, dead_letters.REPLAYED)) >= replayed, "all replayed", 120)
        say(f"{replayed} replayed, {_noted(taker):,} applied")
    return [
        exactly("applied", applied, load.messages),
        exactly("parked", parked, poisoned),
        exactly("applied after the replay", _noted(taker), load.messages + poisoned),
        exactly("applied twice", _noted(taker) - _noted(taker, distinct=True), 0),
        exactly("parked after the replay", len(_parked(taker)), 0),
    ]


def _make(maker: Database, load: Load) -> None:
    """Writes the events into the outbox, shuffled; poison as a faulty release would have written it."""
    numbers = list(range(load.messages + load.faults * len(KINDS)))
    random.shuffle(numbers)
    kinds = [kind for kind in KINDS for _ in range(load.faults)] + [""] * load.messages
    payloads = [_payload(number, kind) for number, kind in zip(numbers, kinds, strict=True)]
    random.shuffle(payloads)
    rows = [
        {
            "id": new_id(), "firm_id": FIRM, "aggregate_id": new_id(), "event": THING_MADE.name, "payload": payload,
            "created_at": utc_now(), "attempts": 0, "correlation_id": None, "aggregate_version": None,
        }
        for payload in payloads
    ]  # fmt: skip
    with maker.unit_of_work() as uow:
        for start in range(0, len(rows), 500):
            uow.session.execute(maker.tables.outbox.insert(), rows[start : start + 500], execution_options=UNGUARDED)


def _payload(number: int, kind: str) -> str:
    if kind == "json":
        return f'{{"number": {number}, "note": "json",}}'
    return json.dumps({"number": f"no. {number}" if kind == "schema" else number, "note": kind})


def _noted(taker: Database, distinct: bool = False) -> int:
    counted = func.count(Noted.number.distinct()) if distinct else func.count()
    with taker.read() as session:
        return int(session.execute(select(counted).select_from(Noted)).scalar_one())


def _parked(taker: Database, state: str = dead_letters.PARKED) -> list[Any]:
    return list(dead_letters.list_parked(taker, state=state, limit=10_000))


def _unpublished(maker: Database) -> int:
    with maker.across_firms("the outbox is the relay's").read() as session:
        return outbox.waiting(session, maker.tables.outbox)


class _Keeper:
    """Keeps the process running, as a supervisor does, and counts its deaths."""

    def __init__(self, bus: Bus, *, fixed: bool, retries: list[float] | None) -> None:
        settings = {"bus": bus.uri, "maker": bus.maker, "taker": bus.taker, "fixed": fixed, "retries": retries}
        self._arguments = [sys.executable, "-m", "tests.faults.poisoned", json.dumps(settings)]
        self._process: subprocess.Popen[bytes] | None = None
        self.deaths = 0

    def tend(self) -> None:
        """Starts it where it does not run. AssertionError if it ended in another way than by a kill."""
        if self._process is not None and (status := self._process.poll()) is not None:
            assert status == -signal.SIGKILL, f"it ended with status {status}"
            self.deaths += 1
            self._process = None
        if self._process is None:
            self._process = subprocess.Popen(self._arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> _Keeper:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process is not None:
            end(self._process, 20)


@contextmanager
def bus_of(backend: str) -> Iterator[Bus]:
    """RabbitMQ and PostgreSQL, or the embedded bus and files, for as long as the block lasts."""
    with ExitStack() as stack:
        if backend == "distributed":
            databases = OwnedDatabases(stack.enter_context(private_postgres(durable=True)))
            uri = stack.enter_context(private_rabbitmq()).create_vhost("poison")
            yield _bus(uri, databases.create_database("maker"), databases.create_database("taker"))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="casewire-faults-"))
            yield _bus("embedded://", f"sqlite:///{folder}/maker.db", f"sqlite:///{folder}/taker.db")


def bus_beside(deployment: Distributed) -> Bus:
    """On the servers of a deployment that runs, which end with it."""
    databases = OwnedDatabases(RunningPostgres(deployment.superuser_url))
    port = urlsplit(deployment.amqp_uri).port
    uri = RunningRabbitMQ(f"{deployment.state()['management']}?amqp={port}").create_vhost("poison")
    return _bus(uri, databases.create_database("poison_maker"), databases.create_database("poison_taker"))


def _bus(uri: str, maker: str, taker: str) -> Bus:
    made = [make_database(base, url) for base, url in ((MakerBase, maker), (TakerBase, taker))]
    for database in made:
        database.engines.dispose()
    return Bus(uri, *(database.url for database in made))


def poison_on(backend: str, load: Load, say: Say) -> list[Figure]:
    """Row 10 with the delays of production."""
    with bus_of(backend) as bus:
        began = time.monotonic()
        figures = poison(bus, load, say)
        return [*figures, Figure("s in all", round(time.monotonic() - began, 1))]
