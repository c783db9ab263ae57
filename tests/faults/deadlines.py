"""Row 17: whoever announces deadlines is killed while they pass, and between a rule's run and its actions."""

from __future__ import annotations

import datetime as dt
import random
import signal
import time
from collections.abc import Callable
from typing import Any

from services.tasks.overdue import EVERY
from tests.faults.deployments import COMES_WITHIN, Crasher, Distributed, Single
from tests.faults.figures import Figure, below, exactly
from tests.faults.processes import kill_service
from tests.faults.work import Firm, Load, patiently
from tests.systems import eventually

TOLD_WITHIN = 30.0
BETWEEN = "after_runs_begun"
FOLLOWED = (
    "SELECT count(*) FROM case_task WHERE template_id = (SELECT id FROM task_template WHERE title = 'What comes then')"
)
DUE = "SELECT count(*) FROM case_task WHERE due_at IS NOT NULL"
UNTOLD = "SELECT count(*) FROM case_task WHERE due_at IS NOT NULL AND announced_due_at IS NULL"
WAITING = "SELECT count(*) FROM automation_run WHERE state = 'waiting'"
AHEAD = 4.0
"""Seconds in which tasks are assigned before their time has passed."""
MOST_NAMED = 500
"""Cases up to which they are named one by one: rows before this one may have added others of their type."""

Say = Callable[[str], None]


