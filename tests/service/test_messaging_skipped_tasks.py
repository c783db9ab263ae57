"""A task that a condition hides is not asked for any more."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.testing import deliver, received
from contracts import tasks
from tests.service.messaging_desk import NOW, Desk, desk
from tests.service.test_messaging_changes import change_while_prepared

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


@pytest.mark.parametrize("coalesce", [False, True])
@pytest.mark.parametrize("handler", ["drop_skipped_tasks", "drop_closed_tasks"])
def test_an_event_that_comes_late_ends_nothing_that_was_asked_for_since(
    desk: Desk, handler: str, coalesce: bool
) -> None:
    """The task was hidden or completed, and shown or reopened again, before anybody asked."""
    item = desk.item(desk.person())
    batch_id = desk.ask([item], coalesce=coalesce)
    desk.prepare()
    deliver(desk.service, handler, closed(desk, handler, item, NOW - dt.timedelta(seconds=2)))
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 1}


@pytest.mark.parametrize("coalesce", [False, True])
def test_what_was_hidden_while_the_request_looked_is_asked_anew(desk: Desk, coalesce: bool) -> None:
    item = desk.item(desk.person())
    batch_id = desk.ask([item], coalesce=coalesce)
    desk.prepare()
    desk.tasks[item["case_task_id"]]["status"] = "skipped"
    event = closed(desk, "drop_skipped_tasks", item, NOW - dt.timedelta(seconds=2))
    deliver(desk.service, "drop_skipped_tasks", event)
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 1}


def test_what_was_hidden_while_the_request_looked_is_asked_anew_if_it_is_just_being_prepared(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = desk.item(desk.person())
    batch_id = desk.ask([item])

    def hide() -> None:
        desk.tasks[item["case_task_id"]]["status"] = "skipped"
        event = closed(desk, "drop_skipped_tasks", item, NOW - dt.timedelta(seconds=2))
        deliver(desk.service, "drop_skipped_tasks", event)

    change_while_prepared(monkeypatch, hide)
    desk.run()
    assert desk.outcome(batch_id) == {"task_closed": 1}


def closed(desk: Desk, handler: str, item: dict[str, Any], at: dt.datetime) -> Any:
    named = {name: item[name] for name in ("case_id", "case_task_id")}
    if handler == "drop_closed_tasks":
        data = {**tasks.TASK_COMPLETED.data().load(tasks.TASK_COMPLETED.example), **named}
        return received(tasks.TASK_COMPLETED, data, firm_id=desk.firm_id, time=at)
    data = {"case_id": item["case_id"], "case_task_ids": [item["case_task_id"]]}
    return received(tasks.TASKS_SKIPPED, data, firm_id=desk.firm_id, time=at)
