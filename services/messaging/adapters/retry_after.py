"""The delay that a provider asks for where it is asked for too much (RFC 9110, 10.2.3)."""

from __future__ import annotations

import datetime as dt
import math
from email.utils import parsedate_to_datetime


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds until what a Retry-After header names: a number of them, or an instant. None where it names none."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        pass
    else:
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    try:
        wait = parsedate_to_datetime(retry_after) - dt.datetime.now(dt.UTC)
    except (TypeError, ValueError):
        return None
    return max(wait.total_seconds(), 0.0)
