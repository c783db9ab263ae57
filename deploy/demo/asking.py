"""Every open case of a type is asked something, by one text to each of its clients, while some of them reply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.demo.api import wait_for
from deploy.demo.opening import RATE, case_type_id
from deploy.demo.stage import Stage

REPLIES = ("STOP", "Stop.", "please stop texting me", "START", "HELP", "thanks!")
STOPPING = REPLIES[:3]

TASKS: list[dict[str, Any]] = [
    {
        "title": "Confirm your mobile number",
        "instructions": "Is this still the number that we should use? Leave it empty if we should forget it.",
        "kind": "phone",
        "required": False,
        "mapping": {"target": "client", "field": "phone"},
    },
    {
        "title": "County of residence",
        "instructions": "In which county did the person live?",
        "kind": "short_text",
        "required": True,
        "mapping": {"target": "case", "field": "county"},
    },
]
# Plain quotation marks: typographic ones would more than double the segments.
MESSAGE = (
    '{{ firm.name }}: {{ client.first_name }}, please finish "{{ task.title }}": {{ task.link }} Reply STOP to end.'
)


def assign_tasks(stage: Stage) -> None:
    """3. Ask something of every open probate case"""
    templates = [stage.api.post("/v1/task-templates", body)["id"] for body in TASKS]
    body = {"selector": _selector(stage), "template_ids": templates, "due": {"mode": "relative", "days": 14}}
    made = stage.api.post("/v1/case-tasks/bulk-assign", body, key="demonstration-assign")
    with stage.bar("assigning tasks", None) as show:

        def finished() -> Any:
            state = stage.api.get(f"/v1/case-tasks/bulk-assignments/{made['id']}")
            show(state["progress"]["done"], state["progress"]["total"])
            return state if state["state"] != "running" else None

        outcome = wait_for("the bulk assignment", finished)
    stage.story.assigned = outcome["added"]
    stage.counts("Assigned", {"tasks added": outcome["added"], **outcome["left_out"]})


def _selector(stage: Stage) -> dict[str, Any]:
    conditions = [
        {"field": "state", "op": "eq", "value": "open"},
        {"field": "case_type_id", "op": "eq", "value": case_type_id(stage)},
    ]
    return {"case_filter": {"and": conditions}}


def _request(stage: Stage, dry_run: bool) -> dict[str, Any]:
    return {
        "selector": _selector(stage), "channels": ["sms"], "message": {"body": MESSAGE}, "timing": {"mode": "now"},
        "dry_run": dry_run,
    }  # fmt: skip


def estimate(stage: Stage) -> None:
    """4. Who would get what: a dry run"""
    answer = stage.api.post("/v1/case-tasks/bulk-notify", _request(stage, dry_run=True))
    found = answer["estimate"]
    stage.story.estimate = found["recipients"]
    stage.counts("Recipients by outcome", found["recipients"])
    cost = f"{found['cost']} {found['currency']}"
    stage.counts("It would take", {"segments": found["segments"], "cost": cost,
                                   "seconds": round(found["seconds"], 1)})  # fmt: skip


def notify_and_live(stage: Stage) -> None:
    """5. Send it, while some phones reply"""
    asked = stage.api.post("/v1/case-tasks/bulk-notify", _request(stage, dry_run=False), key="demonstration-notify")
    stage.story.batch_id, stage.story.accepted = asked["batch_id"], asked["accepted"]
    address = f"/v1/message-batches/{stage.story.batch_id}"
    waiting = list(REPLIES)
    with stage.bar(f"texting at {RATE:.0f} a second", None) as show:

        def finished() -> Any:
            batch = stage.api.get(address)
            counts = batch["counts"]
            note = " ".join(f"{state} {count}" for state, count in counts.items() if count)
            show(batch["progress"]["done"], batch["progress"]["total"], note)
            if waiting and counts.get("sent", 0) + counts.get("delivered", 0) >= 10:
                _reply(stage, waiting)
            return batch if batch["state"] == "finished" and not waiting else None

        wait_for("the batch", finished, seconds=600, pause=0.3)
    with stage.bar("hearing of their delivery", None) as show:

        def reported() -> bool:
            counts = stage.api.get(address)["counts"]
            show(counts.get("delivered", 0), counts.get("delivered", 0) + counts.get("sent", 0))
            return not counts.get("sent")

        wait_for("the delivery reports", reported, seconds=120, pause=0.3)


def _reply(stage: Stage, waiting: list[str]) -> None:
    """One more phone, not used before, sends the next of the replies. START comes from a phone that stopped."""
    words = waiting.pop(0)
    if words == "START":
        phone = next(number for number, said in stage.story.replied.items() if said == STOPPING[0])
    else:
        phone = next(number for number in _reached(stage) if number not in stage.story.replied)
    stage.sandbox.reply(phone, words)
    stage.story.replied[phone] = f"{stage.story.replied[phone]}, {words}" if phone in stage.story.replied else words
    stage.console.print(f"  a phone replied: [bold]{words}[/]")


def _reached(stage: Stage) -> Iterator[str]:
    """Numbers that the batch has reached, those first whose owner still waits for another text."""
    waits = {row["client_id"] for row in deliveries(stage, "queued")} | {
        row["client_id"] for row in deliveries(stage, "accepted")
    }
    reached = deliveries(stage, "delivered") + deliveries(stage, "sent")
    for row in sorted(reached, key=lambda row: row["client_id"] not in waits):
        yield row["address"]


def deliveries(stage: Stage, state: str) -> list[dict[str, Any]]:
    """Rows of the batch's ledger in one state."""
    address = f"/v1/message-batches/{stage.story.batch_id}/deliveries"
    return list(stage.api.every(address, state=state))
