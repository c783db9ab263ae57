"""100,000 case tasks assigned by one request, against a bare bulk insert of the same rows by SQLAlchemy.

Once a template to 100,000 cases, and once a form of five tasks to 20,000. The whole system runs: the request goes in
at the gateway, cases are selected by their service, and what is assigned is told by events, which other services handle
meanwhile. The time is that until the assignment is finished, as an app that asks for its progress sees it.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection, Table, insert, select, text
from sqlalchemy.schema import CreateSchema, DropSchema

from bench.stage import LARGEST, Stage
from bench.system import System, system
from chassis.columns import new_id
from chassis.database import Database
from chassis.migrations import owner_engine
from deploy.demo.api import wait_for
from deploy.processes import wait_until
from services.tasks import known_cases
from services.tasks.models import Base
from tests.many_cases import Plan, fill

NEEDS_SERVERS = False
TASKS = 100_000
FEW = 10_000
OF_FORM = 5
ROUNDS = int(os.environ.get("ASSIGN_ROUNDS") or 3)
PROMISED_SECONDS = 20.0
PROMISED_GROWTH = 1.25
AT_ONCE = 1_000
"""Cases in a transaction of the peer's."""
PEER = "peer"
_POLL_SECONDS = 0.5


@dataclass
class Measured:
    """Seconds of ours and of the peer, by rounds, and how long an app waited for an answer about progress."""

    what: str
    tasks: int
    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return statistics.median(self.ours)

    def lines(self) -> list[str]:
        reached = "reached" if self.seconds <= PROMISED_SECONDS else "NOT reached"
        ratio = statistics.median(mine / theirs for mine, theirs in zip(self.ours, self.peer, strict=True))
        rounds = ", ".join(f"{seconds:.1f}" for seconds in self.ours)
        return [
            f"assigned, {self.tasks:,} case tasks, {self.what}: {self.seconds:.1f} s (promised "
            f"{PROMISED_SECONDS:.0f}, {reached}); rounds {rounds}; progress asked for meanwhile: "
            f"{statistics.median(self.asked):.2f} s, longest {max(self.asked):.2f} s",
            f"assigned, {self.what}, against a bare bulk insert of the same rows: {ratio:.2f} x its time; "
            f"{self.tasks / self.seconds:,.0f}/s against {self.tasks / statistics.median(self.peer):,.0f}/s",
        ]


