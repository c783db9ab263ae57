"""How many deliveries are handled together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import eventlet
import pytest

from chassis import event_consumer
from chassis.event_consumer import BURST, EventDesk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> EventDesk:
    """For batches of up to twice a burst. Who waits for a burst's end waits until the test has failed."""
    monkeypatch.setattr(event_consumer, "LINGER_IN_A_BURST", 20.0)
    subscription = SimpleNamespace(batch=2 * BURST, queue_consumer=None, container=None)
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
