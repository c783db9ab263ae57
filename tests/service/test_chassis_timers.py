"""Timers and their leases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from chassis import timers
from chassis.columns import new_id, utc_now
from chassis.database import Data, Database
from chassis.testing import eventually, make_database
from chassis.timers import every, release_lease, take_lease
from tests.service.sample import MakerBase

calls: list[str] = []


@pytest.fixture(autouse=True)
def no_calls() -> None:
    calls.clear()


class Hourly:
    """Runs at the start, and once more because the first run says that there is more; then after an hour, or woken."""

    name = "maker"
    db = Data(MakerBase)

    @every(3600, "hourly")
    def work(self) -> bool:
        calls.append("work")
        with self.db.across_firms("what is due, of all firms").read():
            return len(calls) == 1


class Failing:
    name = "maker"
    db = Data(MakerBase)

    @every(0.02, "failing")
    def work(self) -> None:
        calls.append("work")
        raise LookupError


def test_a_timer_runs_while_there_is_work_and_when_woken(embedded_bus: str, start: Callable[..., Any]) -> None:
    start(Hourly, bus=embedded_bus, DATABASE_URL=make_database(MakerBase).url)
    eventually(lambda: len(calls) == 2)
    timers.wake("hourly")
    eventually(lambda: len(calls) == 3)
    timers.wake("another")
    assert len(calls) == 3


def test_a_timer_that_fails_runs_again(embedded_bus: str, start: Callable[..., Any]) -> None:
    start(Failing, bus=embedded_bus, DATABASE_URL=make_database(MakerBase).url)
    eventually(lambda: len(calls) >= 3)


def test_a_timer_waits_while_another_replica_holds_the_lease(embedded_bus: str, start: Callable[..., Any]) -> None:
    db = make_database(MakerBase)
    other = new_id()
    assert take_lease(db, "hourly", other)
    runner = start(Hourly, bus=embedded_bus, DATABASE_URL=db.url)
    timers.wake("hourly")
    assert calls == []
    release_lease(db, "hourly", other)
    timers.wake("hourly")
    eventually(lambda: len(calls) == 2)
    assert not take_lease(db, "hourly", other)
    runner.stop()
    assert take_lease(db, "hourly", other)


def test_a_lease_has_one_holder_until_it_ends(new_database: Callable[[Any], Database]) -> None:
    db = new_database(MakerBase)
    now = utc_now()
    assert take_lease(db, "job", "first", seconds=10, now=now)
    assert not take_lease(db, "job", "second", seconds=10, now=now + dt.timedelta(seconds=9))
    assert take_lease(db, "job", "first", seconds=10, now=now + dt.timedelta(seconds=9))
    assert not take_lease(db, "job", "second", seconds=10, now=now + dt.timedelta(seconds=18))
    assert take_lease(db, "job", "second", seconds=10, now=now + dt.timedelta(seconds=20))
    release_lease(db, "job", "first")
    assert not take_lease(db, "job", "first", seconds=10, now=now + dt.timedelta(seconds=21))
    assert take_lease(db, "other job", "first", seconds=10, now=now)
