"""Clients open the links that they were sent, and answer."""

from __future__ import annotations

from typing import Any

from deploy.demo.asking import TASKS, deliveries
from deploy.demo.phones import LINK, answer_through_page
from deploy.demo.stage import Stage

# The blank answer, one of them, clears a mapped phone.
NEW_PHONE = "(305) 555-0187"
COUNTY = "Kings"


def answer_links(stage: Stage) -> None:
    """6. Some clients open their link and answer"""
    tasks = {task["id"]: task for task in stage.api.every("/v1/case-tasks")}
    chosen = _links_to_open(stage, tasks)
    with stage.bar("answering on the page", len(chosen)) as show:
        for done, row in enumerate(chosen, start=1):
            task = tasks[row["case_task_id"]]
            mapped_phone = task["kind"] == "phone"
            # The first phone answer is blank: it clears the number from the client's record.
            blank = mapped_phone and not any(entry["blank"] for entry in stage.story.answered)
            answer = "" if blank else (NEW_PHONE if mapped_phone else COUNTY)
            answer_through_page(row["url"], answer)
            stage.story.answered.append({**row, "answer": answer, "blank": blank, "kind": task["kind"]})
            show(done)


def _links_to_open(stage: Stage, tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """Three texts for each of the two tasks, each to another client and case. A phone that got several texts about
    the same question is left alone, since the text in hand must belong to the case task."""
    links: dict[tuple[str, str], list[str]] = {}
    for message in stage.sandbox.messages():
        found = LINK.search(message["body"]) if message["direction"] == "outbound" else None
        for title in (task["title"] for task in TASKS if found and task["title"] in message["body"]):
            links.setdefault((message["to"], title), []).append(found.group() if found else "")
    chosen: list[dict[str, Any]] = []
    wanted = {task["kind"]: 3 for task in TASKS}
    seen: set[str] = set(stage.story.replied)
    for row in (*deliveries(stage, "delivered"), *deliveries(stage, "sent")):
        task = tasks[row["case_task_id"]]
        found_links = links.get((row["address"], task["title"]), [])
        used = {row["address"], row["client_id"], row["case_id"]}
        if len(found_links) == 1 and wanted[task["kind"]] and not used & seen:
            seen |= used
            wanted[task["kind"]] -= 1
            chosen.append({**row, "url": found_links[0]})
    return chosen
