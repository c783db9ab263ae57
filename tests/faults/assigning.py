"""Row 18: whoever assigns tasks in bulk is killed while a form and a template are assigned to all cases."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.tasks.bulk_pages import PAGE_OF_CASES
from tests.faults.figures import Figure, at_least, below, exactly
from tests.faults.processes import READY_WITHIN, kill_service
from tests.faults.work import EMPTY_WITHIN, Firm, Load, patiently
from tests.systems import eventually

PER_CASE = 3
"""A task of the template, and two of the form."""
MOMENT = 0.15
"""Seconds after a part of the work was seen to be done in which the kill comes."""
IN_A_ROW = 3
"""Kills after which everything settles: an event that meets one more is taken for what kills."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Assignment:
    """One that was asked for: its id, the form and the templates whose tasks it adds, and to how many cases."""

    id: str
    form_id: str
    template_ids: Sequence[str]
    cases: int


def kill_while_assigning(firm: Firm, load: Load, say: Say) -> list[Figure]:
    """`load.faults` times the process is killed when some of the cases, drawn by lot, have their tasks. What has ended
    by then is followed by another one."""
    deployment = firm.deployment
    assignments: list[Assignment] = []
    in_work, slowest = 0, 0.0
    for number in range(load.faults):
        if number % IN_A_ROW == 0:
            _settle(firm, assignments)
        if not assignments or _progress(firm, assignments[-1])[0] != "running":
            assignments.append(_begin(firm, number))
        _wait_for_a_part(firm, assignments[-1])
        time.sleep(random.uniform(0.0, MOMENT))  # the moment of the kill, within a page or between two
        in_work += _progress(firm, assignments[-1])[0] == "running"
        slowest = max(slowest, kill_service(deployment, "tasks"))
    deployment.wait_ready()
    emptied = _settle(firm, assignments)
    say(f"{load.faults} kills, {in_work} of them in mid-work, of {len(assignments)} assignments to "
        f"{assignments[0].cases:,} cases each; ready again after {slowest:.1f} s at most")  # fmt: skip
    return [
        *_account(firm, assignments),
        at_least("kills in mid-work", in_work, load.faults // 2 if load.slack == 1.0 else 0),
        exactly("events lost", deployment.events_lost(240), 0),
        exactly("parked", deployment.parked(), 0),
        below("ready again, s", slowest, READY_WITHIN * load.slack),
        below("outbox empty, s", emptied, EMPTY_WITHIN),
    ]


def _begin(firm: Firm, number: int) -> Assignment:
    """Assigns a new form and a new template to all cases of the firm's type."""
    api, mark = firm.deployment.api, f"{number} {random.getrandbits(64):x}"

    def make(path: str, body: dict[str, Any], key: str) -> Any:
        return patiently(lambda: api.post(path, body, key=f"{key} {mark}"))

    template_ids = [
        make("/v1/task-templates", {"title": f"In bulk {mark} {place}", "kind": "short_text"}, f"template {place}")[
            "id"
        ]
        for place in range(PER_CASE)
    ]
    asked = [{"key": f"task{place}", "template_id": id_} for place, id_ in enumerate(template_ids[1:])]
    form = make("/v1/forms", {"title": f"In bulk {mark}", "sections": [{"title": "All", "tasks": asked}]}, "form")
    body = {
        "selector": {"case_filter": {"field": "case_type_id", "op": "eq", "value": firm.case_type["id"]}},
        "template_ids": template_ids[:1],
        "form_ids": [form["id"]],
    }
    made = make("/v1/case-tasks/bulk-assign", body, "assign")
    return Assignment(str(made["id"]), str(form["id"]), template_ids, int(made["progress"]["total"]))


def _wait_for_a_part(firm: Firm, assignment: Assignment) -> None:
    """Until some of its pages are done, perhaps none."""
    part = random.randrange(assignment.cases) // PAGE_OF_CASES * PAGE_OF_CASES
    eventually(lambda: _progress(firm, assignment)[1] >= part, "a part of the cases done", 120)


def _settle(firm: Firm, assignments: Sequence[Assignment]) -> float:
    """Waits until all have ended, and what follows from them is applied; the seconds that the outboxes took for it."""
    eventually(lambda: all(_progress(firm, one)[0] != "running" for one in assignments), "every assignment ended", 240)
    emptied = firm.deployment.outbox_empty()
    firm.deployment.events_lost(240)
    return emptied


def _progress(firm: Firm, assignment: Assignment) -> tuple[str, int]:
    """Its state, and how many cases are done."""
    asked = "SELECT state, cases_done FROM bulk_assignment WHERE id = :id"
    state, done = firm.deployment.ask("tasks", asked, id=firm.as_kept(assignment.id))[0]
    return str(state), int(done)


def _account(firm: Firm, assignments: Sequence[Assignment]) -> list[Figure]:
    """Exactly one task for each case and template, and one form; what was counted and told adds up to it."""
    api = firm.deployment.api
    records = [api.get(f"/v1/case-tasks/bulk-assignments/{one.id}") for one in assignments]
    wanted = sum(PER_CASE * one.cases for one in assignments)
    pairs: Counter[Any] = Counter()
    tasks: set[str] = set()
    for one in assignments:
        for template_id in one.template_ids:
            asked = "SELECT id, case_id FROM case_task WHERE template_id = :id"
            for task_id, case_id in firm.deployment.ask("tasks", asked, id=firm.as_kept(template_id)):
                pairs[template_id, str(case_id)] += 1
                tasks.add(str(task_id).replace("-", ""))
    forms = "SELECT count(*), count(DISTINCT case_id) FROM case_form WHERE form_id = :id"
    of_forms = [firm.deployment.ask("tasks", forms, id=firm.as_kept(one.form_id))[0] for one in assignments]
    told = _told(firm)
    ends = firm.deployment.ask("tasks", "SELECT aggregate_id FROM outbox WHERE event = 'bulk_assignment.finished.v1'")
    finished = Counter(str(id_).replace("-", "") for (id_,) in ends)
    return [
        exactly("not finished", sum(record["state"] != "finished" for record in records), 0),
        exactly("tasks missing", wanted - len(pairs), 0),
        exactly("tasks twice", sum(pairs.values()) - len(pairs), 0),
        exactly("cases without the form", sum(one.cases for one in assignments) - sum(each for _, each in of_forms), 0),
        exactly("forms twice", sum(count - each for count, each in of_forms), 0),
        exactly("counted otherwise", wanted - sum(record["added"] for record in records), 0),
        exactly("left out", sum(sum(record["left_out"].values()) for record in records), 0),
        exactly("cases counted otherwise", sum(
            abs(one.cases - record["progress"]["done"]) for one, record in zip(assignments, records, strict=True)), 0),
        exactly("told otherwise than once", sum(told[task_id] != 1 for task_id in tasks), 0),
        exactly("ends told otherwise than once", sum(finished[one.id.replace("-", "")] != 1 for one in assignments), 0),
    ]  # fmt: skip


def _told(firm: Firm) -> Counter[str]:
    """How often each task was told of."""
    told: Counter[str] = Counter()
    for (payload,) in firm.deployment.ask("tasks", "SELECT payload FROM outbox WHERE event = 'tasks.assigned.v1'"):
        values = json.loads(payload) if isinstance(payload, str | bytes) else payload
        told.update(task_id.replace("-", "") for task_id in values["case_task_ids"])
    return told
