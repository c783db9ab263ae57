"""Slots for calls: when a claim is worth it."""

from __future__ import annotations

import eventlet
import pytest
from eventlet.event import Event

from services.messaging.dispatching import slots as slots_module
from services.messaging.dispatching.slots import Slots


@pytest.fixture
def release() -> Event:
    return Event()


def busy(slots: Slots, count: int, until: Event) -> None:
    for _ in range(count):
        slots.call(until.wait)
    eventlet.sleep(0)


def test_a_promised_slot_is_not_free() -> None:
    slots = Slots(4)
    with slots.promised(3):
        assert slots.free() == 1
    assert slots.free() == 4


def test_half_of_few_slots_are_worth_a_claim_at_once(release: Event) -> None:
    slots = Slots(4)
    busy(slots, 2, release)
    assert slots.worth_claiming()
    busy(slots, 1, release)
    assert not slots.worth_claiming()


def test_fewer_are_worth_it_when_no_more_have_ended_for_a_while(
    release: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = Slots(4)
    busy(slots, 3, release)
    assert not slots.worth_claiming()
    monkeypatch.setattr(slots_module, "GATHER", 0.0)
    assert slots.worth_claiming()


def test_none_are_never_worth_it(release: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "GATHER", 0.0)
    slots = Slots(2)
    busy(slots, 2, release)
    assert not slots.worth_claiming()
    assert not slots.worth_claiming()


def test_gathering_ends_when_enough_calls_have_ended(release: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "GATHER", 60.0)
    slots = Slots(2)
    busy(slots, 2, release)
    waiting = eventlet.spawn(slots.gather)
    eventlet.sleep(0)
    assert not waiting.dead
    release.send(None)
    with eventlet.Timeout(5):
        waiting.wait()
    assert slots.free() == 2


def test_a_call_that_fails_gives_its_slot_back() -> None:
    slots = Slots(1)

    def fail() -> None:
        raise ValueError

    slots.call(fail)
    slots.wait_all()
    assert slots.free() == 1


def test_fewer_are_claimed_together_where_the_last_of_them_came_too_late_and_more_again_by_and_by() -> None:
    slots = Slots(128)
    for _ in range(8):  # each of those that were too late
        slots.too_many(64)
    assert slots.at_once == 32
    slots.too_many(1)
    assert slots.at_once == 32
    slots.try_more(31)
    assert slots.at_once == 32
    slots.try_more(32)
    assert slots.at_once == 41
    for _ in range(5):
        slots.try_more(slots.at_once)
    assert slots.at_once == 64


def test_a_call_that_was_late_alone_begins_at_its_place_the_next_time() -> None:
    slots = Slots(128)
    assert not slots.begins_here()
    slots.too_many(1)
    assert slots.begins_here()
    assert not slots.begins_here()
    slots.too_many(2)
    assert slots.begins_here()
    slots.try_more(1)
    assert not slots.begins_here()
