"""Rules that send a message template to the clients of a case: checked when saved, asked for once, reported."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.columns import new_id
from chassis.testing import deliver, received
from contracts.errors import Invalid, NotFound
from contracts.messaging import BATCH_FINISHED, CASE_MESSAGE_REJECTED
from contracts.tasks import CASE_MESSAGE_REQUESTED
from tests.service.automation_desk import Desk, desk
from tests.service.tasks_office import database
from tests.service.test_tasks_automation_runs import COURT, MOVED, complete, completed

__all__ = ["database", "desk"]


def refused(desk: Desk, *actions: dict[str, Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(Invalid) as caught:
        desk.rule(*actions, **given)
    return caught.value.code, caught.value.fields[0]["field"]


def test_what_cannot_be_sent_is_refused_with_its_place(desk: Desk) -> None:
    sending = desk.sending("task.title")
    field = "actions.1.message_template_id"
    assert refused(desk, desk.tell(), {**sending, "channels": ["sms", "email"]}) == ("channel_missing", field)
    assert refused(desk, desk.tell(), sending, on=MOVED) == ("no_such_subject", field)
    assert refused(desk, sending, sending) == ("two_messages", "actions.1")
    with pytest.raises(NotFound, match="message_template_not_found"):
        desk.rule({**sending, "message_template_id": new_id()})
    desk.rule(sending, on={"kind": "overdue_handling"})


def finished(desk: Desk, batch_id: str, counts: dict[str, int], suppressions: dict[str, int]) -> None:
    data = {
        "batch_id": batch_id, "state": "finished", "deliveries": sum(counts.values()), "counts": counts,
        "suppressions": suppressions,
    }  # fmt: skip
    events = [received(BATCH_FINISHED, {**data, "batch_id": id_}, firm_id=desk.firm_id) for id_ in (batch_id, new_id())]
    for _ in range(2):
        deliver(desk.service, "record_finished_messages", *events)


@pytest.mark.parametrize(
    ("counts", "suppressions", "code"),
    [
        ({"sent": 1, "suppressed": 2}, {"opted_out": 2}, "done"),
        ({"suppressed": 3}, {"opted_out": 2, "no_address": 1}, "opted_out"),
        ({"failed": 1}, {}, "not_sent"),
    ],
)
def test_the_run_shows_whom_the_message_reached_and_why_not(
    desk: Desk, counts: dict[str, int], suppressions: dict[str, int], code: str
) -> None:
    desk.rule(COURT, desk.sending())
    complete(desk, completed(desk, desk.cases.open()))
    (run,) = desk.runs()
    finished(desk, run["id"], counts, suppressions)
    (run,) = desk.runs()
    shown = {**{state: count for state, count in counts.items() if state != "suppressed"}, **suppressions}
    assert run["outcomes"][1] == {"kind": "send_template", "code": code, "batch_id": run["id"], "deliveries": shown}
    assert run["outcomes"][0]["code"] == "requested"
    assert (run["state"], run["code"]) == (("done", None) if code == "done" else ("failed", code))


def test_a_case_without_clients_has_nobody_to_write_to(desk: Desk) -> None:
    desk.rule(desk.sending())
    complete(desk, completed(desk, desk.cases.open(clients=0)))
    (run,) = desk.runs()
    assert (run["state"], run["outcomes"]) == ("failed", [{"kind": "send_template", "code": "nobody"}])
    assert desk.emitted(CASE_MESSAGE_REQUESTED) == []


def test_a_message_that_is_not_taken_shows_in_the_run(desk: Desk) -> None:
    case_id = desk.cases.open()
    desk.rule(desk.tell(), desk.sending())
    complete(desk, completed(desk, case_id))
    (run,) = desk.runs()
    answer = {"automation_run_id": run["id"], "case_id": case_id, "code": "channel_missing"}
    event = received(CASE_MESSAGE_REJECTED, answer, firm_id=desk.firm_id)
    for _ in range(2):
        deliver(desk.service, "record_refused_message", event)
    (run,) = desk.runs()
    assert (run["state"], run["code"]) == ("failed", "channel_missing")
    assert run["outcomes"][1] == {"kind": "send_template", "code": "channel_missing"}
