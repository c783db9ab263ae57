"""The embedded bus: what RabbitMQ promises, and when a publication is settled."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import eventlet
import pytest
from amqp.exceptions import ChannelError, NotFound, PreconditionFailed
from kombu import Connection, Consumer, Exchange, Queue
from kombu.message import Message

from chassis import embedded_broker
from chassis.embedded_bus import is_embedded, virtual_host


class Bus:
    """A connection with one channel, and what its consumers received."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex
        self.connection = Connection(f"embedded:///{self.name}")
        self.channel = self.connection.channel()
        self.received: list[Message] = []
        self.settled: list[str] = []

    @property
    def broker(self) -> embedded_broker.Broker:
        return embedded_broker.broker(self.name)

    def queue(self, name: str, exchange: str = "", key: str = "", kind: str = "topic", **options: Any) -> None:
        arguments = {key.replace("_", "-"): value for key, value in options.pop("arguments", {}).items()}
        bound = Exchange(exchange, kind, durable=True) if exchange else None
        Queue(name, exchange=bound, routing_key=key, queue_arguments=arguments, **options)(self.channel).declare()

    def publish(self, body: str, key: str, exchange: str = "", settle: bool = True, **options: Any) -> None:
        headers, properties = options.pop("headers", None), options.pop("properties", None)
        if settle:
            options["on_settled"] = lambda: self.settled.append(body)
        message = self.channel.prepare_message(
            body, content_type="application/json", content_encoding="utf-8", headers=headers, properties=properties
        )
        self.channel.basic_publish(message, exchange=exchange, routing_key=key, **options)

    def consume(self, queue: str, prefetch: int = 0, channel: Any = None) -> Consumer:
        consumer = Consumer(channel or self.channel, [Queue(queue, no_declare=True)], on_message=self.received.append)
        consumer.qos(prefetch_count=prefetch)
        consumer.consume()
        return consumer

    def drain(self, times: int = 1, timeout: float = 1.0) -> list[str]:
        """What the next deliveries hold."""
        before = len(self.received)
        for _ in range(times):
            self.connection.drain_events(timeout=timeout)
        return [message.body for message in self.received[before:]]

    def nothing_comes(self) -> bool:
        try:
            self.drain(timeout=0.01)
        except TimeoutError:
            return True
        return False


@pytest.fixture
def bus() -> Iterator[Bus]:
    opened = Bus()
    yield opened
    opened.connection.release()
    embedded_broker.forget(opened.name)


@pytest.mark.parametrize(
    ("kind", "binding", "key", "reaches"),
    [
        ("direct", "a.b", "a.b", True),
        ("direct", "a.*", "a.b", False),
        ("topic", "client.*.v1", "client.changed.v1", True),
        ("topic", "client.*.v1", "client.v1", False),
        ("topic", "client.#", "client", True),
        ("topic", "#.v1", "client.changed.v1", True),
        ("topic", "a.#.z", "a.b.c.z", True),
        ("topic", "a.#.z", "a.b.c", False),
        ("fanout", "", "whatever", True),
    ],
)
def test_routing(bus: Bus, kind: str, binding: str, key: str, reaches: bool) -> None:
    bus.queue("q", "events", binding, kind)
    bus.consume("q")
    bus.publish("hello", key, "events")
    assert (bus.drain() if not bus.settled else []) == (["hello"] if reaches else [])


def test_each_queue_gets_its_own_copy(bus: Bus) -> None:
    for name in ("q1", "q2"):
        bus.queue(name, "events", "client.#")
        bus.consume(name)
    bus.publish("hello", "client.changed", "events", headers={"n": 1})
    assert bus.drain(2) == ["hello", "hello"]
    first, second = bus.received
    first.headers["n"] = 2
    first.ack()
    assert (bus.settled, second.headers["n"]) == ([], 1)
    second.ack()
    assert bus.settled == ["hello"]


def test_messages_carry_what_nameko_reads(bus: Bus) -> None:
    bus.queue("q")
    bus.consume("q")
    bus.publish("{}", "q", properties={"reply_to": "r", "correlation_id": "c"}, headers={"nameko.firm_id": "f"})
    bus.drain()
    message = bus.received[0]
    assert message.properties["reply_to"] == "r"
    assert message.properties["correlation_id"] == "c"
    assert message.properties["content_type"] == "application/json"
    assert message.delivery_info["routing_key"] == "q"
    assert message.headers["nameko.firm_id"] == "f"
    assert message.payload == {}


def test_a_mandatory_message_without_a_queue_is_returned(bus: Bus) -> None:
    bus.queue("q", "events", "known")
    with pytest.raises(ChannelError, match="NO_ROUTE"):
        bus.publish("lost", "unknown", "events", mandatory=True)
    bus.publish("dropped", "unknown", "events")
    assert bus.settled == ["lost", "dropped"]


def test_prefetch_counts_for_each_consumer(bus: Bus) -> None:
    """One consumer that is full must not keep another one's messages, such as the replies it waits for."""
    bus.queue("requests")
    bus.queue("replies")
    bus.consume("requests", prefetch=2)
    bus.consume("replies", prefetch=2)
    for number in range(3):
        bus.publish(f"request {number}", "requests")
    assert bus.drain(2) == ["request 0", "request 1"]
    assert bus.nothing_comes()
    bus.publish("reply", "replies")
    assert bus.drain() == ["reply"]
    bus.received[0].ack()
    assert bus.drain() == ["request 2"]


