"""The firms' calendars, kept for a moment: dates that follow from an answer need one, no answer waits for a call."""

from __future__ import annotations

from typing import Any

from cachetools import LRUCache, TTLCache
from nameko.extensions import DependencyProvider

from contracts.errors import DeadlineExceeded, Unavailable
from services.tasks.due_dates import Calendar

CACHE_SECONDS = 30
"""How long a change may go unseen by a replica that did not get the event itself."""
CACHE_SIZE = 10_000


class Calendars:
    """Firms' calendars by firm id. A change event drops one at once; else it is asked for again after 30 seconds, and
    where that fails the one before holds: a client can answer while accounts is away."""

    def __init__(self) -> None:
        self._fresh: TTLCache[str, Calendar] = TTLCache(CACHE_SIZE, CACHE_SECONDS)
        self._last: LRUCache[str, Calendar] = LRUCache(CACHE_SIZE)

    def get(self, firm_id: str, calls: Any) -> Calendar | None:
        """None if it is not known and accounts cannot be asked."""
        if firm_id not in self._fresh:
            try:
                self._last[firm_id] = Calendar.of_firm(calls.accounts.get_firm())
            except (Unavailable, DeadlineExceeded):
                if firm_id not in self._last:
                    return None
            self._fresh[firm_id] = self._last[firm_id]
        return self._last.get(firm_id)

    def drop(self, firm_id: str) -> None:
        """It changed."""
        self._fresh.pop(firm_id, None)
        self._last.pop(firm_id, None)


class Firms(DependencyProvider):
    """One `Calendars` for all workers of a process."""

    def setup(self) -> None:
        self._calendars = Calendars()

    def get_dependency(self, worker_ctx: Any) -> Calendars:
        return self._calendars
