"""Celery, in the plain way of its documentation: one task a message, acknowledged late, publishes confirmed, one worker
on its eventlet pool. `celery --app bench.peers.celery_sending worker --pool eventlet --concurrency N`; to fill its
queue `python -m bench.peers.celery_sending COUNT`."""

from __future__ import annotations

import os
import sys

from celery import Celery

from bench.peers import sending

app = Celery("sending", broker=os.environ["PEER_AMQP_URI"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    broker_transport_options={"confirm_publish": True},
)


@app.task(name="send")
def send(delivery_id: str) -> None:
    sending.send(delivery_id)


def main() -> None:
    for delivery_id in sending.fill(os.environ["PEER_DATABASE_URL"], int(sys.argv[1])):
        send.delay(delivery_id)


if __name__ == "__main__":
    main()
