"""The last moment at which a request may begin.

A STOP that commits after a claim cannot undo the claim, so that what was claimed must leave at once or not at all: a
process that lost time in between has lost the right to make the call. Each adapter asks right before the first bytes of
its request leave, when all else is ready.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class TooLate(Exception):
    """Nothing of the request has left, and it must not leave any more."""


# Not an argument: Twilio's and Amazon's libraries stand between an adapter and its connections.
_begin_by: ContextVar[float] = ContextVar("begin_by", default=math.inf)


@contextmanager
def begin_by(moment: float) -> Iterator[None]:
    """Requests of this green thread must have begun by `moment`, of `time.monotonic`."""
    token = _begin_by.set(moment)
    try:
        yield
    finally:
        _begin_by.reset(token)


def demand_in_time() -> None:
    """Raises TooLate if the moment has passed."""
    if time.monotonic() > _begin_by.get():
        raise TooLate
