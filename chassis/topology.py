"""The exchanges and queues that events travel by.

An event goes to its owner's topic exchange, and from there to one queue per subscription. A subscription that fails
publishes the message, confirmed, to a retry exchange with its own queue's name as routing key; the retry queue behind
it holds the message for its delay and then returns it to that queue alone. What is delivered too often (it kills its
worker) goes to the service's dead-letter queue.

RabbitMQ drops what no queue takes. So `chassis.queues` declares every service's queues before anybody publishes, and
leaves a mark on the broker that all are there; a relay publishes only where it finds that mark.
"""

from __future__ import annotations

from typing import Any

from amqp.exceptions import PreconditionFailed
from kombu.entity import Exchange, Queue

from chassis.outbox import exchange_name

RETRY_SECONDS: tuple[float, ...] = (5, 30, 300)
"""How long an event waits after its first, second and third failure; after the next it is parked."""

DELIVERY_LIMIT = 20
"""Deliveries without an answer. A batch that is killed counts for the innocent in it too, so that this is the last
resort; `chassis.event_handling` finds the guilty long before."""

_QUORUM = {
    "x-queue-type": "quorum",
    # A dead letter is kept until its target has it; that strategy demands that a full queue refuses.
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": "",
}


_ALL_DECLARED = Exchange("casewire.queues-declared", type="fanout", durable=True)


def event_exchange(owner: str, channel: Any = None) -> Exchange:
    """The topic exchange of a service's events."""
    return Exchange(exchange_name(owner), type="topic", durable=True, channel=channel)


def subscription_queue(name: str, owner: str, event_name: str, service: str) -> Queue:
    """The queue of a subscription."""
    arguments = {
        **_QUORUM,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-routing-key": dead_letter_name(service),
    }
    exchange = event_exchange(owner)
    return Queue(name, exchange=exchange, routing_key=event_name, durable=True, queue_arguments=arguments)


def declare_subscription(channel: Any, queue: Queue, service: str) -> None:
    """Declares the queue of a service's subscription, and the one for its dead letters. Raises RuntimeError if there is
    one with other arguments, which its consumer would wait at in silence."""
    try:
        dead_letter_queue(service)(channel).declare()
        queue(channel).declare()
    except PreconditionFailed as error:
        raise RuntimeError(f"queue {queue.name} exists with other arguments: drain and delete it") from error


def mark_declared(channel: Any) -> None:
    """Leaves the mark that every service's queues are there."""
    _ALL_DECLARED(channel).declare()


def demand_declared(channel: Any) -> None:
    """Raises amqp's NotFound, and closes the channel, where the mark is missing."""
    _ALL_DECLARED(channel).declare(passive=True)


def broadcast_queue(name: str, owner: str, event_name: str) -> Queue:
    """The queue of one process's broadcast subscription; it goes with the process."""
    return Queue(
        name,
        exchange=event_exchange(owner),
        routing_key=event_name,
        durable=False,
        exclusive=True,
        auto_delete=True,
        queue_arguments={"x-queue-type": "classic"},
    )


def dead_letter_name(service: str) -> str:
    """The name of a service's dead-letter queue."""
    return f"{service}.dead-letters"


def dead_letter_queue(service: str) -> Queue:
    """The queue of what a service's subscriptions were given too often."""
    return Queue(dead_letter_name(service), durable=True, queue_arguments={"x-queue-type": "quorum"})


def retry_exchange(seconds: float) -> str:
    """The exchange that returns a message to the queue of its routing key after a delay."""
    return f"casewire.retry.{seconds:g}s"


def declare_retries(channel: Any) -> None:
    """Declares the retry exchanges and queues, which all services share."""
    for seconds in RETRY_SECONDS:
        name = retry_exchange(seconds)
        exchange = Exchange(name, type="topic", durable=True)
        # No dead-letter routing key: the message keeps its own, which is the queue it came from.
        arguments = {**_QUORUM, "x-message-ttl": int(seconds * 1000)}
        Queue(name, exchange=exchange, routing_key="#", durable=True, queue_arguments=arguments)(channel).declare()