def report(stage: Stage) -> list[str]:
    """The lines to print. Raises RuntimeError if a task is missing."""
    with system() as running:
        firm = Firm(running)
        few, many, formed = (firm.add_cases(cases) for cases in (FEW, TASKS, TASKS // OF_FORM))
        first, _ = firm.assign(few, FEW, {"template_ids": [firm.template()]})
        memory_of_few = running.peak_megabytes()
        single = Measured(f"a template to {TASKS:,} cases", TASKS)
        forms = Measured(f"a form of {OF_FORM} tasks to {TASKS // OF_FORM:,} cases", TASKS)
        for _ in range(ROUNDS):
            for measured, selector, wanted in (
                (single, many, {"template_ids": [firm.template()]}),
                (forms, formed, {"form_ids": [firm.form()]}),
            ):
                seconds, asked = firm.assign(selector, TASKS, wanted)
                measured.ours.append(seconds)
                measured.asked += asked
                measured.peer.append(firm.insert_bare(wanted))
        again = firm.assign_again(many, {"template_ids": [firm.assigned]})
        memory_of_many = running.peak_megabytes()
    growth = (single.seconds / TASKS) / (first / FEW)
    return [
        *single.lines(),
        *forms.lines(),
        again,
        f"assigned, time of a task among {TASKS:,} against {FEW:,}: {growth:.2f} x",
        _memory_line(memory_of_few, memory_of_many),
    ]


def _memory_line(few: dict[str, float], many: dict[str, float]) -> str:
    name = max(many, key=lambda name: many[name] / few[name])
    growth, largest = many[name] / few[name], max(many.values())
    reached = "reached" if growth <= PROMISED_GROWTH and largest < LARGEST else "NOT reached"
    return (
        f"assigned, memory with {TASKS:,} against {FEW:,}: {name} grew most, to {growth:.2f} x (promised "
        f"{PROMISED_GROWTH}, {reached}); tasks {many['tasks']:.0f} MB against {few['tasks']:.0f} MB"
    )


class Firm:
    """The firm of a running system, which gets cases, and tasks on them."""

    def __init__(self, running: System) -> None:
        self.running, self.api = running, running.api
        self.id = self.api.get("/v1/firm")["id"]
        settings = yaml.safe_load(Path(running.state()["settings"]).read_text())
        self.owner_url: str = settings["MIGRATION_URLS"]["tasks"]
        self.assigned = ""
        """The template that was assigned last."""

    def add_cases(self, cases: int) -> dict[str, Any]:
        """Cases with a client each, of which tasks know as if their events had come; the selector of them."""
        name = f"{cases} cases, {new_id()[-6:]}"
        case_type = self.api.post("/v1/case-types", {"name": name, "statuses": [{"name": "Open"}]})
        urls = self.running.database_urls()
        plan = Plan(cases=cases, couples=0, opted_out=0, clients_each=1)
        ids = fill(urls, self.running.folder, self.id, case_type, plan)
        facts = {
            "version": 1, "case_type_id": case_type["id"], "status": "Open", "state": "open", "archived": False,
            "responsible_staff_id": None, "staff_ids": [],
        }  # fmt: skip
        tasks = Database(urls["tasks"], Base, firm_id=self.id)
        for start in range(0, len(ids), AT_ONCE):
            with tasks.unit_of_work() as uow:
                known_cases.keep(uow, [{**facts, "case_id": case_id} for case_id in ids[start : start + AT_ONCE]])
        tasks.engines.dispose()
        return {"case_filter": {"field": "case_type_id", "op": "eq", "value": case_type["id"]}}

    def template(self) -> str:
        body = {"title": f"Your address, {new_id()[-6:]}", "kind": "short_text", "instructions": "As on your deed."}
        return str(self.api.post("/v1/task-templates", body)["id"])

    def form(self) -> str:
        """Five tasks in two sections: one due in a week, one a day after it, one hidden until another is answered."""
        template, yes_no = self.template(), self.api.post("/v1/task-templates", {"title": "Will", "kind": "yes_no"})
        week = {"mode": "relative", "days": 7}
        after = {"mode": "after_task", "task": "address", "from": "due", "days": 1}
        sections = [
            {"title": "You", "tasks": [
                {"key": "address", "template_id": template, "due": week},
                {"key": "before", "template_id": template, "due": after},
                {"key": "will", "template_id": yes_no["id"]},
            ]},
            {"title": "The will", "tasks": [
                {"key": "place", "template_id": template,
                 "condition": {"field": "answers.will", "op": "eq", "value": True}},
                {"key": "keeper", "template_id": template},
            ]},
        ]  # fmt: skip
        return str(self.api.post("/v1/forms", {"title": f"Intake {new_id()[-6:]}", "sections": sections})["id"])

    def assign_again(self, selector: dict[str, Any], wanted: dict[str, Any]) -> str:
        """A line of how long it takes to try what is there already, and to leave all of it out."""
        left_out = {"already_assigned": TASKS}
        began = time.perf_counter()
        tried = self.api.post("/v1/case-tasks/bulk-assign", {"selector": selector, **wanted, "dry_run": True})
        dry = time.perf_counter() - began
        if (tried["added"], tried["left_out"]) != (0, left_out):
            raise RuntimeError(f"the dry run says {tried}")
        took, _ = self.assign(selector, 0, wanted, left_out)
        return f"assigned, once more to {TASKS:,} cases that have it: {took:.1f} s; as a dry run {dry:.1f} s"

    def assign(
        self, selector: dict[str, Any], tasks: int, wanted: dict[str, Any], left_out: dict[str, int] | None = None
    ) -> tuple[float, list[float]]:
        """Seconds until it is finished, and those that each answer about its progress took."""
        asked: list[float] = []
        began = time.perf_counter()
        made = self.api.post("/v1/case-tasks/bulk-assign", {"selector": selector, **wanted})
        self.assigned = next(iter(wanted.get("template_ids", ())), self.assigned)
        record: dict[str, Any] = {}

        def finished() -> bool:
            nonlocal record
            before = time.perf_counter()
            record = self.api.get(f"/v1/case-tasks/bulk-assignments/{made['id']}")
            asked.append(time.perf_counter() - before)
            return bool(record["state"] != "running")

        wait_for("the bulk assignment", finished, seconds=300, pause=_POLL_SECONDS)
        took = time.perf_counter() - began
        if (record["state"], record["added"], record["left_out"]) != ("finished", tasks, left_out or {}):
            raise RuntimeError(f"the assignment says {record}")
        wait_until(self.running.quiet, "all events are handled", 600, pause=0.5)
        return took, asked

    def insert_bare(self, wanted: dict[str, Any]) -> float:
        """Seconds of a bare bulk insert of what was assigned, past the walls, into tables of the same make."""
        engine = owner_engine(self.owner_url)
        target = engine.execution_options(schema_translate_map={None: PEER})
        tables = Base.metadata.tables
        taken = 0.0
        with engine.begin() as making:
            making.execute(CreateSchema(PEER))
        Base.metadata.create_all(target)
        try:
            with engine.connect() as reading:
                with target.begin() as writing:
                    for name in ("task_template", "form", "form_version"):
                        _copy(reading, writing, tables[name])
                for number, found in enumerate(_assigned(reading, wanted)):
                    began = time.perf_counter()
                    with target.begin() as writing:
                        for name, rows in found.items():
                            writing.execute(insert(tables[name]), rows)
                    taken += time.perf_counter() - began
                    if not number:
                        # So that its foreign keys are checked by the right index.
                        with engine.begin() as analysing:
                            analysing.execute(text("ANALYZE"))
        finally:
            with engine.begin() as making:
                making.execute(DropSchema(PEER, cascade=True))
            engine.dispose()
        return taken


def _copy(reading: Connection, writing: Connection, table: Table) -> None:
    rows = [dict(row._mapping) for row in reading.execute(select(table))]
    if rows:
        writing.execute(insert(table), rows)


def _assigned(reading: Connection, wanted: dict[str, Any]) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The rows of what was assigned, by table, of 1,000 cases at a time."""
    tasks, forms = Base.metadata.tables["case_task"], Base.metadata.tables["case_form"]
    if form_ids := wanted.get("form_ids"):
        of_wanted, case_id = forms.c.form_id.in_(form_ids), forms.c.case_id
    else:
        of_wanted, case_id = tasks.c.template_id.in_(wanted["template_ids"]), tasks.c.case_id
    ids = list(reading.scalars(select(case_id).where(of_wanted).order_by(case_id)))
    for start in range(0, len(ids), AT_ONCE):
        here = (ids[start], ids[min(start + AT_ONCE, len(ids)) - 1])
        found: dict[str, list[dict[str, Any]]] = {}
        if form_ids:
            some = reading.execute(select(forms).where(of_wanted, forms.c.case_id.between(*here)))
            found["case_form"] = [dict(row._mapping) for row in some]
            theirs = tasks.c.case_form_id.in_([row["id"] for row in found["case_form"]])
        else:
            theirs = of_wanted & tasks.c.case_id.between(*here)
        found["case_task"] = [dict(row._mapping) for row in reading.execute(select(tasks).where(theirs))]
        yield found
