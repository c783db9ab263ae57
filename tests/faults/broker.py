"""Rows 4 to 6: RabbitMQ killed and started again, frozen, and without room on its disk."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.faults.deployments import Distributed
from tests.faults.figures import Figure, at_least, below
from tests.faults.probes import asking, reading
from tests.faults.processes import Stream
from tests.faults.work import Firm, Load
from tests.systems import eventually

CONSUMING_WITHIN = 60.0
ANSWERED_WITHIN = 2.0
RELAY_GIVES_UP_WITHIN = 6.0
PATHS = ("/v1/firm", "/v1/clients?limit=1", "/v1/cases?limit=1", "/health/live", "/health/ready")
SETTLED = 2.5
"""Seconds that RabbitMQ keeps declarations in memory: a kill within them also loses its bindings."""
MORE_THAN_ANY_DISK = "1000000GB"
LEAST_ROOM = "100MB"

Say = Callable[[str], None]


def kill_the_broker(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """Row 4: the supervisor starts it again."""
    deployment = _distributed(firm)
    stream = Stream(firm, load)
    slowest = 0.0
    for number in range(load.faults):
        stream.feed()
        time.sleep(SETTLED)
        old = deployment.pid("rabbitmq")
        began = time.monotonic()
        deployment.send_signal("rabbitmq", signal.SIGKILL)
        eventually(lambda old=old: deployment.pid("rabbitmq") != old, "RabbitMQ started again", 60)
        eventually(deployment.ready, "everything consuming again", 120)
        slowest = max(slowest, time.monotonic() - began)
        say(f"killed {number + 1} times, consuming again after {slowest:.1f} s at most")
    firm.settled(*stream.batches)
    return [below("consuming again, s", slowest, CONSUMING_WITHIN * load.slack), *firm.account(*stream.batches)]


def freeze_the_broker(firm: Firm, load: Load, say: Say, seconds: float = 30.0) -> list[Figure]:
    """Row 5."""
    deployment = _distributed(firm)
    stream = Stream(firm, load)
    slowest, longest, answers = 0.0, 0.0, 0
    for number in range(load.faults):
        stream.feed()
        # Frozen while messages go out, so that a relay has something in hand.
        firm.sent_at_least(firm.sent(*stream.batches) + 5, *stream.batches)
        deployment.send_signal("rabbitmq", signal.SIGSTOP)
        try:
            with asking(deployment.api, reading(deployment.api, PATHS)) as probe:
                longest = max(longest, _longest_transaction(deployment, seconds))
        finally:
            deployment.send_signal("rabbitmq", signal.SIGCONT)
        answers += sum(probe.statuses.values())
        slowest = max(slowest, probe.slowest)
        say(f"frozen {number + 1} times; {dict(probe.statuses)}, the slowest {probe.slowest:.2f} s "
            f"({probe.slowest_path}); the relay's longest transaction {longest:.1f} s")  # fmt: skip
        deployment.wait_ready(120)
    firm.settled(*stream.batches)
    return [
        below("API answers, s", slowest, ANSWERED_WITHIN * load.slack),
        at_least("answers meanwhile", answers, 1),
        below("relay gives up, s", longest, RELAY_GIVES_UP_WITHIN * load.slack),
        *firm.account(*stream.batches),
    ]


def _longest_transaction(deployment: Distributed, seconds: float) -> float:
    """Watches PostgreSQL for so long: the age of the oldest transaction that waits for its client. A relay holds its
    rows while it waits for the broker, and nothing else waits in a transaction."""
    asked = (
        "SELECT extract(epoch FROM max(clock_timestamp() - xact_start)) FROM pg_stat_activity"
        " WHERE state = 'idle in transaction'"
    )
    end, longest = time.monotonic() + seconds, 0.0
    while time.monotonic() < end:
        longest = max(longest, float(deployment.administer(asked)[0][0] or 0))
        time.sleep(0.1)
    return longest


def fill_the_disk(firm: Firm, load: Load, say: Say, seconds: float = 20.0) -> list[Figure]:
    """Row 6: RabbitMQ's own alarm, by a limit that no disk meets; it then takes nothing from publishers."""
    deployment = _distributed(firm)
    stream = Stream(firm, load)
    firm.sent_at_least(load.messages // 20, *stream.batches)
    deployment.control_broker("set_disk_free_limit", MORE_THAN_ANY_DISK)
    try:
        with asking(deployment.api, reading(deployment.api, PATHS)) as probe:
            grown, end = 0, time.monotonic() + seconds
            while time.monotonic() < end:
                grown = max(grown, deployment.unpublished())
                time.sleep(0.2)
    finally:
        deployment.control_broker("set_disk_free_limit", LEAST_ROOM)
    drained = deployment.outbox_empty()
    say(f"{grown} waited in the outboxes, drained within {drained:.1f} s; API {dict(probe.statuses)}, the slowest "
        f"{probe.slowest:.2f} s ({probe.slowest_path})")  # fmt: skip
    deployment.wait_ready(120)
    firm.settled(*stream.batches)
    return [
        at_least("outbox grew to", grown, 1),
        below("outbox drained, s", drained, 60.0),
        Figure("API answers, s", round(probe.slowest, 2)),
        *firm.account(*stream.batches),
    ]


def _distributed(firm: Firm) -> Distributed:
    assert isinstance(firm.deployment, Distributed)
    return firm.deployment
