"""What the entrypoints of cases stand on: its database and the other services."""

from __future__ import annotations

from typing import Any

from chassis.context import current
from chassis.database import Data
from chassis.rpc import Calls
from chassis.sealing import Keys
from contracts import accounts, clients, tasks
from services.cases.models import Base
from services.cases.sealed_values import SEALING

Record = dict[str, Any]
BATCH = 500


class Dependencies:
    """The base of every group of entrypoints."""

    db = Data(Base)
    calls = Calls(accounts, clients, tasks)
    keys = Keys(Base, SEALING)

    @property
    def _actor(self) -> str | None:
        context = current()
        return context.actor_id if context is not None else None
