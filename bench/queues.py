"""A bulk request sent by one dispatcher, against the same job done by a worker of Celery and one of Dramatiq.

The peers' messages lie in their queues before their worker starts: only the sending is measured, for all three from the
provider's first request to its last. Each is one process with the same number of calls at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.bulk import CONCURRENCY
from bench.mailing import office
from bench.stage import Comparison, Stage
from deploy.processes import end, start, wait_until
from tests.many_cases import Plan
from tests.stand_ins.twilio import TwilioStandIn

PLAN = Plan(cases=3_000, couples=0, opted_out=0)
PEER_MESSAGES = 3_000
ROUNDS = 2
PROMISED = 2.0
# Without heartbeats to other workers, of which there are none: with them, Celery 5.7 waits a tenth of a second for
# their events between any two messages of an eventlet pool.
WORKERS = {
    "celery": ["celery", "--quiet", "--app", "bench.peers.celery_sending", "worker", "--pool", "eventlet",
               "--concurrency", str(CONCURRENCY), "--loglevel", "ERROR", "--without-heartbeat", "--without-gossip",
               "--without-mingle"],
    "dramatiq": ["dramatiq", "bench.peers.dramatiq_sending", "--processes", "1", "--threads", str(CONCURRENCY)],
}  # fmt: skip


def report(stage: Stage) -> list[str]:
    """The lines to print. Raises RuntimeError if a ledger does not add up."""
    ours: list[float] = []
    peers: dict[str, list[float]] = {name: [] for name in WORKERS}
    with office(CONCURRENCY) as firm:
        selector = firm.add_cases(PLAN)
        for number in range(ROUNDS):
            for name, worker in WORKERS.items():
                peers[name].append(_peer(stage, firm.twilio, name, worker))
            ours.append(firm.send(selector, PLAN, again=number > 0).rate)
    note = f"; {CONCURRENCY} calls at once, one process each"
    return [
        Comparison("a bulk request, sent", ours, peers["celery"], PROMISED, note, peer_name="Celery").line(),
        Comparison("a bulk request, sent", ours, peers["dramatiq"], None, note, peer_name="Dramatiq").line(),
    ]


def _peer(stage: Stage, twilio: TwilioStandIn, name: str, worker: Sequence[str]) -> float:
    """Messages a second of a peer's worker."""
    database, vhost = f"{name}_sending", f"{name}-sending"
    environment = {
        "PEER_DATABASE_URL": stage.postgres.create_database(database),
        "PEER_AMQP_URI": stage.rabbitmq.create_vhost(vhost).replace("pyamqp:", "amqp:"),
        "PEER_TWILIO_URL": twilio.url,
        "PEER_CONCURRENCY": str(CONCURRENCY),
    }
    fill = [sys.executable, "-m", f"bench.peers.{name}_sending", str(PEER_MESSAGES)]
    subprocess.run(fill, check=True, capture_output=True, env={**os.environ, **environment})
    twilio.reset()
    program = str(Path(sys.executable).with_name(worker[0]))
    log = stage.folder / f"{name}.log"
    process = start([program, *worker[1:]], folder=stage.folder, log=log, environment=environment)
    try:
        wait_until(lambda: twilio.counts()["accepted"] >= PEER_MESSAGES, f"{name} has sent all", 180, pause=0.5)
    except TimeoutError as error:
        raise RuntimeError(f"{error}; it said: {log.read_text(errors='replace')[-2000:]}") from error
    finally:
        end(process, 5)
        stage.rabbitmq.delete_vhost(vhost)
    requests = twilio.accepted()
    return (len(requests) - 1) / (requests[-1]["at"] - requests[0]["at"])
