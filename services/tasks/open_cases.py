"""May anything be asked on a case?"""

from __future__ import annotations

from typing import Any

from contracts.errors import Conflict
from services.tasks.views import demand_case


def demand_open_case(calls: Any, case_id: str) -> dict[str, Any]:
    """The facts of a case that may get tasks, as a closed one may.

    Raises NotFound `case_not_found`, Conflict `case_archived`, and `case_pending` while its client is being created.
    """
    facts = demand_case(calls, case_id)
    if facts["state"] in ("archived", "pending"):
        raise Conflict(f"case_{facts['state']}", case_id=case_id)
    return facts
