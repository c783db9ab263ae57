"""What clients tell of two clients that became one, for the tests of those that follow."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts.clients import CLIENTS_MERGED, CLIENTS_UNMERGED

AT = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)


class Merge:
    """One merge, told to a service's handlers `follow_merges` and `follow_undone_merges`, each event twice."""

    def __init__(self, service: Any, firm_id: str, surviving_id: str, merged_id: str, at: dt.datetime = AT) -> None:
        self._service, self._firm_id = service, firm_id
        self.surviving_id, self.merged_id, self.at = surviving_id, merged_id, at
        self.id = new_id()

    def told(self) -> Merge:
        """It is heard of, for the first time or again."""
        return self._hear("follow_merges", CLIENTS_MERGED, {})

    def undone(self, after: dt.timedelta = dt.timedelta(hours=1)) -> Merge:
        """Its undo is heard of."""
        return self._hear("follow_undone_merges", CLIENTS_UNMERGED, {"at": self.at + after, "merged_at": self.at})

    def _hear(self, handler: str, event: Any, more: dict[str, Any]) -> Merge:
        data = {
            "merge_id": self.id, "surviving_id": self.surviving_id, "merged_id": self.merged_id, "version": 2,
            "at": self.at, **more,
        }  # fmt: skip
        made = received(event, data, firm_id=self._firm_id, subscription=handler)
        deliver(self._service, handler, made)
        deliver(self._service, handler, made)
        return self
