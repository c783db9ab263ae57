"""Dramatiq, in the plain way of its documentation: one message an actor call, publishes confirmed, one worker process
with its threads. `dramatiq bench.peers.dramatiq_sending --processes 1 --threads N`; to fill its queue
`python -m bench.peers.dramatiq_sending COUNT`."""

from __future__ import annotations

import os
import sys

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from bench.peers import sending

dramatiq.set_broker(RabbitmqBroker(url=os.environ["PEER_AMQP_URI"], confirm_delivery=True))


@dramatiq.actor
def send(delivery_id: str) -> None:
    sending.send(delivery_id)


def main() -> None:
    for delivery_id in sending.fill(os.environ["PEER_DATABASE_URL"], int(sys.argv[1])):
        send.send(delivery_id)


if __name__ == "__main__":
    main()
