"""What a dispatcher makes ready ahead of its claims."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest

from services.messaging.dispatching import ahead
from services.messaging.dispatching.ahead import ReadyAhead
from services.messaging.dispatching.claims import DueSender, Ready, Reserved

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


class Queue:
    """Deliveries that wait, each reserved for as long as `lease` when it is made ready."""

    def __init__(self, waiting: int) -> None:
        self.waiting = list(range(waiting))
        self.asked: list[int] = []
        self.now = NOW
        self.at_once: set[Any] = set()
        self.most_at_once = 0
        self.lease = dt.timedelta(seconds=10)

    def make(self, sender: DueSender, limit: int) -> list[Ready]:
        self.asked.append(limit)
        self.at_once.add(eventlet.getcurrent())
        self.most_at_once = max(self.most_at_once, len(self.at_once))
        eventlet.sleep(0)
        self.at_once.remove(eventlet.getcurrent())
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return [self._ready(number) for number in taken]

    def _ready(self, number: int) -> Ready:
        reserved = Reserved(
            id=f"{number:04d}", kind="notification", channel="sms", batch_id=None, client_id=None, contact_id=None,
            case_task_id=None,
            case_id=None, address="+12125550123", content_id=None, language=None, variables=None, needs_opt_in=False,
            fallback=None, window_closes=None, attempts=0, joined_to=None, version=1,
            lease_until=self.now + self.lease,
        )  # fmt: skip
        return Ready(reserved, body="", stored="", subject=None, segments=1)


def a_sender(rate: float = 1000.0) -> DueSender:
    return DueSender(
        id="sender", firm_id="firm", channel="sms", address="+12125550100", provider="recording",
        messaging_service_sid=None, rate=rate, tokens=0.0, tokens_at=NOW, held_until=None,
    )  # fmt: skip


def ids(items: list[Ready]) -> list[str]:
    return [item.reserved.id for item in items]


@pytest.mark.parametrize("takers", [1, 8])
def test_each_delivery_is_given_out_once_and_none_is_forgotten(takers: int) -> None:
    queue = Queue(1000)
    stock = ReadyAhead(queue.make, lambda: queue.now)
    given: list[str] = []

    def take() -> None:
        for _ in range(20):
            given.extend(ids(stock.take(a_sender(), 100)))
            eventlet.sleep(0)

    for thread in [eventlet.spawn(take) for _ in range(takers)]:
        thread.wait()
    assert sorted(given) == [f"{number:04d}" for number in range(1000)]
    assert queue.most_at_once == 1


def test_no_more_is_made_ready_than_a_second_of_the_rate() -> None:
    queue = Queue(100)
    stock = ReadyAhead(queue.make, lambda: queue.now)
    assert len(stock.take(a_sender(rate=12.0), 3)) == 3
    assert queue.asked == [12]
    assert len(queue.waiting) == 88


def test_what_is_given_back_comes_first() -> None:
    queue = Queue(100)
    stock = ReadyAhead(queue.make, lambda: queue.now)
    taken = stock.take(a_sender(rate=8.0), 8)
    stock.give_back(a_sender(), taken[5:])
    assert [sender.id for sender in stock.senders()] == ["sender"]
    assert ids(stock.take(a_sender(), 2)) == ["0005", "0006"]


def test_what_was_ready_too_long_is_left_to_others() -> None:
    queue = Queue(10)
    stock = ReadyAhead(queue.make, lambda: queue.now)
    assert len(stock.take(a_sender(rate=10.0), 4)) == 4
    queue.now += queue.lease - ahead.LEASE_LEFT
    assert stock.take(a_sender(rate=10.0), 4) == []


def test_an_error_gives_nothing_and_the_next_try_works(caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue(10)
    broken = [True]

    def make(sender: DueSender, limit: int) -> list[Ready]:
        if broken.pop() if broken else False:
            raise OSError("the database is away")
        return queue.make(sender, limit)

    stock = ReadyAhead(make, lambda: queue.now)
    assert stock.take(a_sender(), 4) == []
    assert len(stock.take(a_sender(), 4)) == 4
