"""A task that a condition hides is not asked for any more."""

from __future__ import annotations

from chassis.testing import deliver, received
from contracts import tasks
from tests.service.messaging_desk import Desk, desk

__all__ = ["desk"]


def test_what_waits_about_a_hidden_task_is_not_sent_even_where_completed_ones_were_asked_for(desk: Desk) -> None:
    hidden, other = desk.item(desk.person()), desk.item(desk.person())
    batch_id = desk.ask([hidden, other], statuses=["to_do", "completed"])
    desk.prepare()
    data = {"case_id": hidden["case_id"], "case_task_ids": [hidden["case_task_id"]]}
    event = received(tasks.TASKS_SKIPPED, data, firm_id=desk.firm_id)
    deliver(desk.service, "drop_skipped_tasks", event)
    deliver(desk.service, "drop_skipped_tasks", event)
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 1, "sent": 1}


def test_what_is_prepared_after_a_task_was_hidden_is_not_sent(desk: Desk) -> None:
    hidden = desk.item(desk.person())
    batch_id = desk.ask([hidden, desk.item(desk.person())])
    desk.tasks[hidden["case_task_id"]]["status"] = "skipped"
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 1, "sent": 1}
