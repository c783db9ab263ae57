"""From the outbox of one service to the effect in another: once, whatever fails in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from greenlet import GreenletExit
from kombu.connection import Connection
from prometheus_client import REGISTRY
from sqlalchemy import select, update

from chassis import dead_letters, event_consumer, event_handling, topology
from chassis.columns import new_id, utc_now
from chassis.context import current
from chassis.database import Data, Database
from chassis.envelope import CONTENT_TYPE, wrap
from chassis.events import ReceivedEvent, on
from chassis.queues import declare_queues
from chassis.testing import eventually, make_database, outbox_events
from contracts.errors import NotFound, Unavailable
from tests.service.sample import THING_MADE, MakerBase, Noted, TakerBase

FIRM, OTHER_FIRM = new_id(), new_id()


class Maker:
    name = "maker"
    db = Data(MakerBase)


class Script:
    """What the handlers are to do, and what they saw. Numbers not named here are applied."""

    def __init__(self) -> None:
        self.unavailable: dict[int, int] = {}
        self.outages: dict[int, int] = {}
        self.broken: set[int] = set()
        self.refused: set[int] = set()
        self.seen: list[tuple[str, int]] = []
        self.sizes: list[int] = []
        self.dropped: list[str] = []
        self.earlier: list[int] = []

    def play(self, event: ReceivedEvent) -> None:
        number = event.data["number"]
        context = current()
        assert context is not None
        assert (context.firm_id, context.correlation_id) == (event.firm_id, event.correlation_id)
        self.seen.append((event.id, event.attempt))
        if number in self.broken:
            raise LookupError("broken")
        if number in self.refused:
            raise NotFound("thing_not_found", thing_id=event.subject)
        if self.outages.get(number, 0) > 0:
            self.outages[number] -= 1
            raise Unavailable("database_unavailable")
        if self.unavailable.get(number, 0) > 0:
            self.unavailable[number] -= 1
            raise Unavailable("provider_unavailable")


script = Script()


def note(db: Database, events: list[ReceivedEvent], handler: str) -> None:
    with db.unit_of_work(once=events) as uow:
        uow.insert(Noted, [{"number": event.data["number"], "handler": handler} for event in uow.fresh])


class SingleTaker:
    name = "taker"
    db = Data(TakerBase)

    @on(THING_MADE)
    def take(self, event: ReceivedEvent) -> None:
        script.earlier.append(event.earlier)
        script.play(event)
        note(self.db, [event], "single")


class BatchTaker:
    name = "taker"
    db = Data(TakerBase)

    @on(THING_MADE, batch=100)
    def take(self, events: list[ReceivedEvent]) -> None:
        script.sizes.append(len(events))
        for event in events:
            assert event.firm_id == events[0].firm_id
        if len(events) > 1 and {event.data["number"] for event in events} & (script.broken | script.refused):
            raise LookupError("one of them is broken")
        for event in events:
            script.play(event) if len(events) == 1 else script.seen.append((event.id, event.attempt))
        note(self.db, events, "batch")


class Cached:
    """Something that each process keeps for itself, and drops when it hears that it has changed."""

    name = "cached"

    @on(THING_MADE, broadcast=True)
    def drop(self, event: ReceivedEvent) -> None:
        script.dropped.append(event.id)


class System:
    """A maker and a taker on one bus."""

    def __init__(self, taker: type, bus: str, start: Callable[..., Any]) -> None:
        self.bus = bus
        self.maker = make_database(MakerBase).for_firm(FIRM)
        self.taker = make_database(TakerBase).for_firm(FIRM)
        urls = {"maker": self.maker.url, "taker": self.taker.url}
        self.runner = start(taker, Maker, bus=bus, DATABASE_URLS=urls)
        self.queue = f"taker.{THING_MADE.name}.take"

    def make(self, *numbers: int, firm_id: str = FIRM) -> list[str]:
        db = self.maker.for_firm(firm_id)
        with db.unit_of_work() as uow:
            return uow.emit_many(THING_MADE, [(new_id(), {"number": number}) for number in numbers])

    def noted(self, firm_id: str = FIRM) -> list[int]:
        with self.taker.for_firm(firm_id).read() as session:
            return sorted(session.scalars(select(Noted.number)))

    def parked(self, state: str = dead_letters.PARKED) -> list[Any]:
        return list(dead_letters.list_parked(self.taker, state=state))

    def repeated(self) -> float:
        told = REGISTRY.get_sample_value("casewire_events_repeated_total", {"subscription": self.queue})
        return told or 0.0

    def all_published(self) -> bool:
        return all(event.published for event in outbox_events(self.maker))

    def send(self, body: bytes, headers: dict[str, Any] | None = None, queue: str | None = None) -> None:
        """Puts a message straight into a queue, the subscription's own if none is named."""
        with Connection(self.bus) as connection:
            channel = connection.channel()
            message = channel.prepare_message(
                body, content_type=CONTENT_TYPE, content_encoding="utf-8", headers=headers or {}, properties={}
            )
            channel.basic_publish(message, exchange="", routing_key=queue or self.queue)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delays as in production would make the tests wait for minutes."""
    global script
    script = Script()
    monkeypatch.setattr(topology, "RETRY_SECONDS", (0.05, 0.1, 0.15))
    monkeypatch.setattr(event_consumer, "REPLAY_SECONDS", 0.05)


@pytest.fixture(params=[SingleTaker, BatchTaker])
def system(request: pytest.FixtureRequest, bus: str, start: Callable[..., Any]) -> System:
    return System(request.param, bus, start)


@pytest.fixture
def batches(bus: str, start: Callable[..., Any]) -> System:
    return System(BatchTaker, bus, start)


@pytest.fixture
def singles(bus: str, start: Callable[..., Any]) -> System:
    return System(SingleTaker, bus, start)


def envelope(number: Any, event_id: str | None = None, **more: Any) -> bytes:
    made = wrap(
        source="maker",
        event_id=event_id or new_id(),
        name=THING_MADE.name,
        firm_id=FIRM,
        subject="subject",
        time=utc_now(),
        data={"number": number},
        correlation_id="correlation",
    )
    return orjson.dumps({**made, **more})


def test_events_of_every_firm_arrive_in_their_firm(system: System) -> None:
    system.make(*range(120))
    system.make(7, firm_id=OTHER_FIRM)
    eventually(lambda: (len(system.noted()), system.noted(OTHER_FIRM)) == (120, [7]), what="all noted")
    eventually(system.all_published, what="all marked as published")


def test_an_event_delivered_again_changes_nothing(system: System) -> None:
    before = system.repeated()
    body = envelope(1)
    for _ in range(3):
        system.send(body)
    system.send(envelope(2))
    eventually(lambda: 2 in system.noted())
    eventually(lambda: len(script.seen) >= 2)
    assert system.noted() == [1, 2]
    assert system.parked() == []
    eventually(lambda: system.repeated() == before + 2, what="the repeats counted")


def test_a_transient_failure_is_tried_again(system: System) -> None:
    script.unavailable = {1: 2}
    system.send(envelope(1))
    eventually(lambda: system.noted() == [1], what="the third attempt")
    assert [attempt for _, attempt in script.seen] == [1, 2, 3]
    assert system.parked() == []


def test_an_outage_of_the_own_database_is_waited_out(system: System) -> None:
    """The attempts are for what an event meets, not for a database that restarts."""
    script.outages = {1: 2}
    system.send(envelope(1))
    eventually(lambda: system.noted() == [1])
    assert [attempt for _, attempt in script.seen] == [1, 1, 1]


def test_what_keeps_failing_is_parked_and_a_replay_keeps_its_id(system: System) -> None:
    script.broken = {1}
    (event_id,) = system.make(1)
    (parked,) = eventually(system.parked, what="the event parked")
    assert [attempt for _, attempt in script.seen] == [1, 2, 3, 4]
    assert (parked.event_id, parked.attempts, parked.subscription) == (event_id, 4, system.queue)
    assert parked.reason.startswith("LookupError")
    eventually(system.all_published, what="the event settled")

    script.broken = set()
    script.seen.clear()
    assert dead_letters.replay(system.taker, [parked.id], by="the test") == 1
    eventually(lambda: system.parked(dead_letters.REPLAYED), what="the replay")
    assert system.noted() == [1]
    assert {seen for seen, _ in script.seen} == {event_id}


def test_a_replay_that_fails_is_parked_again(singles: System) -> None:
    script.refused = {1}
    singles.make(1)
    (parked,) = eventually(singles.parked)
    dead_letters.replay(singles.taker, [parked.id], by="the test")
    eventually(lambda: [row.attempts for row in singles.parked()] == [2], what="the second parking")
    assert dead_letters.discard(singles.taker, [parked.id], by="the test") == 1
    assert (singles.parked(), singles.noted()) == ([], [])
    assert dead_letters.show(singles.taker, parked.id).settled_by == "the test"


@pytest.mark.parametrize("ending", [None, GreenletExit], ids=["killed", "stopped"])
def test_a_replay_that_its_process_does_not_survive_is_parked_or_begun_again(
    singles: System, monkeypatch: pytest.MonkeyPatch, ending: type[BaseException] | None
) -> None:
    failed = dead_letters.failed_delivery("taker.nobody", THING_MADE.name, envelope(1), 1)
    dead_letters.park(singles.taker, failed, "killed its worker")
    (parked,) = singles.parked()
    dead_letters.replay(singles.taker, [parked.id], by="the test")
    (asked,) = dead_letters.awaiting_replay(singles.taker, ["taker.nobody"])
    left: list[str] = []

    def call(handling: Any, events: list[Any]) -> None:
        left.extend(row.id for row in singles.parked())
        if ending is not None:
            raise ending

    subscription = SimpleNamespace(event=THING_MADE, name="taker.nobody", container=None)
    subscription.queue_consumer = SimpleNamespace(database=singles.taker)
    monkeypatch.setattr(event_handling.Handling, "_call", call)
    with suppress(GreenletExit):
        event_handling.Handling(subscription).replay(asked)  # type: ignore[arg-type]
    assert left == [parked.id]
    state = dead_letters.REPLAYED if ending is None else dead_letters.REPLAY
    assert [row.settled_by for row in singles.parked(state)] == ["the test"]


def test_what_is_of_no_subscription_any_more_keeps_no_replay_waiting(singles: System) -> None:
    for _ in range(100):
        failed = dead_letters.Failed("taker.nobody", "thing.made.v1", new_id(), FIRM, {}, 1)
        dead_letters.park(singles.taker, failed, "Unavailable: tasks")
    dead_letters.replay(singles.taker, [row.id for row in singles.parked()], by="the test")
    script.refused = {1}
    singles.make(1)
    (parked,) = eventually(singles.parked)
    script.refused = set()
    dead_letters.replay(singles.taker, [parked.id], by="the test")
    eventually(lambda: singles.noted() == [1], what="the replay")


def test_what_was_parked_while_somebody_was_away_is_replayed_by_itself(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_consumer, "PASSING_SECONDS", 0.05)
    script.unavailable[1] = 6
    script.broken.add(2)
    system.make(1, 2)
    eventually(lambda: len(system.parked()) == 2, what="both are parked")
    monkeypatch.setattr(dead_letters, "WAITS", (dt.timedelta(seconds=0.1), dt.timedelta(seconds=0.2)))
    eventually(lambda: system.noted() == [1], what="what was away is back")
    (replayed,) = system.parked(dead_letters.REPLAYED)
    assert (replayed.settled_by, replayed.reason.splitlines()[0]) == (
        dead_letters.ITSELF, "Unavailable: provider_unavailable",
    )  # fmt: skip
    assert [row.reason.splitlines()[0] for row in system.parked()] == ["LookupError"]


def test_what_is_parked_waits_longer_each_time(singles: System) -> None:
    made = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)

    def parked(attempts: int, reason: str = "DeadlineExceeded: tasks") -> str:
        failed = dead_letters.Failed("taker.nobody", "thing.made.v1", new_id(), FIRM, {}, attempts)
        dead_letters.park(singles.taker, failed, reason)
        with dead_letters._everywhere(singles.taker).unit_of_work() as uow:
            table = singles.taker.tables.parked
            uow.session.execute(update(table).where(table.c.event_id == failed.event_id).values(parked_at=made))
        return failed.event_id

    waiting = {parked(attempts): minutes for attempts, minutes in ((4, 10), (5, 20), (8, 160), (40, 160))}
    parked(4, "LookupError")
    parked(1, "Invalid: unknown_field")

    def asked(minutes: float) -> set[str]:
        dead_letters.replay_what_passes(singles.taker, made + dt.timedelta(minutes=minutes), ["taker.nobody"])
        return {row.event_id for row in singles.parked(dead_letters.REPLAY)}

    for minutes in (9.9, 10, 19.9, 20, 159.9, 160):
        assert asked(minutes) == {event_id for event_id, wait in waiting.items() if wait <= minutes}


def test_a_release_that_can_read_it_replays_what_was_no_json(singles: System, monkeypatch: pytest.MonkeyPatch) -> None:
    singles.send(envelope(1)[:-1] + b",}")
    (parked,) = eventually(singles.parked)
    dead_letters.replay(singles.taker, [parked.id], by="the test")
    eventually(lambda: [row.attempts for row in singles.parked()] == [2], what="the second parking")
    monkeypatch.setattr(event_handling, "read_body", lambda body: orjson.loads(body.replace(b",}", b"}")))
    dead_letters.replay(singles.taker, [parked.id], by="the test")
    eventually(lambda: singles.parked(dead_letters.REPLAYED), what="the replay")
    assert singles.noted() == [1]


def test_a_permanent_failure_is_parked_at_once(system: System) -> None:
    script.refused = {1}
    system.make(1)
    (parked,) = eventually(system.parked, what="the event parked")
    assert [attempt for _, attempt in script.seen] == [1]
    assert parked.reason.startswith("NotFound: thing_not_found")
    assert system.noted() == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff not JSON", "no JSON"),
        (b"[1, 2]", "no envelope"),
        (envelope("a secret"), "refuses {'number'"),
        (envelope(1, type="thing.lost.v1"), "expected thing.made.v1"),
    ],
    ids=["bytes", "list", "data", "type"],
)
def test_what_is_no_such_event_is_parked_and_not_logged(
    singles: System, body: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    singles.send(body)
    singles.send(envelope(2))
    (parked,) = eventually(singles.parked)
    assert reason in parked.reason
    assert "secret" not in parked.reason + caplog.text
    eventually(lambda: singles.noted() == [2], what="the next event")


@pytest.mark.parametrize("name", ["casewire-attempt", "casewire-publication"])
def test_a_header_that_is_no_number_stops_nobody(singles: System, name: str) -> None:
    singles.send(envelope(1), headers={name: "often"})
    singles.send(envelope(2))
    eventually(lambda: singles.noted() == [1, 2])


@pytest.mark.parametrize(("found", "counts"), [(None, 1), ("3", 1), (3, 3), (0, 1), (2**40, 1)])
def test_what_counts_is_a_number_that_can_be_kept(found: Any, counts: int) -> None:
    assert event_handling.count_in({} if found is None else {"x": found}, "x", 1) == counts


def test_additions_to_an_event_are_ignored(singles: System) -> None:
    singles.send(envelope(1, newattribute="x", data={"number": 1, "colour": "red"}))
    eventually(lambda: singles.noted() == [1])


def test_a_poison_event_fails_alone(batches: System) -> None:
    script.refused = {13}
    batches.make(*range(30))
    (parked,) = eventually(batches.parked, what="the poison parked")
    eventually(lambda: len(batches.noted()) == 29, what="the others applied")
    assert 13 not in batches.noted()
    assert dead_letters.show(batches.taker, parked.id).envelope["data"]["number"] == 13
    assert max(script.sizes) > 1


def test_an_event_that_kills_its_worker_is_parked(singles: System) -> None:
    """A worker that dies says nothing: what it was given comes again with a higher delivery count."""
    body = envelope(1)
    failed = dead_letters.failed_delivery(singles.queue, THING_MADE.name, body, 1)
    for _ in range(dead_letters.TRIALS):
        assert dead_letters.begin_trial(singles.taker, failed)
    singles.send(body, headers={"casewire-publication": 4})
    (parked,) = eventually(singles.parked)
    assert parked.reason == "killed its worker"
    # Another kill before it was acknowledged brings it once more.
    singles.send(body, headers={"casewire-publication": 5})
    singles.send(envelope(2))
    eventually(lambda: singles.noted() == [2], what="the next event")
    assert [row.reason for row in singles.parked()] == ["killed its worker"]
    assert failed.event_id not in {seen for seen, _ in script.seen}


def test_an_innocent_suspect_is_applied(singles: System) -> None:
    singles.send(envelope(1), headers={"casewire-publication": 4})
    eventually(lambda: singles.noted() == [1])
    assert script.earlier == [3], "its handler may do it in smaller parts"
    eventually(lambda: not singles.parked(dead_letters.TRYING), what="the trial's end")


def test_what_was_delivered_too_often_is_tried_alone_before_it_is_parked(system: System) -> None:
    """It may only have waited behind what killed the worker."""
    deaths = {"x-death": [{"queue": system.queue, "reason": "delivery_limit", "count": 1}]}
    system.send(envelope(1), headers=deaths, queue=topology.dead_letter_name("taker"))
    eventually(lambda: system.noted() == [1])
    assert system.parked() == []
    returned = {event_consumer.RETURNS: event_consumer.MOST_RETURNS}
    system.send(envelope(2), headers=deaths | returned, queue=topology.dead_letter_name("taker"))
    (parked,) = eventually(system.parked)
    assert parked.reason == "delivered too often (delivery_limit)"
    assert system.noted() == [1]


def test_events_are_kept_while_the_subscriber_is_away(vhost: str, start: Callable[..., Any]) -> None:
    """On RabbitMQ; the embedded bus lives and dies with its subscribers."""
    system = System(SingleTaker, vhost, start)
    system.runner.stop()
    system.make(1, 2, 3)
    start(Maker, bus=vhost, DATABASE_URLS={"maker": system.maker.url})
    eventually(system.all_published)
    start(SingleTaker, bus=vhost, DATABASE_URLS={"taker": system.taker.url})
    eventually(lambda: system.noted() == [1, 2, 3])


def test_events_from_before_a_subscribers_first_start_are_kept(vhost: str, start: Callable[..., Any]) -> None:
    """RabbitMQ drops what no queue takes: every queue is declared before the first service publishes."""
    maker, taker = make_database(MakerBase).for_firm(FIRM), make_database(TakerBase).for_firm(FIRM)
    for _ in range(2):
        names = declare_queues({"AMQP_URI": vhost}, [Maker, SingleTaker, Cached])
    assert names == [f"taker.{THING_MADE.name}.take"]
    start(Maker, bus=vhost, DATABASE_URLS={"maker": maker.url})
    with maker.unit_of_work() as uow:
        uow.emit_many(THING_MADE, [(new_id(), {"number": number}) for number in (1, 2, 3)])
    eventually(lambda: all(event.published for event in outbox_events(maker)), what="all published")
    start(SingleTaker, bus=vhost, DATABASE_URLS={"taker": taker.url})
    with taker.read() as session:
        eventually(lambda: sorted(session.scalars(select(Noted.number))) == [1, 2, 3], what="all noted")


def test_a_queue_with_other_arguments_is_named(vhost: str) -> None:
    with Connection(vhost) as connection:
        connection.channel().queue_declare(f"taker.{THING_MADE.name}.take", durable=True, auto_delete=False)
    with pytest.raises(RuntimeError, match=r"taker\.thing\.made\.v1\.take exists with other arguments"):
        declare_queues({"AMQP_URI": vhost}, [SingleTaker])


def test_a_broadcast_reaches_every_process(singles: System, start: Callable[..., Any]) -> None:
    for _ in range(3):
        start(Cached, bus=singles.bus)
    first, second = singles.make(1, 2)
    eventually(lambda: sorted(script.dropped) == sorted([first, second] * 3), what="all three heard of both")
    eventually(lambda: singles.noted() == [1, 2], what="who subscribes for good heard of them too")


def test_what_was_not_settled_is_published_again(embedded_bus: str, start: Callable[..., Any]) -> None:
    """The embedded process ends with an event in its retry queue: the next one starts from the outbox."""
    script.unavailable = {1: 1}
    topology.RETRY_SECONDS = (60, 60, 60)
    system = System(SingleTaker, embedded_bus, start)
    system.make(1)
    eventually(lambda: script.seen)
    assert not system.all_published()
    system.runner.kill()
    urls = {"maker": system.maker.url, "taker": system.taker.url}
    start(SingleTaker, Maker, bus=embedded_bus + "-restarted", DATABASE_URLS=urls)
    eventually(lambda: system.noted() == [1])
    eventually(system.all_published)
