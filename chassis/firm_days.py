"""The present moment as a firm's clocks tell it, for filters that count days from the firm's own, or name one.

zones = FirmZones()
now = self.zones.at_firm(firm_id, self.calls.accounts.get_firm, utc_now())
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from cachetools import LRUCache, TTLCache
from nameko.extensions import DependencyProvider

from chassis.filters.fields import Catalogue
from chassis.filters.parsing import mentions
from contracts.errors import DeadlineExceeded, Unavailable

CACHE_SECONDS = 30
"""How long a firm that moved to another zone is taken to be in the one before."""
CACHE_SIZE = 10_000


class Zones:
    """Firms' time zones by firm id. Each is asked for again after 30 seconds; where that fails the one before holds."""

    def __init__(self) -> None:
        self._fresh: TTLCache[str, ZoneInfo] = TTLCache(CACHE_SIZE, CACHE_SECONDS)
        self._last: LRUCache[str, ZoneInfo] = LRUCache(CACHE_SIZE)

    def at_firm(self, firm_id: str, ask: Callable[[], Mapping[str, Any]], now: dt.datetime) -> dt.datetime:
        """`now` in the firm's zone, which `ask` answers as `time_zone`. Not inside a transaction. Raises what `ask`
        raises; Unavailable and DeadlineExceeded only if it never answered."""
        zone = self._fresh.get(firm_id)
        if zone is None:
            try:
                zone = ZoneInfo(ask()["time_zone"])
            except (Unavailable, DeadlineExceeded):
                if firm_id not in self._last:
                    raise
                zone = self._last[firm_id]
            self._fresh[firm_id] = self._last[firm_id] = zone
        return now.astimezone(zone)


def may_count_days(wire: Any, catalogue: Catalogue) -> bool:
    """Whether a filter, right or wrong, may depend on when the firm's days begin: because it counts from today, or
    compares an instant with a day; itself, or by a saved one that it mentions."""
    found = mentions(wire)
    if found.counts_days or found.saved:
        return True
    return any((field := catalogue.find(name)) is not None and field.kind == "instant" for name in found.with_days)


class FirmZones(DependencyProvider):
    """One `Zones` for all workers of a process."""

    def setup(self) -> None:
        self._zones = Zones()

    def get_dependency(self, worker_ctx: Any) -> Zones:
        return self._zones
