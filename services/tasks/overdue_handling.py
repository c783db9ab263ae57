"""What a template says is done when the time of its tasks has passed: checked when it is saved, and kept with them. One
task of a case may have it otherwise.

The words of a reminder are kept by messaging, as they are when they are saved, so that whoever announces thousands of
deadlines need not ask for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from contracts.errors import Invalid, NotFound, invalid_field
from contracts.tasks import OverdueHandling, OverdueHandlingChanges
from services.tasks.automation.named_rules import demand_rules
from services.tasks.models import CaseTask
from services.tasks.staff import facts_of_staff

Handling = dict[str, Any]
_OF_REMINDERS = ("channels", "fallback")
_NOTHING: Handling = OverdueHandling().dump(OverdueHandling().load({}))


def prepared(calls: Any, given: Handling | None, before: Handling | None) -> Handling | None:
    """What is stored, from a loaded `OverdueHandling`: wire values, and the `content_id` of a reminder's words. None if
    nothing is to be done. `before`: what is stored now; words that are the same are not kept again. Its rules are still
    to be checked, see `check_rules`.

    Raises Invalid `unknown_staff`, `inactive_staff`, and what `messaging.save_content` raises, and Unavailable.
    """
    if given is None or not any(given.values()):
        return None
    return _checked(calls, OverdueHandling(), given, before)


def prepared_changes(calls: Any, given: Handling, before: Handling | None) -> Handling:
    """As `prepared`, what a loaded `OverdueHandlingChanges` names alone. A reminder is kept without its words."""
    changes = _checked(calls, OverdueHandlingChanges(), given, before)
    if changes.get("remind_client") is not None:
        changes["remind_client"] = {
            name: value for name, value in changes["remind_client"].items() if name != "message"
        }
    return changes


def changed(before: Handling | None, changes: Handling | None) -> Handling | None:
    """What a task has from now on; `changes` None: nothing."""
    if changes is None:
        return None
    handling = {**_NOTHING, **(before or {}), **changes}
    return handling if any(handling.values()) else None


def check_rules(session: Session, handling: Handling | None, before: Handling | None = None) -> None:
    """Raises Invalid `unknown_rule`."""
    rule_ids = (handling or {}).get("rule_ids") or []
    if rule_ids != (before or {}).get("rule_ids"):
        demand_rules(session, rule_ids, "overdue.rule_ids")


def rules_of(tasks: Iterable[CaseTask]) -> set[str]:
    """The rules that the handling of these tasks names."""
    return {rule_id for task in tasks for rule_id in (task.overdue_handling or {}).get("rule_ids") or ()}


def shown(stored: Handling | None) -> Handling | None:
    """A loaded `OverdueHandling`, as the template's owner gave it."""
    if stored is None:
        return None
    reminder = stored["remind_client"]
    words = reminder and {name: value for name, value in reminder.items() if name != "content_id"}
    loaded: Handling = OverdueHandling().load({**stored, "remind_client": words})
    return loaded


def kept(stored: Handling | None) -> Handling | None:
    """A `KeptHandling`: what a case task has."""
    if stored is None:
        return None
    reminder = stored["remind_client"]
    return {**_NOTHING, **stored, "remind_client": reminder and {name: reminder[name] for name in _OF_REMINDERS}}


def _checked(calls: Any, schema: Any, given: Handling, before: Handling | None) -> Handling:
    given = dict(given)
    for name in ("notify_staff_ids", "rule_ids"):
        if name in given:
            given[name] = list(dict.fromkeys(given[name]))
    if "notify_staff_ids" in given:
        known = (before or {}).get("notify_staff_ids") or ()
        _check_staff(calls, given["notify_staff_ids"], known, "overdue.notify_staff_ids")
    handling: Handling = schema.dump(given)
    if given.get("remind_client") is not None:
        reminder = (before or {}).get("remind_client")
        handling["remind_client"]["content_id"] = _content_of(calls, handling, reminder, "overdue.remind_client")
    return handling


def _check_staff(calls: Any, staff_ids: Sequence[str], checked: Collection[str], field: str) -> None:
    """Who is named anew must work here; who was, may have left since."""
    fresh = [staff_id for staff_id in staff_ids if staff_id not in checked]
    if not fresh:
        return
    known = facts_of_staff(calls, fresh)
    for staff_id in fresh:
        member, at = known[staff_id], f"{field}.{staff_ids.index(staff_id)}"
        if member is None:
            raise invalid_field(at, "No staff member of this firm.", "unknown_staff")
        if not member["active"]:
            raise invalid_field(at, "This staff member is no longer active.", "inactive_staff")


def _content_of(calls: Any, handling: Handling, before: Handling | None, field: str) -> str:
    reminder = handling["remind_client"]
    if before is not None and all(before.get(name) == reminder[name] for name in ("channels", "message")):
        kept: str = before["content_id"]
        return kept
    try:
        saved = calls.messaging.save_content(message=reminder["message"], channels=reminder["channels"])
    except (Invalid, NotFound) as refused:
        fields = [{**entry, "field": f"{field}.{entry['field']}"} for entry in refused.fields]
        raise Invalid(refused.code, fields=fields, **refused.meta) from refused
    content_id: str = saved["content_id"]
    return content_id
