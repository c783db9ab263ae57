"""Row 7: PostgreSQL stopped at once and started again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.faults.deployments import Distributed
from tests.faults.figures import Figure, at_least, exactly
from tests.faults.probes import asking, writing
from tests.faults.processes import Stream
from tests.faults.work import Firm, Load
from tests.systems import eventually

AT_ONCE = 500
BETWEEN = 30
"""Clients that are created between two stops, at the least."""


def stop_the_database(firm: Firm, load: Load, say: Callable[[str], None]) -> list[Figure]:
    """The immediate shutdown of `pg_ctl -m immediate`; the supervisor starts it again. Every 2xx is written down."""
    deployment = firm.deployment
    assert isinstance(deployment, Distributed)
    stream = Stream(firm, load)
    slowest = 0.0
    with asking(deployment.api, writing(deployment.api), threads=3) as probe:
        for number in range(load.faults):
            stream.feed()
            wanted = len(probe.created) + BETWEEN
            eventually(lambda wanted=wanted: len(probe.created) >= wanted, "writes between two stops")
            old = deployment.pid("postgres")
            began = time.monotonic()
            deployment.send_signal("postgres", signal.SIGQUIT)
            eventually(lambda old=old: deployment.pid("postgres") != old, "PostgreSQL started again", 60)
            deployment.wait_ready()
            slowest = max(slowest, time.monotonic() - began)
            say(f"stopped {number + 1} times; {len(probe.created)} clients created, answers {dict(probe.statuses)}")
    present = set()
    for start in range(0, len(probe.created), AT_ONCE):
        listed = ", ".join(f"'{id_}'" for id_ in probe.created[start : start + AT_ONCE])
        present |= {str(row[0]) for row in deployment.ask("clients", f"SELECT id FROM client WHERE id IN ({listed})")}
    firm.settled(*stream.batches)
    return [
        exactly("2xx without a row", len(set(probe.created) - present), 0),
        at_least("2xx written down", len(probe.created), 1),
        Figure("ready again, s", round(slowest, 1)),
        *firm.account(*stream.batches),
    ]
