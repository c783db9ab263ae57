"""What a template says is done when the time of its tasks has passed: checked when it is saved, and kept with them.

The words of a reminder are kept by messaging, as they are when they are saved, so that whoever announces thousands of
deadlines need not ask for them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from contracts.errors import Invalid, NotFound, invalid_field
from contracts.tasks import OverdueHandling

Handling = dict[str, Any]


def prepared(calls: Any, given: Handling | None, before: Handling | None) -> Handling | None:
    """What is stored, from a loaded `OverdueHandling`: wire values, and the `content_id` of a reminder's words. None if
    nothing is to be done. `before`: what is stored now; words that are the same are not kept again.

    Raises Invalid `unknown_staff`, `inactive_staff`, and what `messaging.save_content` raises, and Unavailable.
    """
    if given is None or not any(given.values()):
        return None
    named = given["notify_staff_ids"]
    _check_staff(calls, named, (before or {}).get("notify_staff_ids") or ())
    handling: Handling = OverdueHandling().dump({**given, "notify_staff_ids": list(dict.fromkeys(named))})
    if given["remind_client"] is not None:
        handling["remind_client"]["content_id"] = _content_of(calls, handling, (before or {}).get("remind_client"))
    return handling


def shown(stored: Handling | None) -> Handling | None:
    """A loaded `OverdueHandling`, as the template's owner gave it."""
    if stored is None:
        return None
    reminder = stored["remind_client"]
    words = reminder and {name: value for name, value in reminder.items() if name != "content_id"}
    loaded: Handling = OverdueHandling().load({**stored, "remind_client": words})
    return loaded


def _check_staff(calls: Any, staff_ids: Sequence[str], checked: Collection[str]) -> None:
    """Who is named anew must work here; who was, may have left since."""
    fresh = [staff_id for staff_id in dict.fromkeys(staff_ids) if staff_id not in checked]
    if not fresh:
        return
    known = {member["staff_id"]: member for member in calls.accounts.get_staff_facts(staff_ids=fresh)["staff"]}
    for staff_id in fresh:
        field = f"overdue.notify_staff_ids.{staff_ids.index(staff_id)}"
        if staff_id not in known:
            raise invalid_field(field, "No staff member of this firm.", "unknown_staff")
        if not known[staff_id]["active"]:
            raise invalid_field(field, "This staff member is no longer active.", "inactive_staff")


def _content_of(calls: Any, handling: Handling, before: Handling | None) -> str:
    reminder = handling["remind_client"]
    if before is not None and all(before[name] == reminder[name] for name in ("channels", "message")):
        kept: str = before["content_id"]
        return kept
    try:
        saved = calls.messaging.save_content(message=reminder["message"], channels=reminder["channels"])
    except (Invalid, NotFound) as refused:
        fields = [{**entry, "field": f"overdue.remind_client.{entry['field']}"} for entry in refused.fields]
        raise Invalid(refused.code, fields=fields, **refused.meta) from refused
    content_id: str = saved["content_id"]
    return content_id
