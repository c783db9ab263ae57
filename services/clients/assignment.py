"""To whom of the firm's staff a client is assigned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.errors import NotFound, invalid_field

FIELD = "assigned_staff_id"
_ASKED_AT_ONCE = 200


def demand_staff(calls: Any, fields: Mapping[str, Any]) -> None:
    """Raises Invalid that names the field, if clients are to be assigned to nobody of the firm's active staff, and
    Unavailable if accounts cannot say. Not inside a transaction."""
    staff_id = fields.get(FIELD)
    if staff_id is None:
        return
    try:
        staff = calls.accounts.get_staff(staff_id=staff_id)
    except NotFound as error:
        raise invalid_field(FIELD, "Nobody of the firm's staff.", "unknown_staff") from error
    if not staff["active"]:
        raise invalid_field(FIELD, "Not active any more.", "inactive_staff")


def staff_ids(calls: Any) -> list[str]:
    """All of the firm's staff, also those who are not active any more: in a file that was exported their clients are
    still theirs. Raises Unavailable if accounts cannot say. Not inside a transaction."""
    ids: list[str] = []
    cursor: str | None = None
    while True:
        listed = calls.accounts.list_staff(limit=_ASKED_AT_ONCE, cursor=cursor)
        ids += [staff["id"] for staff in listed["data"]]
        if (cursor := listed["meta"]["next_cursor"]) is None:
            return ids


def facts_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What a client's activity tells of a change: from whom to whom."""
    if before[FIELD] == after[FIELD]:
        return {}
    return {FIELD: after[FIELD], "assigned_before": before[FIELD]}
