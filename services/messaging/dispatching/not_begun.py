"""Calls that had no time left to begin: their claims are given back, as if they had not been made.

What was claimed is queued again and due as it was, so that its next claim asks for consent anew; its attempt is struck
out, for nothing was attempted. Until that is committed it is a call without a result, as a killed dispatcher leaves it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from prometheus_client import Counter
from sqlalchemy import delete

from chassis.telemetry import log_of
from chassis.unit_of_work import UnitOfWork
from services.messaging.adapters.base import Called
from services.messaging.deliveries import move
from services.messaging.models import Attempt, Delivery

log = log_of(__name__)
given_back = Counter(
    "casewire_calls_not_begun_total",
    "Calls to a provider that had no time left to begin, and were given back",
    ["provider"],
)


def give_back(uow: UnitOfWork, called: Sequence[Called], provider: str, now: dt.datetime) -> None:
    """Queues them again, unless somebody has settled them meanwhile."""
    by_number: dict[int, list[str]] = {}
    for item in called:
        by_number.setdefault(item.number, []).append(item.delivery_id)
    for number, ids in sorted(by_number.items()):
        # A later attempt is another call, which may be under way.
        mine = (Delivery.state.in_(("sending", "unknown")), Delivery.attempts == number)
        moved = move(uow, "queued", now, where=[Delivery.id.in_(sorted(ids)), *mine], attempts=number - 1)
        struck_out = delete(Attempt).where(Attempt.delivery_id.in_(sorted(moved)), Attempt.number == number)
        uow.session.execute(struck_out.execution_options(synchronize_session=False))
    given_back.labels(provider).inc(len(called))
    log.warning("calls_not_begun", provider=provider, calls=len(called))
