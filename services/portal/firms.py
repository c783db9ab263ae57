"""What portal needs of a firm's settings, kept for a moment: it is asked for with every page and every link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cachetools import TTLCache
from nameko.extensions import DependencyProvider

CACHE_SECONDS = 30
"""How long a change may go unseen by a replica that did not get the event itself."""
CACHE_SIZE = 10_000


class FirmCache:
    """Firms' settings by firm id. A change event drops one at once; else it lives 30 seconds."""

    def __init__(self) -> None:
        self._firms: TTLCache[str, dict[str, Any]] = TTLCache(CACHE_SIZE, CACHE_SECONDS)

    def get(self, firm_id: str, fetch: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The settings, fetched if they are not at hand."""
        firm = self._firms.get(firm_id)
        if firm is None:
            firm = self._firms[firm_id] = fetch()
        return firm

    def drop(self, firm_id: str) -> None:
        """They changed."""
        self._firms.pop(firm_id, None)


class Firms(DependencyProvider):
    """One `FirmCache` for all workers of a process."""

    def setup(self) -> None:
        self._cache = FirmCache()

    def get_dependency(self, worker_ctx: Any) -> FirmCache:
        return self._cache
