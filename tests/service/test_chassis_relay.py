"""The relay: everything committed reaches the broker, whatever happens to the broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import eventlet
import orjson
import pytest
from kombu.connection import Connection
from nameko.constants import AMQP_URI_CONFIG_KEY

from chassis import outbox, publisher, relay
from chassis.columns import new_id
from chassis.database import Data, Database
from chassis.precedence import Precedence
from chassis.queues import declare_queues
from chassis.testing import as_owner, eventually, make_database, outbox_events
from contracts.errors import Unavailable
from tests.service.sample import THING_MADE, MakerBase

FIRM = new_id()


class Maker:
    name = "maker"
    db = Data(MakerBase)


class Listener:
    """A stranger's queue on the maker's exchange."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        with Connection(uri) as connection:
            channel = connection.channel()
            channel.exchange_declare(outbox.exchange_name("maker"), type="topic", durable=True, auto_delete=False)
            channel.queue_declare("listener", durable=True, auto_delete=False)
            channel.queue_bind("listener", outbox.exchange_name("maker"), "thing.#")

    def take(self) -> list[dict[str, Any]]:
        taken = []
        with Connection(self.uri) as connection:
            channel = connection.channel()
            while (message := channel.basic_get("listener", no_ack=True)) is not None:
                taken.append(orjson.loads(message.body))
        return taken


def emit(db: Database, *numbers: int) -> list[str]:
    with db.for_firm(FIRM).unit_of_work() as uow:
        return uow.emit_many(THING_MADE, [("subject", {"number": number}) for number in numbers])


def all_published(db: Database) -> bool:
    return all(event.published for event in outbox_events(db))


def test_an_event_leaves_in_a_cloudevents_envelope(vhost: str, start: Callable[..., Any]) -> None:
    db = make_database(MakerBase)
    listener = Listener(vhost)
    start(Maker, bus=vhost, DATABASE_URLS={"maker": db.url})
    (event_id,) = emit(db, 5)
    eventually(lambda: all_published(db))
    (envelope,) = listener.take()
    assert envelope.pop("time").endswith("Z")
    assert envelope == {
        "specversion": "1.0",
        "id": event_id,
        "source": "/casewire/maker",
        "type": "thing.made.v1",
        "subject": "subject",
        "datacontenttype": "application/json",
        "firmid": FIRM,
        "correlationid": event_id,
        "data": {"number": 5},
    }


def test_nothing_is_published_before_the_queues_are_declared(rabbitmq: Any) -> None:
    """A step that an operator forgot is waited for: RabbitMQ would drop the events."""
    name = f"test-{new_id()}"
    bus = rabbitmq.create_vhost(name)
    try:
        db = make_database(MakerBase)
        emit(db, 1)
        relayed = relay.Relay(db, {"AMQP_URI": bus})
        with pytest.raises(Unavailable):
            relayed._publish_some()
        assert not all_published(db)
        declare_queues({"AMQP_URI": bus}, [Maker])
        relayed._publish_some()
        assert all_published(db)
    finally:
        rabbitmq.delete_vhost(name)


def test_what_is_finished_after_the_relay_has_ended_does_not_come_again() -> None:
    """In one process the services end side by side, and a consumer may be the last."""
    db, bus = make_database(MakerBase), f"embedded:///{new_id()}"
    Listener(bus)
    relayed = relay.EmbeddedRelay(db, {AMQP_URI_CONFIG_KEY: bus})
    relayed.thread = eventlet.spawn(relayed.run)
    emit(db, 1, 2)
    with Connection(bus) as connection:
        channel = connection.channel()
        first, second = (eventually(lambda: channel.basic_get("listener"), what="published") for _ in range(2))
        channel.basic_ack(first.delivery_tag)
        relayed.stop()
        channel.basic_ack(second.delivery_tag)
    assert all_published(db)


def test_a_consumer_is_done_where_the_ended_relay_can_mark_nothing() -> None:
    db, bus = make_database(MakerBase), f"embedded:///{new_id()}"
    Listener(bus)
    relayed = relay.EmbeddedRelay(db, {AMQP_URI_CONFIG_KEY: bus})
    relayed.thread = eventlet.spawn(relayed.run)
    emit(db, 1)
    with Connection(bus) as connection:
        channel = connection.channel()
        message = eventually(lambda: channel.basic_get("listener"), what="published")
        relayed.stop()
        with as_owner(db) as broken:
            db.tables.outbox.drop(broken)
        channel.basic_ack(message.delivery_tag)
        assert channel.basic_get("listener") is None


