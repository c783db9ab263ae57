"""Events, outbox to committed effect, against stock Nameko (EventDispatcher to an event_handler that writes a row)."""

from __future__ import annotations

import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.stage import Comparison, Stage
from deploy.processes import free_port, wait_until

EVENTS = 10_000
ROUNDS = 3
WORKERS = 10


def measure(stage: Stage) -> Comparison:
    """Rows a second from the first event to the last committed row, in turn."""
    ours, peer = [], []
    with _ours(stage) as ours_run, _peer(stage) as peer_run:
        for _ in range(ROUNDS):
            ours.append(ours_run())
            peer.append(peer_run())
    return Comparison("events, outbox to committed effect", ours, peer, promised=3.0)


def _rate(stage: Stage, database: str, port: int) -> float:
    """Ask for the events, and wait until their rows are there."""
    stage.postgres.ask(database, "TRUNCATE effect")
    began = time.perf_counter()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/produce/{EVENTS}", method="POST")
    with urllib.request.urlopen(request, timeout=300):
        pass
    wait_until(
        lambda: stage.postgres.ask(database, "SELECT count(*) FROM effect")[0][0] == EVENTS,
        f"{EVENTS} rows in {database}", 300, pause=0.02,
    )  # fmt: skip
    return EVENTS / (time.perf_counter() - began)


@contextmanager
def _pair(stage: Stage, name: str, package: str, uri: str, urls: tuple[str, str]) -> Iterator[Any]:
    """A producer and a consumer as two processes, each on a database; yields a function that runs one round."""
    port = free_port()
    common = {"AMQP_URI": uri, "max_workers": WORKERS, "WEB_SERVER_ADDRESS": f"127.0.0.1:{port}"}
    produce = {**common, "DATABASE_URL": urls[0]}
    consume = {**common, "DATABASE_URL": urls[1]}
    with (
        stage.services(f"{name}-consumer", [f"{package}.events:Consumer"], consume),
        stage.services(f"{name}-producer", [f"{package}.events:Producer"], produce),
    ):
        wait_until(lambda: _listens(port), f"{name} serves", 30)
        yield lambda: _rate(stage, urls[1].rpartition("/")[2], port)


def _listens(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing", timeout=2)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def _ours(stage: Stage) -> Iterator[Any]:
    from bench.ours.events import Consumer, ConsumerBase, Producer, ProducerBase
    from chassis.queues import declare_queues
    from chassis.testing import make_database

    urls = []
    for database, base in (("ours_producer", ProducerBase), ("ours_consumer", ConsumerBase)):
        secret = secrets.token_urlsafe(18)
        _, owner = stage.postgres.create_service_database(database, database, secret, secret)
        urls.append(make_database(base, owner).url)
    uri = stage.rabbitmq.create_vhost("ours_events")
    declare_queues({"AMQP_URI": uri}, [Producer, Consumer])
    with _pair(stage, "ours-events", "bench.ours", uri, (urls[0], urls[1])) as run:
        yield run


@contextmanager
def _peer(stage: Stage) -> Iterator[Any]:
    url = stage.postgres.create_database("peer_effects")
    stage.postgres.ask("peer_effects", "CREATE TABLE effect (id bigserial PRIMARY KEY, number integer NOT NULL)")
    uri = stage.rabbitmq.create_vhost("peer_events")
    with _pair(stage, "peer-events", "bench.peers", uri, (url, url)) as run:
        yield run


def report(stage: Stage) -> list[str]:
    """The lines to print."""
    return [measure(stage).line()]
