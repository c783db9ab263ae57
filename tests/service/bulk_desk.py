"""Bulk assignments for tests: asked for, worked off, looked at."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.envelope import ReceivedEvent
from chassis.testing import deliver, outbox_events, received
from contracts.tasks import BULK_ASSIGNMENT_REQUESTED, Due
from services.tasks import bulk_assigning, bulk_left_out
from tests.service.tasks_office import NOW, Office

ALL = {"case_filter": {"field": "state", "op": "eq", "value": "open"}}


def begin(
    office: Office,
    *template_ids: str,
    selector: Any = ALL,
    due: dict[str, Any] | None = None,
    now: dt.datetime = NOW,
    **given: Any,
) -> dict[str, Any]:
    """Asks for one. `due`: as on the wire."""
    loaded = None if due is None else dict(Due().load(due))
    return bulk_assigning.bulk_assign(
        office.db, office.calls, office.raw_calls, now, selector=selector, template_ids=list(template_ids), due=loaded,
        **given,
    )  # fmt: skip


def state(office: Office, record: dict[str, Any]) -> dict[str, Any]:
    """The record as it is now."""
    return bulk_assigning.get_bulk_assignment(office.db, record["id"])


def requests(office: Office) -> list[ReceivedEvent]:
    """The events by which work goes on."""
    return [
        received(BULK_ASSIGNMENT_REQUESTED, found.data, firm_id=office.firm_id, event_id=found.id)
        for found in outbox_events(office.everywhere, BULK_ASSIGNMENT_REQUESTED)
        if found.firm_id == office.firm_id
    ]


def work(office: Office, *events: ReceivedEvent) -> None:
    """Delivers these events, or all there are."""
    for event in events or requests(office):
        deliver(office.service, "continue_bulk_assignment", event)


def left_out(office: Office, record: dict[str, Any], **query: Any) -> dict[str, Any]:
    """A page of what was left out."""
    asked = {"reason": None, "limit": 50, "cursor": None, "sort": None, **query}
    return bulk_left_out.list_left_out(office.db, bulk_assignment_id=record["id"], **asked)