def kill_while_deadlines_pass(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """`load.faults` times a deadline passes for all cases at once, and the process that announces it is killed: by
    chance, and in every other turn where the runs of the tasks' rule have just been written."""
    deployment = firm.deployment
    staff_ids = [member["id"] for member in patiently(lambda: deployment.api.get("/v1/staff"))["data"]][:1]
    rule_id = _rule(firm, staff_ids)
    turns = 0
    for number in range(load.faults):
        title, overdue = f"Deadline {number}", {"notify_staff_ids": staff_ids, "rule_ids": [rule_id]}
        if number % 2 == 0:
            turns = _die_between(firm, title, overdue, turns)
            continue
        passes = time.time() + AHEAD
        _assign(firm, title, passes, overdue)
        # Nothing is waited for: this is the moment of the kill, by chance within the timer's turn after the deadline,
        # which is the last second in time.
        time.sleep(max(0.0, passes + 1 - time.time()) + random.uniform(0.0, EVERY + 0.5))
        kill_service(deployment, "tasks")
        deployment.wait_ready()
        turns += 1
    began = time.monotonic()
    _all_told(firm, turns)
    seconds = time.monotonic() - began
    _settle(firm, turns)
    say(f"{load.faults} kills, all announced {seconds:.1f} s after the last one was ready again")
    events = "SELECT count(*), count(DISTINCT aggregate_id) FROM outbox WHERE event = 'task.overdue.v1'"
    noticed = "SELECT count(*), count(DISTINCT once) FROM notice WHERE kind = 'task_overdue'"
    tasks = deployment.ask("tasks", DUE)[0][0]
    done = "SELECT count(*), count(DISTINCT case_task_id) FROM automation_run WHERE state = 'done'"
    (runs, tasks_with_runs), next_ones = deployment.ask("tasks", done)[0], deployment.ask("tasks", FOLLOWED)[0][0]
    acted = "SELECT count(*), count(DISTINCT once) FROM notice WHERE kind = 'automation'"
    told, told_once = deployment.ask("messaging", acted)[0]
    (emitted, of_tasks), (notices, different) = (
        deployment.ask("tasks", events)[0],
        deployment.ask("messaging", noticed)[0],
    )
    return [
        exactly("deadlines", tasks, turns * len(firm.case_ids)),
        exactly("announcements", emitted, tasks),
        exactly("tasks announced", of_tasks, tasks),
        exactly("notices", notices, tasks),
        exactly("tasks in notices", different, tasks),
        exactly("runs", runs, tasks),
        exactly("tasks with runs", tasks_with_runs, tasks),
        exactly("tasks that rules assigned", next_ones, tasks),
        exactly("notices of rules", told, tasks),
        exactly("runs in notices", told_once, tasks),
        exactly("parked", deployment.parked(), 0),
        below("announced after, s", seconds, TOLD_WITHIN * load.slack),
    ]


def _rule(firm: Firm, staff_ids: list[str]) -> str:
    """A rule that assigns a task and tells somebody, where the overdue handling of a task names it."""
    api = firm.deployment.api
    asked = {"title": "What comes then", "kind": "short_text"}
    template = patiently(lambda: api.post("/v1/task-templates", asked, key="what comes then"))
    actions = [
        {"kind": "assign_task", "template_id": template["id"]},
        {"kind": "notify_staff", "title": "It is late", "staff_ids": staff_ids},
    ]
    rule = {"name": "When it is late", "trigger": {"kind": "overdue_handling"}, "actions": actions}
    return str(patiently(lambda: api.post("/v1/automation-rules", rule, key="when it is late"))["id"])


def _assign(firm: Firm, title: str, passes: float, overdue: dict[str, Any]) -> None:
    api = firm.deployment.api
    asked = {"title": title, "kind": "short_text", "overdue": overdue}
    template = patiently(lambda: api.post("/v1/task-templates", asked, key=f"template {title} {passes}"))
    of_type = {"field": "case_type_id", "op": "eq", "value": firm.case_type["id"]}
    body = {
        "selector": {"case_filter": of_type} if len(firm.case_ids) > MOST_NAMED else {"case_ids": firm.case_ids},
        "template_ids": [template["id"]],
        "due": {"mode": "fixed", "at": dt.datetime.fromtimestamp(passes, dt.UTC).isoformat()},
    }
    patiently(lambda: api.post("/v1/case-tasks/bulk-assign", body, key=f"assign {title} {passes}"))


def _all_told(firm: Firm, turns: int) -> None:
    """The tasks of so many turns are there (a kill may come before they are assigned), their deadlines announced."""
    ask, wanted = firm.deployment.ask, turns * len(firm.case_ids)
    eventually(lambda: ask("tasks", DUE)[0][0] == wanted, "all tasks are assigned", 120)
    eventually(lambda: ask("tasks", UNTOLD)[0][0] == 0, "all deadlines are announced", 120)


def _settle(firm: Firm, turns: int) -> None:
    """What is left of an earlier turn would have the next process die before it serves."""
    deployment = firm.deployment
    _all_told(firm, turns)
    deployment.outbox_empty()
    eventually(lambda: deployment.ask("tasks", WAITING)[0][0] == 0, "the runs ended", 120)
    eventually(lambda: not deployment.unapplied(), "the events applied", 120)


def _die_between(firm: Firm, title: str, overdue: dict[str, Any], turns: int) -> int:
    """A deadline passes, and a process dies between a run and its actions. Returns how many have passed by then."""
    deployment = firm.deployment
    _settle(firm, turns)
    if isinstance(deployment, Single):
        system = deployment.system
        system.kill()
        system.environment["CASEWIRE_CRASH_AT"] = BETWEEN
        system.start()
        _assign(firm, title, time.time() + AHEAD, overdue)
        process = system.process
        assert process is not None
        eventually(lambda: process.poll() == -signal.SIGKILL, f"the death at {BETWEEN}", COMES_WITHIN)
        del system.environment["CASEWIRE_CRASH_AT"]
        system.start()
        return turns + 1
    assert isinstance(deployment, Distributed)
    # Beside the ordinary one, which takes its part of the work, and all of it before this one has started.
    crasher = Crasher(deployment, "tasks", BETWEEN, wanted=1)
    try:
        while not crasher.tend():
            _assign(firm, f"{title} {turns}", time.time() + AHEAD, overdue)
            turns += 1
            _all_told(firm, turns)
    finally:
        crasher.close()
    return turns
