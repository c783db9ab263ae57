"""Who of the firm's staff is named on a case: they must work there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from chassis.database import Database
from contracts.errors import Invalid
from services.cases.case_events import staff_ids_of
from services.cases.reading import find_case

Record = dict[str, Any]
Named = Mapping[str, Collection[str | None]]
RESPONSIBLE, OTHERS = "responsible_staff_id", "staff_ids"


def demand_staff(calls: Any, changes: Record, *, known: Named | None = None) -> None:
    """Asks their owner, in one call, of those whom `changes` name and who are not `known` in that place. Not inside a
    transaction.

    Raises Invalid `unknown_staff`, or `inactive_staff` if all are known but some work there no more, that names them
    like `responsible_staff_id` and `staff_ids.0`; and Unavailable if accounts cannot say.
    """
    places = {RESPONSIBLE: changes.get(RESPONSIBLE)}
    places |= {f"{OTHERS}.{index}": staff_id for index, staff_id in enumerate(changes.get(OTHERS) or ())}
    present = known or {}
    named = {
        place: staff_id
        for place, staff_id in places.items()
        if staff_id is not None and staff_id not in present.get(place.partition(".")[0], ())
    }
    if not named:
        return
    answer = calls.accounts.get_staff_facts(staff_ids=sorted(set(named.values())))
    active = {entry["staff_id"]: entry["active"] for entry in answer["staff"]}
    unknown = [
        {"field": place, "message": "Nobody of the firm's staff."} for place, id_ in named.items() if id_ not in active
    ]
    inactive = [
        {"field": place, "message": "Not active any more."} for place, id_ in named.items() if active.get(id_) is False
    ]
    if unknown or inactive:
        raise Invalid("unknown_staff" if unknown else "inactive_staff", fields=unknown + inactive)


def present_staff(db: Database, case_id: str) -> Named:
    """Who is named on a case in which place, read before a change of them: who has left since may stay where they are.

    Raises NotFound `case_not_found`.
    """
    with db.read() as session:
        case = find_case(session, case_id)
        return {RESPONSIBLE: [case.responsible_staff_id], OTHERS: staff_ids_of(session, [case_id])[case_id]}
