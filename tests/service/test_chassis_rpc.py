"""Calls between services: typed values and errors, deadlines, contexts, idempotency, on both ways to run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import eventlet
import eventlet.patcher
import pytest
from nameko.runners import ServiceRunner

from chassis.bus_line import PATIENCE, BusLine
from chassis.call_consumer import CallConsumer
from chassis.columns import new_id
from chassis.context import Context, use
from chassis.rpc import RemoteFault
from chassis.testing import eventually, make_database
from contracts.accounts import MOST_CASE_TYPES
from contracts.errors import Conflict, DeadlineExceeded, Forbidden, Invalid, NotFound, Unavailable
from tests.service.pet_shop import BORN, Base, Customer, Pets, Shop

FIRM = new_id()
Start = Callable[..., ServiceRunner]


def calls_of(runner: ServiceRunner, attribute: str = "calls") -> Any:
    providers = {entry.attr_name: entry for entry in runner.service_map["customer"].dependencies}
    return providers[attribute].get_dependency(None)


@pytest.fixture
def runner(bus: str, start: Start) -> ServiceRunner:
    return start(Pets, Shop, Customer, bus=bus, DATABASE_URL=make_database(Base).url)


@pytest.fixture
def calls(runner: ServiceRunner) -> Any:
    return calls_of(runner)


@pytest.fixture(autouse=True)
def firm() -> Iterator[None]:
    with use(Context(firm_id=FIRM, actor_id="anna", actor_kind="staff", correlation_id="c-1")):
        yield


def test_values_arrive_as_python_values_and_as_wire_values(runner: ServiceRunner, calls: Any) -> None:
    created = calls.pets.create_pet(name="Rex")
    assert created["born_at"] == BORN
    assert calls_of(runner, "raw").pets.get_pet(pet_id=created["id"]) == {
        "id": created["id"],
        "name": "Rex",
        "born_at": "2026-01-02T03:04:05Z",
    }


def test_a_declared_error_arrives_as_its_type(calls: Any) -> None:
    missing = new_id()
    with pytest.raises(NotFound) as caught:
        calls.pets.get_pet(pet_id=missing)
    assert (caught.value.code, caught.value.meta) == ("pet_not_found", {"pet_id": missing})


def test_bad_input_names_its_fields(runner: ServiceRunner) -> None:
    with pytest.raises(Invalid) as caught:
        calls_of(runner, "raw").pets.create_pet(name="x" * 21, tags=["ok", "too long"], colour="red")
    assert {entry["field"] for entry in caught.value.fields} == {"name", "tags.1", "colour"}


def test_an_undeclared_error_says_nothing_but_the_correlation_id(calls: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RemoteFault) as caught:
        calls.pets.fail(pet_id=new_id())
    assert (caught.value.code, caught.value.meta) == ("internal_error", {"correlation_id": "c-1"})
    assert "what nobody should read" not in caplog.text


def test_a_call_ends_at_its_deadline_and_leaves_nothing_behind(calls: Any) -> None:
    Pets.naps_ended.clear()
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        calls.pets.nap(seconds=1.9)
    assert 0.5 < time.monotonic() - begun < 1.8, "the nap was waited for"
    eventually(lambda: 1.9 in Pets.naps_ended)
    assert calls.pets.nap(seconds=0.0) == {}  # the late answer reached nobody else
    assert not calls.pets.nap._desk._waiting


def test_a_call_ends_at_its_callers_deadline(calls: Any) -> None:
    with use(Context(firm_id=FIRM).with_deadline(0.2)), pytest.raises(DeadlineExceeded):
        calls.pets.nap(seconds=0.5)
    with use(Context(firm_id=FIRM).with_deadline(-1)), pytest.raises(DeadlineExceeded):
        calls.pets.count_pets()


def test_a_process_that_was_held_up_still_sees_its_replies(vhost: str, start: Start) -> None:
    runner = start(Pets, Customer, bus=vhost, DATABASE_URL=make_database(Base).url)
    reply = calls_of(runner).pets.count_pets.start()
    eventlet.spawn(eventlet.patcher.original("time").sleep, PATIENCE + 0.1)
    assert reply.result() == {"pets": 0}


def test_connections_that_are_busy_one_way_keep_their_heartbeat(
    vhost: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes replies all the time sends nothing of its own accord, and the broker hangs up on the silent."""
    connected: list[str] = []

    def count(cls: type, name: str) -> None:
        original = getattr(cls, name)

        def counted(self: Any) -> Any:
            connected.append(f"{name} {self.container.service_name}")
            return original(self)

        monkeypatch.setattr(cls, name, counted)

    count(CallConsumer, "establish_connection")
    count(BusLine, "_connect")
    runner = start(Pets, Shop, Customer, bus=vhost, HEARTBEAT=1, DATABASE_URL=make_database(Base).url)
    calls = calls_of(runner)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        with pytest.raises(NotFound):
            calls.pets.get_pet(pet_id=new_id())
        eventlet.sleep(0.02)
    assert len(connected) == len(set(connected)), connected