def test_others_have_their_turn_while_many_events_are_written(vhost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Listener(vhost)
    publishing = publisher.ConfirmedPublisher({AMQP_URI_CONFIG_KEY: vhost}, lambda channel: None)
    publishing.channel()
    turns, seen, prepared = [0], [], publisher.prepared

    def others() -> None:
        while True:
            turns[0] += 1
            eventlet.sleep(0)

    def prepare(*given: Any) -> Any:
        seen.append(turns[0])
        return prepared(*given)

    monkeypatch.setattr(publisher, "prepared", prepare)
    beside = eventlet.spawn(others)
    message = publisher.Outgoing(b"{}", outbox.exchange_name("maker"), "thing.made", "application/json")
    assert all(publishing.publish([message] * 3 * publisher.IN_A_ROW))
    beside.kill()
    publishing.drop()
    assert len(set(seen)) > 2


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_replicas_share_the_work(
    vhost: str, new_database: Callable[[Any], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is published once, by whichever relay has it locked. (A SQLite file has one relay.)"""
    db = new_database(MakerBase)
    monkeypatch.setattr(relay, "WINDOW", 20)
    monkeypatch.setattr(relay, "FIRST_WINDOW", 20)
    listener = Listener(vhost)
    emitted = [event_id for chunk in range(0, 200, 50) for event_id in emit(db, *range(chunk, chunk + 50))]
    replicas = [relay.Relay(db, {"AMQP_URI": vhost}) for _ in range(3)]
    threads = [eventlet.spawn(replica.run) for replica in replicas]
    eventually(lambda: all_published(db))
    for replica, thread in zip(replicas, threads, strict=True):
        replica.thread = thread
        replica.stop()
    taken = [envelope["id"] for envelope in listener.take()]
    assert sorted(taken) == sorted(emitted)


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_call_is_answered_before_events_are_published(
    vhost: str, new_database: Callable[[Any], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be another process's, and many."""
    db, calls, order, look = new_database(MakerBase), Precedence(), [], outbox.unpublished
    monkeypatch.setattr(calls, "step_aside", partial(calls.step_aside, 30.0))
    monkeypatch.setattr(relay, "precedence", calls)
    monkeypatch.setattr(outbox, "unpublished", lambda *given: order.append("relay") or look(*given))
    Listener(vhost)
    replica = relay.Relay(db, {"AMQP_URI": vhost})
    with calls.call():
        emit(db, 1)
        replica.thread = eventlet.spawn(replica.run)
        for _ in range(3):
            assert not all_published(db)
        order.append("call")
    eventually(lambda: all_published(db))
    replica.stop()
    assert order[:2] == ["call", "relay"]


def test_a_row_that_the_broker_refuses_does_not_block_the_rest(
    new_database: Callable[[Any], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = new_database(MakerBase)
    emit(db, *range(30))
    relayed = relay.Relay(db, {"AMQP_URI": "pyamqp://nowhere"})

    def publish(messages: list[publisher.Outgoing]) -> list[bool]:
        """As a broker that closes the channel when it meets number 13: what was sent with it is not confirmed."""
        poisoned = any(orjson.loads(message.body)["data"]["number"] == 13 for message in messages)
        return [not poisoned] * len(messages)

    monkeypatch.setattr(relayed._publisher, "publish", publish)
    for _ in range(60):
        try:
            relayed._publish_some()
        except Unavailable:
            continue
    waiting = [event.data["number"] for event in outbox_events(db, THING_MADE) if not event.published]
    assert waiting == [13]


def test_a_broker_that_is_killed_loses_nothing(rabbitmq: Any, vhost: str, start: Callable[..., Any]) -> None:
    if not hasattr(rabbitmq, "kill"):
        pytest.skip("needs a RabbitMQ that may be killed")
    db = make_database(MakerBase)
    listener = Listener(vhost)
    start(Maker, bus=vhost, DATABASE_URLS={"maker": db.url})
    emitted = emit(db, 1)
    eventually(lambda: all_published(db))
    rabbitmq.sync()
    rabbitmq.kill()
    try:
        emitted += emit(db, 2, 3)
        eventlet.sleep(0)
        assert not all_published(db)
    finally:
        rabbitmq.start()
    eventually(lambda: all_published(db), seconds=30)
    assert {envelope["id"] for envelope in listener.take()} == set(emitted)


def test_the_relay_gives_a_frozen_broker_up_and_comes_back(
    rabbitmq: Any, vhost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(rabbitmq, "pause"):
        pytest.skip("needs a RabbitMQ that may be paused")
    monkeypatch.setattr(publisher, "PATIENCE", 0.5)
    monkeypatch.setattr(publisher, "SETTLING", 0.1)
    db = make_database(MakerBase)
    listener = Listener(vhost)
    relayed = relay.Relay(db, {"AMQP_URI": vhost})
    emit(db, 1)
    assert relayed._publish_some() is False
    rabbitmq.pause()
    try:
        emit(db, *range(2, 300))
        began = time.monotonic()
        with pytest.raises(Unavailable):
            relayed._publish_some()
        assert time.monotonic() - began < 2
    finally:
        rabbitmq.resume()
    eventually(lambda: _published(relayed, db), seconds=30)
    assert len({envelope["id"] for envelope in listener.take()}) == 299


def _published(relayed: relay.Relay, db: Database) -> bool:
    try:
        relayed._publish_some()
    except Unavailable:
        return False
    return all_published(db)


@pytest.mark.parametrize(
    ("size", "weights", "following"),
    [
        (50, [100] * 50, 100),
        (400, [100] * 400, relay.WINDOW),
        (400, [100] * 399, relay.FIRST_WINDOW),
        (50, [100_000] * 50, 10),
        (10, [3_000_000] * 10, 1),
        (1, [10] * 1, 2),
        (100, [], relay.FIRST_WINDOW),
    ],
)
def test_a_window_grows_while_it_is_full_and_shrinks_where_events_are_large(
    size: int, weights: list[int], following: int
) -> None:
    assert relay._next_window(size, weights) == following
