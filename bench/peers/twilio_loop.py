"""Twilio's bare client in a loop on a green pool: `python -m bench.peers.twilio_loop URL COUNT CONCURRENCY`.

Prints one line of JSON: {"sent", "seconds", "rate" (messages a second)}.
"""

from __future__ import annotations

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

from twilio.rest import Client  # noqa: E402

TEXT = "Harbor & Pine: Ann, please finish: https://casewire.example/p/{:043d} Reply STOP to end."


def send(client: Any, count: int, concurrency: int) -> float:
    """Seconds that `count` messages take, `concurrency` at once."""
    pool = eventlet.GreenPool(concurrency)
    began = time.perf_counter()
    for number in range(count):
        pool.spawn_n(
            client.messages.create,
            to=f"+1917{number:07d}",
            from_="+12125550100",
            body=TEXT.format(number),
            status_callback=f"https://casewire.example/webhooks/twilio/status?token={number:036d}",
        )
    pool.waitall()
    return time.perf_counter() - began


def main() -> None:
    url, count, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    client = Client("ACbench", "token")
    client.api.base_url = url
    send(client, min(200, count), concurrency)
    seconds = send(client, count, concurrency)
    print(json.dumps({"sent": count, "seconds": round(seconds, 3), "rate": round(count / seconds, 1)}))


if __name__ == "__main__":
    main()