def test_a_timeout_inside_a_service_is_answered(calls: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        calls.pets.oversleep()
    assert time.monotonic() - begun < 1


def test_a_service_that_nobody_runs_is_unavailable_at_once(calls: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="service_unavailable service=ghosts"):
        calls.ghosts.haunt()
    assert time.monotonic() - begun < PATIENCE


def test_a_stopped_service_is_given_up_in_time(runner: ServiceRunner, calls: Any) -> None:
    assert calls.pets.nap(seconds=0.0) == {}
    runner.service_map["pets"].stop()
    begun = time.monotonic()
    with pytest.raises((DeadlineExceeded, Unavailable)):
        calls.pets.nap(seconds=0.0)
    assert time.monotonic() - begun < 1


def test_more_calls_than_workers_wait_for_each_other(calls: Any) -> None:
    replies = [calls.shop.sell_pet.start(name=f"pet {number}") for number in range(40)]
    assert [reply.result()["name"] for reply in replies] == [f"pet {number}" for number in range(40)]
    assert calls.pets.count_pets() == {"pets": 40}


def test_the_context_travels_with_the_calls(calls: Any) -> None:
    seen = calls.shop.get_caller()
    assert (seen["firm_id"], seen["actor_id"], seen["correlation_id"]) == (FIRM, "anna", "c-1")
    assert 4 < seen["seconds_left"] <= 5
    with use(Context(firm_id=FIRM).with_deadline(2)):
        assert 1 < calls.shop.get_caller()["seconds_left"] <= 2
    for limit in ((), tuple(new_id() for _ in range(MOST_CASE_TYPES))):
        with use(Context(firm_id=FIRM, sees_only=limit)):
            assert calls.shop.get_caller()["sees_only"] == list(limit)
    assert seen["sees_only"] is None


def test_without_a_firm_only_what_needs_none_is_served(calls: Any) -> None:
    with use(Context()):
        assert calls.pets.get_context()["firm_id"] is None
        with pytest.raises(Forbidden, match="firm_missing"):
            calls.pets.count_pets()


def test_what_no_contract_declares_does_not_exist(calls: Any) -> None:
    with pytest.raises(AttributeError, match="declares no operation bark"):
        calls.pets.bark()
    with pytest.raises(TypeError, match="takes no colour"):
        calls.pets.create_pet(name="Rex", colour="red")


def test_every_service_answers_for_its_health(calls: Any) -> None:
    with use(Context()):
        assert calls.pets.check_health() == {"ok": True, "parts": {"bus": True, "database": True}}


def test_nobody_waits_for_a_frozen_broker(rabbitmq: Any, vhost: str, start: Start) -> None:
    """Not even who asked before it froze, as soon as another finds out."""
    if not hasattr(rabbitmq, "pause"):
        pytest.skip("needs a RabbitMQ that may be paused")
    runner = start(Pets, Customer, bus=vhost, DATABASE_URL=make_database(Base).url)
    calls = calls_of(runner)
    under_way = calls.pets.create_pet.start(name="slow")
    eventually(lambda: under_way.confirmed)
    rabbitmq.pause()
    try:
        begun = time.monotonic()
        for reply in (calls.pets.count_pets.start(), calls.pets.count_pets.start(), under_way):
            with pytest.raises(Unavailable, match="bus_unavailable"):
                reply.result()
        assert time.monotonic() - begun < 2 * PATIENCE
    finally:
        rabbitmq.resume()


def test_who_asks_several_waits_only_once_for_a_frozen_broker_to_take_a_new_connection(
    rabbitmq: Any, vhost: str, start: Start
) -> None:
    if not hasattr(rabbitmq, "pause"):
        pytest.skip("needs a RabbitMQ that may be paused")
    runner = start(Pets, Customer, bus=vhost, HEARTBEAT=1, DATABASE_URL=make_database(Base).url)
    calls = calls_of(runner)
    calls.pets.count_pets()
    line = next(entry for entry in runner.service_map["customer"].extensions if isinstance(entry, BusLine))
    rabbitmq.pause()
    try:
        eventually(lambda: line._connection is None)
        begun = time.monotonic()
        for _ in range(3):
            with pytest.raises(Unavailable, match="bus_unavailable"):
                calls.pets.count_pets.start()
        assert time.monotonic() - begun < 2 * PATIENCE
    finally:
        rabbitmq.resume()


def test_a_repeated_key_gives_the_first_answer(calls: Any) -> None:
    with use(Context(firm_id=FIRM, idempotency_key="k1")):
        first = calls.pets.create_pet(name="Rex")
        assert calls.pets.create_pet(name="Rex") == first
        with pytest.raises(Invalid, match="idempotency_key_reused"):
            calls.pets.create_pet(name="Tom")
    with use(Context(firm_id=new_id(), idempotency_key="k1")):
        assert calls.pets.create_pet(name="Rex") != first
    # Who is limited is not told what was answered to who is not.
    limited = Context(firm_id=FIRM, idempotency_key="k1", sees_only=("cats",))
    with use(limited), pytest.raises(Invalid, match="idempotency_key_reused"):
        calls.pets.create_pet(name="Rex")
    assert calls.pets.count_pets() == {"pets": 1}


def test_a_repeated_command_repeats_its_calls_under_their_own_keys(calls: Any) -> None:
    """The shop stores no answer, as if it had died before: what it calls does not happen twice."""
    with use(Context(firm_id=FIRM, idempotency_key="k1")):
        calls.pets.create_pet(name="Tom")
    with use(Context(firm_id=FIRM, idempotency_key="k1")):
        first = calls.shop.sell_pet(name="Rex")
        assert calls.shop.sell_pet(name="Rex") == first
    assert calls.pets.count_pets() == {"pets": 2}


def test_a_key_whose_request_still_runs_is_in_use(calls: Any) -> None:
    with use(Context(firm_id=FIRM, idempotency_key="k1")):
        running = calls.pets.create_pet.start(name="slow")
        eventlet.sleep(0.1)
        with pytest.raises(Conflict, match="idempotency_key_in_use"):
            calls.pets.create_pet(name="slow")
        first = running.result()
        assert calls.pets.create_pet(name="slow") == first


def test_nothing_is_called_inside_a_transaction(calls: Any) -> None:
    with make_database(Base).for_firm(FIRM).unit_of_work(), pytest.raises(RuntimeError, match="inside a transaction"):
        calls.pets.count_pets()


def test_work_in_hand_is_finished_and_answered_when_a_service_stops(runner: ServiceRunner, calls: Any) -> None:
    replies = [calls.pets.nap.start(seconds=0.3) for _ in range(3)]
    eventlet.sleep(0.1)
    runner.service_map["pets"].stop()
    assert [reply.result() for reply in replies] == [{}, {}, {}]
