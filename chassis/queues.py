"""Declaring queues before anybody publishes.

RabbitMQ drops an event that no queue takes, so that a service that was never started would miss what the others say
until then. Every service's queues are declared once for a broker and a release, as databases are migrated; relays wait
for the mark that this leaves. A queue is declared by the code, and with the arguments, of the subscription itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chassis import topology
from chassis.events import connection_to, queues


def declare_queues(config: Any, services: Iterable[Any]) -> list[str]:
    """Declares the queue of each subscription of these service classes, which must be all that listen on the bus, and
    marks the bus as ready to be published to. Returns the queues' names; the same again changes nothing.

    Raises OSError if the bus is not reached, RuntimeError if a queue exists with other arguments.
    """
    names = []
    with connection_to(config) as connection:
        channel = connection.channel()
        topology.declare_retries(channel)
        for service in services:
            for queue in queues(service):
                topology.declare_subscription(channel, queue, service.name)
                names.append(queue.name)
        topology.mark_declared(channel)
    return names
