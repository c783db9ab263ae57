"""How many deliveries are handled together."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import eventlet
import pytest
from eventlet.event import Event

from chassis import event_consumer
from chassis.event_consumer import BURST, EventDesk


class Consumer:
    """Whose messages they are."""

    embedded = False

    def __init__(self) -> None:
        self.forgotten: list[int] = []

    def holds(self, message: int) -> bool:
        return message not in self.forgotten

    def forget(self, messages: Iterable[int]) -> None:
        self.forgotten += messages


class Handling:
    """Handles batches as soon as it may."""

    def __init__(self) -> None:
        self.handled: list[int] = []
        self.may = Event()

    def handle(self, messages: list[int]) -> None:
        self.may.wait()
        self.handled += messages


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> EventDesk:
    """For batches of up to twice a burst. Who waits for a burst's end waits until the test has failed."""
    monkeypatch.setattr(event_consumer, "LINGER_IN_A_BURST", 20.0)
    subscription = SimpleNamespace(batch=2 * BURST, queue_consumer=Consumer(), container=None)
    return EventDesk(cast(Any, subscription))


def test_what_comes_in_the_middle_of_a_burst_is_taken_with_it(desk: EventDesk) -> None:
    for number in range(BURST):
        desk.put(number)
    taking = eventlet.spawn(desk.take)
    eventlet.sleep(3 * event_consumer.LINGER_SECONDS)  # as long as a few would never have waited
    for number in range(BURST, 2 * BURST):
        desk.put(number)
    with eventlet.Timeout(10):
        assert taking.wait() == list(range(2 * BURST))


def test_a_few_wait_for_nothing(desk: EventDesk) -> None:
    desk.put("the only one")
    with eventlet.Timeout(10):
        assert desk.take() == ["the only one"]


def test_what_waits_for_more_when_the_work_ends_is_not_begun(desk: EventDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_consumer.Delivery, "of", lambda message, subscription: message)
    monkeypatch.setattr(event_consumer, "LINGER_IN_A_BURST", 0.1)
    handling, consumer = Handling(), cast(Any, desk.consumer)
    desk.handling = cast(Any, handling)
    workers = [eventlet.spawn(desk.run) for _ in range(2)]
    for number in range(3 * BURST):
        desk.put(number)
    eventlet.sleep(0)  # one has a full batch in hand, the other waits for more
    stopping = eventlet.spawn(desk.stop)
    eventlet.sleep(0.3)  # longer than it waits
    handling.may.send(None)
    with eventlet.Timeout(10):
        stopping.wait()
        for worker in workers:
            worker.wait()
    assert handling.handled == list(range(2 * BURST))
    assert consumer.forgotten == list(range(2 * BURST, 3 * BURST))


def test_on_a_bus_of_one_process_what_waits_is_worked_off_first(
    desk: EventDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_consumer.Delivery, "of", lambda message, subscription: message)
    monkeypatch.setattr(event_consumer, "LINGER_IN_A_BURST", 0.1)
    handling, consumer = Handling(), cast(Any, desk.consumer)
    desk.handling, consumer.embedded = cast(Any, handling), True
    worker = eventlet.spawn(desk.run)
    for number in range(3 * BURST):
        desk.put(number)
    handling.may.send(None)
    with eventlet.Timeout(10):
        desk.stop()
        worker.wait()
    assert handling.handled == list(range(3 * BURST))
    assert consumer.forgotten == []