def test_a_requeued_message_comes_first_again_and_says_so(bus: Bus) -> None:
    bus.queue("q")
    bus.consume("q", prefetch=1)
    bus.publish("first", "q")
    bus.publish("second", "q")
    bus.drain()
    bus.received[0].requeue()
    assert bus.drain() == ["first"]
    assert bus.received[1].delivery_info["redelivered"]
    assert bus.received[1].headers["x-delivery-count"] == 1


def test_a_rejected_message_goes_to_the_dead_letters(bus: Bus) -> None:
    bus.queue("q", arguments={"x_dead_letter_exchange": "", "x_dead_letter_routing_key": "dead"})
    bus.queue("dead")
    bus.consume("q")
    bus.publish("bad", "q")
    bus.drain()
    bus.received[0].reject()
    assert bus.settled == ["bad"]  # for good: nobody consumes it there
    dead = bus.channel.basic_get("dead")
    assert dead.body == "bad"
    assert dead.headers["x-death"][0]["reason"] == "rejected"


def test_a_dead_letter_that_is_consumed_is_settled_by_its_consumer(bus: Bus) -> None:
    bus.queue("q", arguments={"x_dead_letter_exchange": "", "x_dead_letter_routing_key": "dead"})
    bus.queue("dead")
    bus.consume("q")
    bus.consume("dead")
    bus.publish("bad", "q")
    bus.drain()
    bus.received[0].reject()
    assert bus.settled == []
    bus.drain()
    bus.received[1].ack()
    assert bus.settled == ["bad"]


def test_a_message_delivered_too_often_goes_to_the_dead_letters(bus: Bus) -> None:
    arguments = {"x_queue_type": "quorum", "x_delivery_limit": 2, "x_overflow": "reject-publish"}
    bus.queue("q", arguments={**arguments, "x_dead_letter_exchange": "", "x_dead_letter_routing_key": "dead"})
    bus.queue("dead")
    bus.consume("q")
    bus.publish("poison", "q")
    for _ in range(3):
        bus.drain()
        bus.received[-1].requeue()
    assert bus.nothing_comes()
    assert bus.channel.basic_get("dead").headers["x-death"][0]["reason"] == "delivery_limit"


def test_a_retry_waits_and_returns_and_settles_only_then(bus: Bus) -> None:
    bus.queue("q")
    bus.queue("retry", "retries", "#", arguments={"x_message_ttl": 30, "x_dead_letter_exchange": ""})
    bus.consume("q")
    bus.publish("again", "q")
    bus.drain()
    first = bus.received[0]
    bus.publish(first.body, "q", "retries", settle=False, headers={**first.headers, "attempt": 2})
    first.ack()
    assert bus.settled == []
    assert bus.drain() == ["again"]
    assert bus.received[1].headers["attempt"] == 2
    bus.received[1].ack()
    assert bus.settled == ["again"]


def test_an_expired_message_is_not_delivered(bus: Bus) -> None:
    bus.queue("q")
    bus.publish("late", "q", properties={"expiration": "5"})
    eventlet.sleep(0.01)
    bus.consume("q")
    assert bus.nothing_comes()
    assert bus.settled == ["late"]


def test_a_closed_channel_gives_back_what_it_held_in_order(bus: Bus) -> None:
    bus.queue("q")
    other = bus.connection.channel()
    bus.consume("q", channel=other)
    for body in ("one", "two", "three"):
        bus.publish(body, "q")
    bus.drain(3)
    bus.received[1].ack()
    other.close()
    bus.consume("q")
    assert bus.drain(2) == ["one", "three"]


def test_queues_go_when_they_should(bus: Bus) -> None:
    bus.queue("auto", "events", "a", auto_delete=True)
    bus.queue("expiring", arguments={"x_expires": 10})
    consumers = [bus.consume("auto"), bus.consume("expiring")]
    own = Connection(f"embedded:///{bus.name}")
    Queue("exclusive", exclusive=True)(own.channel()).declare()
    for consumer in consumers:
        consumer.cancel()
    own.release()
    eventlet.sleep(0.03)
    for name in ("auto", "expiring", "exclusive"):
        with pytest.raises(NotFound):
            bus.channel.queue_declare(name, passive=True)


def test_a_queue_cannot_change(bus: Bus) -> None:
    bus.queue("q", arguments={"x_delivery_limit": 3})
    bus.queue("q", arguments={"x_delivery_limit": 3})
    with pytest.raises(PreconditionFailed):
        bus.queue("q", arguments={"x_delivery_limit": 4})


def test_settled_publishes_wait_until_every_service_has_started(bus: Bus) -> None:
    bus.broker.hold()
    bus.queue("early", "events", "a")
    bus.publish("event", "a", "events")
    bus.publish("call", "a", "events", settle=False)
    bus.queue("late", "events", "a")
    bus.consume("late")
    bus.broker.release()
    assert bus.drain() == ["event"]
    assert bus.channel.queue_declare("early", passive=True).message_count == 2


def test_calls_fail_at_once_when_the_process_closes_down(bus: Bus) -> None:
    bus.queue("rpc-pets")
    bus.broker.close_down()
    with pytest.raises(ChannelError, match="NO_ROUTE"):
        bus.publish("call", "rpc-pets", settle=False, mandatory=True)
    bus.publish("event", "rpc-pets")
    assert bus.settled == []


def test_a_put_wakes_a_waiting_consumer(bus: Bus) -> None:
    bus.queue("q")
    bus.consume("q")
    eventlet.spawn_after(0.01, bus.publish, "hello", "q")
    assert bus.drain(timeout=5) == ["hello"]


def test_addresses() -> None:
    assert (is_embedded("embedded://"), is_embedded("amqp://localhost")) == (True, False)
    assert (virtual_host("embedded://"), virtual_host("embedded:///tests")) == ("/", "tests")
