"""The demonstration's steps, in the order a firm would take them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.api import Api, wait_for
from deploy.demo.phones import LINK, Sandbox, answer_through_page

DATA = Path(__file__).parent.parent / "demo_data"
RATE = 50.0
SENDER = "+12125550100"
NOTIFIED_TYPE = "Probate"
REPLIES = ("STOP", "Stop.", "please stop texting me", "START", "HELP", "thanks!")
STOPPING = REPLIES[:3]
# Answers given through links. The blank one clears a mapped phone.
NEW_PHONE = "(305) 555-0187"
COUNTY = "Kings"

CASE_TYPES: list[dict[str, Any]] = [
    {
        "name": NOTIFIED_TYPE,
        "statuses": [{"name": "Intake"}, {"name": "In court"}, {"name": "Closed", "closed": True}],
        "custom_fields": [{"key": "county", "label": "County", "type": "text"}],
    },
    {
        "name": "Real estate closing",
        "statuses": [{"name": "Intake"}, {"name": "Title search"}, {"name": "Closed", "closed": True}],
        "custom_fields": [{"key": "county", "label": "County", "type": "text"}],
    },
    {
        "name": "Bookkeeping",
        "statuses": [{"name": "Open"}, {"name": "Closed", "closed": True}],
        "custom_fields": [{"key": "county", "label": "County", "type": "text"}],
    },
]
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


@dataclass
class Story:
    """What happened, for the checks at the end."""

    imported: dict[str, int] = field(default_factory=dict)
    cases: int = 0
    assigned: int = 0
    estimate: dict[str, int] = field(default_factory=dict)
    batch_id: str = ""
    accepted: int = 0
    replied: dict[str, str] = field(default_factory=dict)
    answered: list[dict[str, Any]] = field(default_factory=list)


class Demonstration:
    """Runs the steps against a running system."""

    def __init__(self, api: Api, console: Console) -> None:
        self.api = api
        self.console = console
        self.sandbox = Sandbox(api)
        self.story = Story()

    @contextmanager
    def _bar(self, what: str, total: int | None) -> Iterator[Any]:
        """A progress bar; yields a function that sets how far it is."""
        columns = (
            TextColumn("  {task.description:<34}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )  # fmt: skip
        with Progress(*columns, console=self.console) as progress:
            bar = progress.add_task(what, total=total, note="")

            def show(done: int, total: int | None = None, note: str = "") -> None:
                progress.update(bar, completed=done, total=total, note=note)

            yield show

    def _counts(self, title: str, counts: dict[str, Any]) -> None:
        self.console.print(f"  {title}:")
        table = Table(show_header=False, box=None, padding=(0, 2))
        for name, count in counts.items():
            table.add_row(f"    {name.replace('_', ' ')}", f"{count:,}" if isinstance(count, int) else str(count))
        self.console.print(table)

    def run(self) -> Story:
        """All steps."""
        for step in (
            self.import_clients, self.create_cases, self.assign_tasks, self.estimate, self.notify_and_live,
            self.answer_links,
        ):  # fmt: skip
            self.console.rule(f"[bold]{(step.__doc__ or '').strip()}", align="left")
            step()
        return self.story

    def import_clients(self) -> None:
        """1. Import the firm's clients from a file"""
        with (DATA / "clients.csv").open("rb") as file:
            made = self.api.post("/v1/imports", files={"file": ("clients.csv", file)}, data={"target": "clients"})
        address = f"/v1/imports/{made['id']}"
        preview = self.api.post(f"{address}/preview", {"mapping": made["suggested_mapping"], "duplicates": "skip"})
        self._counts("Preview: nothing is written yet", preview["counts"])
        self.api.post(f"{address}/run")
        with self._bar("importing", preview["counts"]["read"]) as show:

            def finished() -> Any:
                state = self.api.get(address)
                show(state["progress"]["done"], state["progress"]["total"])
                return state if state["state"] in ("finished", "failed") else None

            outcome = wait_for("the import", finished, seconds=300)
        self._counts("Imported", outcome["counts"])
        self._counts("Rows that were wrong, by kind", outcome["error_counts"])
        self.story.imported = outcome["counts"]

    def create_cases(self) -> None:
        """2. Open the firm's cases, some with several clients"""
        self.api.put("/v1/senders", {"channel": "sms", "address": SENDER, "rate": RATE})
        types = {made["name"]: made["id"] for made in (self.api.post("/v1/case-types", body) for body in CASE_TYPES)}
        clients = {client["external_source_id"]: client["id"] for client in self.api.every("/v1/clients")}
        with (DATA / "cases.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))

        def create(row: dict[str, str]) -> None:
            on_case = [clients[key] for key in row["client_ids"].split(";") if key in clients]
            body = {
                "name": row["name"],
                "case_type_id": types[row["case_type"]],
                "status": row["status"],
                "clients": [{"client_id": client_id} for client_id in on_case],
                "custom_fields": {"county": row["county"]} if row["county"] else {},
                "external_source": "demonstration",
                "external_source_id": row["id"],
            }
            self.api.post("/v1/cases", body, key=f"demonstration-case-{row['id']}")

        with self._bar("opening cases", len(rows)) as show, ThreadPoolExecutor(4) as pool:
            for done, _ in enumerate(pool.map(create, rows), start=1):
                show(done)
        self.story.cases = self.api.get("/v1/cases", limit=1)["meta"]["total"]
        self._say_no()
        self._share_phones()

    def _open_cases(self, count: int) -> list[dict[str, Any]]:
        """Some open cases of the type that is notified later, whose primary client has a mobile phone."""
        found = []
        for case in self.api.every("/v1/cases", case_type_id=self._case_type(), state="open"):
            client = self.api.get(f"/v1/clients/{case['clients'][0]['client_id']}")
            if client["status"] == "active" and any(phone["kind"] == "mobile" for phone in client["phones"]):
                found.append({**case, "primary": client})
            if len(found) == count:
                break
        return found

    def _say_no(self) -> None:
        """Three clients told the staff that they want no texts."""
        for case in self._open_cases(3):
            self.api.put(f"/v1/clients/{case['primary']['id']}/preferences", {"sms": "opted_out"})
        self.console.print("  three clients asked staff for no texts")

    def _share_phones(self) -> None:
        """Four couples share a phone, which must ring once for each of their tasks."""
        for case in self._open_cases(7)[3:]:
            primary = case["primary"]
            spouse = self.api.post(
                "/v1/clients",
                {"first_name": "Robin", "last_name": primary["last_name"], "phones": primary["phones"]},
                headers={"X-Skip-Duplicate-Check": "true"},
            )
            clients = [*case["clients"], {"client_id": spouse["id"], "role": "additional", "label": "spouse"}]
            self.api.patch(f"/v1/cases/{case['id']}", {"clients": clients})
        self.console.print("  four couples share a phone")

    def assign_tasks(self) -> None:
        """3. Ask something of every open probate case"""
        templates = [self.api.post("/v1/task-templates", body)["id"] for body in TASKS]
        body = {"selector": self._selector(), "template_ids": templates, "due": {"mode": "relative", "days": 14}}
        made = self.api.post("/v1/case-tasks/bulk-assign", body, key="demonstration-assign")
        with self._bar("assigning tasks", None) as show:

            def finished() -> Any:
                state = self.api.get(f"/v1/case-tasks/bulk-assignments/{made['id']}")
                show(state["progress"]["done"], state["progress"]["total"])
                return state if state["state"] != "running" else None

            outcome = wait_for("the bulk assignment", finished)
        self.story.assigned = outcome["added"]
        self._counts("Assigned", {"tasks added": outcome["added"], **outcome["left_out"]})

    def _case_type(self) -> str:
        types = self.api.every("/v1/case-types")
        return next(str(entry["id"]) for entry in types if entry["name"] == NOTIFIED_TYPE)

    def _selector(self) -> dict[str, Any]:
        conditions = [
            {"field": "state", "op": "eq", "value": "open"},
            {"field": "case_type_id", "op": "eq", "value": self._case_type()},
        ]
        return {"case_filter": {"and": conditions}}

    def _request(self, dry_run: bool) -> dict[str, Any]:
        return {
            "selector": self._selector(), "channels": ["sms"], "message": {"body": MESSAGE}, "timing": {"mode": "now"},
            "dry_run": dry_run,
        }  # fmt: skip

    def estimate(self) -> None:
        """4. Who would get what: a dry run"""
        answer = self.api.post("/v1/case-tasks/bulk-notify", self._request(dry_run=True))
        estimate = answer["estimate"]
        self.story.estimate = estimate["recipients"]
        self._counts("Recipients by outcome", estimate["recipients"])
        cost = f"{estimate['cost']} {estimate['currency']}"
        self._counts("It would take", {"segments": estimate["segments"], "cost": cost,
                                       "seconds": round(estimate["seconds"], 1)})  # fmt: skip

    def notify_and_live(self) -> None:
        """5. Send it, while some phones reply"""
        asked = self.api.post("/v1/case-tasks/bulk-notify", self._request(dry_run=False), key="demonstration-notify")
        self.story.batch_id, self.story.accepted = asked["batch_id"], asked["accepted"]
        address = f"/v1/message-batches/{self.story.batch_id}"
        waiting = list(REPLIES)
        with self._bar(f"texting at {RATE:.0f} a second", None) as show:

            def finished() -> Any:
                batch = self.api.get(address)
                counts = batch["counts"]
                note = " ".join(f"{state} {count}" for state, count in counts.items() if count)
                show(batch["progress"]["done"], batch["progress"]["total"], note)
                if waiting and counts.get("sent", 0) + counts.get("delivered", 0) >= 10:
                    self._reply(waiting)
                return batch if batch["state"] == "finished" and not waiting else None

            wait_for("the batch", finished, seconds=600, pause=0.3)
        with self._bar("hearing of their delivery", None) as show:

            def reported() -> bool:
                counts = self.api.get(address)["counts"]
                show(counts.get("delivered", 0), counts.get("delivered", 0) + counts.get("sent", 0))
                return not counts.get("sent")

            wait_for("the delivery reports", reported, seconds=120, pause=0.3)

    def _reply(self, waiting: list[str]) -> None:
        """One more phone, not used before, sends the next of the replies. START comes from a phone that stopped."""
        words = waiting.pop(0)
        if words == "START":
            phone = next(number for number, said in self.story.replied.items() if said == STOPPING[0])
        else:
            phone = next(number for number in self._reached() if number not in self.story.replied)
        self.sandbox.reply(phone, words)
        self.story.replied[phone] = f"{self.story.replied[phone]}, {words}" if phone in self.story.replied else words
        self.console.print(f"  a phone replied: [bold]{words}[/]")

    def _reached(self) -> Iterator[str]:
        """Numbers that the batch has reached, those first whose owner still waits for another text."""
        waits = {row["client_id"] for row in self._deliveries("queued")} | {
            row["client_id"] for row in self._deliveries("accepted")
        }
        reached = self._deliveries("delivered") + self._deliveries("sent")
        for row in sorted(reached, key=lambda row: row["client_id"] not in waits):
            yield row["address"]

    def _deliveries(self, state: str) -> list[dict[str, Any]]:
        address = f"/v1/message-batches/{self.story.batch_id}/deliveries"
        return list(self.api.every(address, state=state))

    def answer_links(self) -> None:
        """6. Some clients open their link and answer"""
        tasks = {task["id"]: task for task in self.api.every("/v1/case-tasks")}
        chosen = self._links_to_open(tasks)
        with self._bar("answering on the page", len(chosen)) as show:
            for done, row in enumerate(chosen, start=1):
                task = tasks[row["case_task_id"]]
                mapped_phone = task["kind"] == "phone"
                # The first phone answer is blank: it clears the number from the client's record.
                blank = mapped_phone and not any(entry["blank"] for entry in self.story.answered)
                answer = "" if blank else (NEW_PHONE if mapped_phone else COUNTY)
                answer_through_page(row["url"], answer)
                self.story.answered.append({**row, "answer": answer, "blank": blank, "kind": task["kind"]})
                show(done)

    def _links_to_open(self, tasks: dict[str, Any]) -> list[dict[str, Any]]:
        """Three texts for each of the two tasks, each to another client and case. A phone that got several texts about
        the same question is left alone, since the text in hand must belong to the case task."""
        links: dict[tuple[str, str], list[str]] = {}
        for message in self.sandbox.messages():
            found = LINK.search(message["body"]) if message["direction"] == "outbound" else None
            for title in (task["title"] for task in TASKS if found and task["title"] in message["body"]):
                links.setdefault((message["to"], title), []).append(found.group() if found else "")
        chosen: list[dict[str, Any]] = []
        wanted = {task["kind"]: 3 for task in TASKS}
        seen: set[str] = set(self.story.replied)
        for row in (*self._deliveries("delivered"), *self._deliveries("sent")):
            task = tasks[row["case_task_id"]]
            found_links = links.get((row["address"], task["title"]), [])
            used = {row["address"], row["client_id"], row["case_id"]}
            if len(found_links) == 1 and wanted[task["kind"]] and not used & seen:
                seen |= used
                wanted[task["kind"]] -= 1
                chosen.append({**row, "url": found_links[0]})
        return chosen
