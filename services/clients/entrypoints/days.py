"""The moment that clients' filters are read at: days in them are those of the firm's zone, which accounts knows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from chassis.columns import utc_now
from chassis.database import Database
from chassis.firm_days import FirmZones, may_count_days
from services.clients.filter_fields import CLIENT_FIELDS
from services.clients.selecting import filter_of_group


class FirmDays:
    """Nameko finds the dependency of a base class as it does the service's own."""

    db: Database
    calls: Any

    zones = FirmZones()

    def _now_for(self, query: Mapping[str, Any]) -> dt.datetime:
        """The present moment for a `filter`, and for the one of a group by its `group_id`: in the firm's zone, if one
        of them may depend on its days."""
        filters = [query.get("filter")]
        if (group_id := query.get("group_id")) is not None:
            filters.append(filter_of_group(self.db, group_id))
        if not any(may_count_days(wire, CLIENT_FIELDS) for wire in filters):
            return utc_now()
        return self.zones.at_firm(str(self.db.firm_id), self.calls.accounts.get_firm, utc_now())
