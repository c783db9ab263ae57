"""A read through gateway → RPC → service → database, against a stock Nameko HTTP → RPC "hello"."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from bench import load
from bench.stage import Comparison, Stage
from bench.system import system
from deploy.processes import free_port, wait_until

CONNECTIONS = 16
SECONDS = 6.0
ROUNDS = 5


def report(stage: Stage) -> list[str]:
    """The lines to print."""
    ours, peer, slow = [], [], []
    with system() as running, _hello(stage) as hello:
        client = running.api.post("/v1/clients", {"first_name": "Ann", "phones": [{"number": "+12125550123"}]})
        path, headers = f"/v1/clients/{client['id']}", {"X-API-Key": running.key}
        for _ in range(ROUNDS):
            told = load.run("127.0.0.1", running.port, path, headers, CONNECTIONS, SECONDS)
            ours.append(told["rate"])
            slow.append(told["p99"])
            peer.append(load.run("127.0.0.1", hello, "/hello/Ann", {}, CONNECTIONS, SECONDS)["rate"])
        note = f", p99 {sorted(slow)[len(slow) // 2]:.0f} ms at {CONNECTIONS} connections"
    return [Comparison("a read", ours, peer, promised=0.8, note=note).line()]


@contextmanager
def _hello(stage: Stage) -> Iterator[int]:
    """The peer: two processes, as ours has a gateway and a service."""
    port = free_port()
    uri = stage.rabbitmq.create_vhost("hello")
    config = {"AMQP_URI": uri, "WEB_SERVER_ADDRESS": f"127.0.0.1:{port}", "max_workers": 10}
    with (
        stage.services("hello", ["bench.peers.hello:Hello"], config),
        stage.services("front", ["bench.peers.hello:Front"], config),
    ):
        wait_until(lambda: _answers(port), "the hello service", 30)
        yield port


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/hello/Ann", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
