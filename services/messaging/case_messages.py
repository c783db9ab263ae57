"""A message template that an automation sends to the clients of a case.

It is a batch like any other, of one chunk, with its consent, quiet hours and ledger; its id is the run's, so that a run
sends once. What of a business's case is told goes to those whom a notification goes to.
"""

from __future__ import annotations

import datetime as dt

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from contracts.errors import Invalid, NotFound
from contracts.messaging import CASE_MESSAGE_REJECTED
from services.messaging import batches
from services.messaging.contents import resolve_message
from services.messaging.templates import Variant, check_variants, invalid

_OF_A_TASK = ("task.title", "task.count")


def accept_case_message(db: Database, event: ReceivedEvent, now: dt.datetime) -> None:
    """`case_message.requested.v1`: writes a delivery for each client and channel, with the template as it is now. What
    cannot be sent is answered with `case_message.rejected.v1`."""
    asked = event.data
    try:
        with db.read() as session:
            template = {"template_id": asked["message_template_id"]}
            content_id, variants = resolve_message(session, template, asked["channels"])
        _demand_subject(variants, asked["case_task_id"])
    except (NotFound, Invalid) as refused:
        with db.unit_of_work(once=event) as uow:
            answer = {name: asked[name] for name in ("automation_run_id", "case_id")}
            uow.emit(CASE_MESSAGE_REJECTED, asked["automation_run_id"], {**answer, "code": refused.code})
        return
    item = {name: asked[name] for name in ("case_task_id", "case_id", "client_ids")}
    batch = {
        "batch_id": asked["automation_run_id"],
        "kind": "message",
        "chunk": 1,
        "chunks": 1,
        "accepted": len(set(asked["client_ids"])),
        "content_id": content_id,
        "channels": asked["channels"],
        "fallback": asked["fallback"],
        "coalesce": False,
        "allow_repeat": True,
        "statuses": [],
        "timing": {"mode": "now", "at": None},
        "requested_by": None,
        "requested_at": asked["requested_at"],
        "to_contacts": True,
        "items": [item],
    }
    batches.accept(db, event, batch, now)


def _demand_subject(variants: list[Variant], case_task_id: str | None) -> None:
    uses = check_variants(variants)
    if case_task_id is None and any(name in _OF_A_TASK for name in uses):
        raise invalid("message_template_id", "It names a task, and this is about none.", "no_such_subject")
