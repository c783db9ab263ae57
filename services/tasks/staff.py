"""Who of the firm's staff works there?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from contracts.errors import invalid_field

_ASKED_AT_ONCE = 1_000


def facts_of_staff(calls: Any, staff_ids: Collection[str]) -> dict[str, dict[str, Any] | None]:
    """`accounts.get_staff_facts` by id; None for who is none. Raises Unavailable."""
    wanted = sorted(staff_ids)
    asked = [
        calls.accounts.get_staff_facts.start(staff_ids=wanted[first : first + _ASKED_AT_ONCE])
        for first in range(0, len(wanted), _ASKED_AT_ONCE)
    ]
    found = {member["staff_id"]: member for reply in asked for member in reply.result()["staff"]}
    return dict.fromkeys(wanted) | found


def demand_staff(calls: Any, named: Sequence[tuple[str, str]]) -> None:
    """`named`: (path, staff id). Raises Invalid that names the place: `unknown_staff`, `inactive_staff`.

    One call, whatever their number; none if nobody is named.
    """
    if not named:
        return
    wanted = sorted({staff_id for _, staff_id in named})
    active = {entry["staff_id"]: entry["active"] for entry in calls.accounts.get_staff_facts(staff_ids=wanted)["staff"]}
    for path, staff_id in named:
        if staff_id not in active:
            raise invalid_field(path, "There is no such staff member.", "unknown_staff")
        if not active[staff_id]:
            raise invalid_field(path, "This staff member is no longer active.", "inactive_staff")
