"""What the entrypoints of cases stand on: its database and the other services."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.columns import utc_now
from chassis.context import current
from chassis.database import Data
from chassis.firm_days import FirmZones, may_count_days
from chassis.rpc import Calls
from chassis.sealing import Keys
from contracts import accounts, clients, tasks
from services.cases.filter_fields import CASE_FIELDS
from services.cases.looking_ahead import Selections
from services.cases.models import Base
from services.cases.sealed_values import SEALING

Record = dict[str, Any]
BATCH = 500


class Dependencies:
    """The base of every group of entrypoints."""

    db = Data(Base)
    calls = Calls(accounts, clients, tasks)
    keys = Keys(Base, SEALING)
    zones = FirmZones()
    kept_selections = Selections()

    def _now_for(self, *wires: Any) -> dt.datetime:
        """The present moment for filters: in the firm's zone, if one of them may count days. Not inside a
        transaction."""
        if not any(may_count_days(wire, CASE_FIELDS) for wire in wires):
            return utc_now()
        return self.zones.at_firm(str(self.db.firm_id), self.calls.accounts.get_firm, utc_now())

    @property
    def _actor(self) -> str | None:
        context = current()
        return context.actor_id if context is not None else None
