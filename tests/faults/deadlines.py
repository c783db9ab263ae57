"""Row 17: whoever announces deadlines is killed while they pass."""

from __future__ import annotations

import datetime as dt
import random
import signal
import time
from collections.abc import Callable

from services.tasks.overdue import EVERY
from tests.faults.deployments import Distributed, Single
from tests.faults.figures import Figure, below, exactly
from tests.faults.work import Firm, Load, patiently
from tests.systems import eventually

TOLD_WITHIN = 30.0
AHEAD = 4.0
"""Seconds in which tasks are assigned before their time has passed."""
MOST_NAMED = 500
"""Cases up to which they are named one by one: rows before this one may have added others of their type."""

Say = Callable[[str], None]


def kill_while_deadlines_pass(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """`load.faults` times a deadline passes for all cases at once, and the process that announces it is killed."""
    deployment = firm.deployment
    staff_ids = [member["id"] for member in patiently(lambda: deployment.api.get("/v1/staff"))["data"]][:1]
    for number in range(load.faults):
        passes = time.time() + AHEAD
        _assign(firm, f"Deadline {number}", passes, staff_ids)
        # Nothing is waited for: this is the moment of the kill, by chance within the timer's turn after the deadline,
        # which is the last second in time.
        time.sleep(max(0.0, passes + 1 - time.time()) + random.uniform(0.0, EVERY + 0.5))
        _kill(firm)
    began = time.monotonic()
    untold = "SELECT count(*) FROM case_task WHERE due_at IS NOT NULL AND announced_due_at IS NULL"
    eventually(lambda: deployment.ask("tasks", untold)[0][0] == 0, "all deadlines are announced", 120)
    seconds = time.monotonic() - began
    deployment.outbox_empty()
    eventually(lambda: not deployment.unapplied(), "the events applied", 120)
    say(f"{load.faults} kills, all announced {seconds:.1f} s after the last one was ready again")
    due = "SELECT count(*) FROM case_task WHERE due_at IS NOT NULL"
    events = "SELECT count(*), count(DISTINCT aggregate_id) FROM outbox WHERE event = 'task.overdue.v1'"
    noticed = "SELECT count(*), count(DISTINCT once) FROM notice WHERE kind = 'task_overdue'"
    tasks = deployment.ask("tasks", due)[0][0]
    (emitted, of_tasks), (notices, different) = (
        deployment.ask("tasks", events)[0],
        deployment.ask("messaging", noticed)[0],
    )
    return [
        exactly("deadlines", tasks, load.faults * len(firm.case_ids)),
        exactly("announcements", emitted, tasks),
        exactly("tasks announced", of_tasks, tasks),
        exactly("notices", notices, tasks),
        exactly("tasks in notices", different, tasks),
        exactly("parked", deployment.parked(), 0),
        below("announced after, s", seconds, TOLD_WITHIN * load.slack),
    ]


def _assign(firm: Firm, title: str, passes: float, staff_ids: list[str]) -> None:
    api = firm.deployment.api
    overdue = {"notify_staff_ids": staff_ids}
    asked = {"title": title, "kind": "short_text", "overdue": overdue}
    template = patiently(lambda: api.post("/v1/task-templates", asked, key=f"template {title} {passes}"))
    of_type = {"field": "case_type_id", "op": "eq", "value": firm.case_type["id"]}
    body = {
        "selector": {"case_filter": of_type} if len(firm.case_ids) > MOST_NAMED else {"case_ids": firm.case_ids},
        "template_ids": [template["id"]],
        "due": {"mode": "fixed", "at": dt.datetime.fromtimestamp(passes, dt.UTC).isoformat()},
    }
    patiently(lambda: api.post("/v1/case-tasks/bulk-assign", body, key=f"assign {title} {passes}"))


def _kill(firm: Firm) -> None:
    deployment = firm.deployment
    if isinstance(deployment, Single):
        deployment.system.kill()
        deployment.system.start()
    else:
        assert isinstance(deployment, Distributed)
        old = deployment.pid("tasks")
        deployment.send_signal("tasks", signal.SIGKILL)
        deployment.wait_started("tasks", old)
    deployment.wait_ready()
