"""The forms that every new case of a type gets. They are tasks'; a type names them in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from chassis.custom_fields import repeated
from contracts.errors import Invalid


def demand_forms(calls: Any, form_ids: Sequence[str] | None, *, known: Collection[str] = ()) -> None:
    """Asks their owner about those that are not `known`, in one call. Not inside a transaction.

    Raises Invalid, naming places like `default_form_ids.0`: `form_not_found`, `form_archived`, or that one is named
    twice; and Unavailable if tasks cannot say.
    """
    named = list(form_ids or ())
    if twice := repeated(named):
        raise Invalid("invalid_input", fields=[_at(index, "Named twice.") for index in twice])
    places = {index: form_id for index, form_id in enumerate(named) if form_id not in known}
    if not places:
        return
    found = {entry["form_id"]: entry for entry in calls.tasks.get_form_facts(form_ids=list(places.values()))["forms"]}
    missing = [_at(index, "There is no such form.") for index, form_id in places.items() if form_id not in found]
    if missing:
        raise Invalid("form_not_found", fields=missing)
    archived = [_at(index, "This form is archived.") for index, id_ in places.items() if found[id_]["archived"]]
    if archived:
        raise Invalid("form_archived", fields=archived)


def _at(index: int, message: str) -> dict[str, str]:
    return {"field": f"default_form_ids.{index}", "message": message}
