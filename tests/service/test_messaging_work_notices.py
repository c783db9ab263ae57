"""Notices that other services ask for: told once, in the firm's language, to who works there."""

from __future__ import annotations

from typing import Any

from chassis.columns import new_id, utc_now
from chassis.envelope import ReceivedEvent
from chassis.testing import deliver, received
from contracts.tasks import STAFF_NOTICE_REQUESTED
from services.messaging import notices, senders
from tests.service.messaging_desk import Desk, desk

__all__ = ["desk"]


def asked(desk: Desk, staff_ids: list[str], **given: Any) -> ReceivedEvent:
    about = {"case_task_id": new_id(), "case_id": new_id()}
    data = {
        "staff_ids": staff_ids,
        "kind": "task_overdue",
        "title": "Your number",
        "about": about,
        "once": None,
        **given,
    }
    return received(STAFF_NOTICE_REQUESTED, data, firm_id=desk.firm_id)


def titles(desk: Desk, staff_id: str) -> list[str]:
    return [notice["title"] for notice in notices.list_notices(desk.db, actor_id=staff_id)["data"]]


def test_each_is_told_once_however_often_it_is_asked_for(desk: Desk) -> None:
    senders.put_sender(
        desk.db, provider="recording", channel="email", address="office@firm.example", rate=1000.0,
        messaging_service_sid=None,
    )  # fmt: skip
    ada, bea = desk.colleague(email="ada@firm.example"), desk.colleague()
    event = asked(desk, [ada, bea, new_id()], once="task_overdue:1")
    deliver(desk.service, "tell_staff", event)
    deliver(desk.service, "tell_staff", event, asked(desk, [ada], once="task_overdue:1"))
    assert titles(desk, ada) == titles(desk, bea) == ["A task is overdue: Your number"]
    (notice,) = notices.list_notices(desk.db, actor_id=ada)["data"]
    assert (notice["kind"], notice["about"]) == ("task_overdue", event.data["about"])
    desk.clock.now = utc_now()
    desk.run()
    assert [(m.to, m.subject) for m in desk.provider.accepted] == [
        ("ada@firm.example", "A task is overdue: Your number")
    ]


def test_many_at_once_are_told_in_the_firms_language(desk: Desk) -> None:
    desk.firm["locale"] = "es"
    ada = desk.colleague()
    kinds = ("task_overdue", "task_escalated", "automation")
    events = [asked(desk, [ada, ada], kind=kind, title="Su {0} número") for kind in kinds]
    deliver(desk.service, "tell_staff", *events[:2])
    deliver(desk.service, "tell_staff", *events)
    assert sorted(titles(desk, ada)) == [
        "Su {0} número",
        "Una tarea de su equipo está vencida: Su {0} número",
        "Una tarea está vencida: Su {0} número",
    ]


def test_who_has_left_is_not_told(desk: Desk) -> None:
    ada = desk.colleague(active=False)
    deliver(desk.service, "tell_staff", asked(desk, [ada]))
    assert titles(desk, ada) == []
