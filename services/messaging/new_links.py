"""A client whose link does not open any more asked for another one: it goes to the address on file, as any message."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.columns import new_id
from chassis.database import Database
from chassis.envelope import ReceivedEvent
from services.messaging.models import URGENT, Content, Delivery
from services.messaging.templates import Variant, check_variants

_ENGLISH = "{{ firm.name }}: here is the new link that you asked for: {{ task.link }}"
_SPANISH = "{{ firm.name }}: este es el enlace nuevo que pidió: {{ task.link }}"
TEXTS = (
    Variant("sms", "en", _ENGLISH),
    Variant("sms", "es", _SPANISH),
    Variant("email", "en", _ENGLISH, "Your new link"),
    Variant("email", "es", _SPANISH, "Su enlace nuevo"),
)


def send_new_link(db: Database, calls: Any, event: ReceivedEvent, now: dt.datetime) -> None:
    """`link.requested.v1`: one message with a link of the same scope, by the channel of the old link; who got that one
    by hand is tried by text, then by email. Consent, quiet hours and the address are decided when it is prepared.

    Raises Unavailable, DeadlineExceeded; then it is done later.
    """
    channel = event.data["channel"]
    by_hand = channel not in ("sms", "email")
    message_id, case_task_id = new_id(), event.data["case_task_id"]
    case_id = _case_of(calls, case_task_id) if case_task_id is not None else None
    with db.unit_of_work(once=event) as uow:
        content = Content(id=new_id(), variants=[text.as_row() for text in TEXTS], uses=check_variants(TEXTS))
        uow.session.add(content)
        uow.session.add(
            Delivery(
                id=message_id,
                subject_id=message_id,
                kind="message",
                channel="sms" if by_hand else channel,
                fallback=["email"] if by_hand else None,
                client_id=event.data["client_id"],
                contact_id=event.data.get("contact_id"),
                case_task_id=case_task_id,
                case_id=case_id,
                variables=_where_to(event.data),
                content_id=content.id,
                state="accepted",
                priority=URGENT,
                send_after=now,
                due_at=now,
                created_at=now,
                updated_at=now,
            )
        )


def _case_of(calls: Any, case_task_id: str) -> str | None:
    """The case of a task, if the task is still there."""
    found = calls.tasks.get_case_task_facts(case_task_ids=[case_task_id])["case_tasks"]
    return found[0]["case_id"] if found else None


def _where_to(asked: dict[str, Any]) -> dict[str, Any] | None:
    """What the new link leads to, unless it is one task or all that is open."""
    if asked.get("case_form_id") is not None:
        return {"form": {"id": asked["case_form_id"]}}
    return {"cases": {"ids": asked["case_ids"]}} if asked.get("case_ids") else None
