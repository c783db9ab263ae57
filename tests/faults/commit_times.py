"""When a STOP was committed, by PostgreSQL's own word."""

from __future__ import annotations

import signal
from collections.abc import Collection

from tests.faults.deployments import Deployment, Distributed
from tests.systems import eventually


def keep_commit_times(deployment: Deployment) -> None:
    """Has PostgreSQL note when each transaction was committed, which takes a restart."""
    if not isinstance(deployment, Distributed):
        return
    if deployment.administer("SHOW track_commit_timestamp") == [("on",)]:
        return
    deployment.administer("ALTER SYSTEM SET track_commit_timestamp = on")
    old = deployment.pid("postgres")
    deployment.send_signal("postgres", signal.SIGINT)
    eventually(lambda: deployment.pid("postgres") != old, "PostgreSQL started again", 60)
    deployment.wait_ready()


def commit_times(deployment: Deployment, people: Collection[str]) -> dict[str, float]:
    """Number to when its latest STOP was committed, in seconds since the epoch."""
    if not isinstance(deployment, Distributed):
        return {}
    rows = deployment.ask(
        "messaging",
        "SELECT address, extract(epoch FROM max(pg_xact_commit_timestamp(xmin))) FROM consent_entry "
        "WHERE state = 'opted_out' AND address IS NOT NULL GROUP BY address",
    )
    return {address: float(at) for address, at in rows if address in people and at is not None}
