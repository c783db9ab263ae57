"""The firm begins: its clients come from a file, and its cases are opened."""

from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deploy.demo.api import wait_for
from deploy.demo.stage import Stage

DATA = Path(__file__).parent.parent / "demo_data"
RATE = 50.0
SENDER = "+12125550100"
NOTIFIED_TYPE = "Probate"
# The firm is in Maine; its business days leave these out.
HOLIDAYS = "US-ME"

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


def cases_to_open() -> int | None:
    """How many of the file's cases are opened: all, unless DEMO_CASES says how many."""
    given = os.environ.get("DEMO_CASES")
    return int(given) if given else None


def import_clients(stage: Stage) -> None:
    """1. Import the firm's clients from a file"""
    with (DATA / "clients.csv").open("rb") as file:
        made = stage.api.post("/v1/imports", files={"file": ("clients.csv", file)}, data={"target": "clients"})
    address = f"/v1/imports/{made['id']}"
    preview = stage.api.post(f"{address}/preview", {"mapping": made["suggested_mapping"], "duplicates": "skip"})
    stage.counts("Preview: nothing is written yet", preview["counts"])
    stage.api.post(f"{address}/run")
    with stage.bar("importing", preview["counts"]["read"]) as show:

        def finished() -> Any:
            state = stage.api.get(address)
            show(state["progress"]["done"], state["progress"]["total"])
            return state if state["state"] in ("finished", "failed") else None

        outcome = wait_for("the import", finished, seconds=300)
    stage.counts("Imported", outcome["counts"])
    stage.counts("Rows that were wrong, by kind", outcome["error_counts"])
    stage.story.imported = outcome["counts"]


def create_cases(stage: Stage) -> None:
    """2. Open the firm's cases, some with several clients"""
    stage.api.patch("/v1/firm", {"holiday_calendar": HOLIDAYS})
    stage.api.put("/v1/senders", {"channel": "sms", "address": SENDER, "rate": RATE})
    types = {made["name"]: made["id"] for made in (stage.api.post("/v1/case-types", body) for body in CASE_TYPES)}
    clients = {client["external_source_id"]: client["id"] for client in stage.api.every("/v1/clients")}
    with (DATA / "cases.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[: cases_to_open()]

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
        stage.api.post("/v1/cases", body, key=f"demonstration-case-{row['id']}")

    with stage.bar("opening cases", len(rows)) as show, ThreadPoolExecutor(4) as pool:
        for done, _ in enumerate(pool.map(create, rows), start=1):
            show(done)
    stage.story.cases = stage.api.get("/v1/cases", limit=1)["meta"]["total"]
    _say_no(stage)
    _share_phones(stage)


def _say_no(stage: Stage) -> None:
    """Three clients told the staff that they want no texts."""
    for case in _open_cases(stage, 3):
        stage.api.put(f"/v1/clients/{case['primary']['id']}/preferences", {"sms": "opted_out"})
    stage.console.print("  three clients asked staff for no texts")


def _share_phones(stage: Stage) -> None:
    """Four couples share a phone, which must ring once for each of their tasks."""
    for case in _open_cases(stage, 7)[3:]:
        primary = case["primary"]
        spouse = stage.api.post(
            "/v1/clients",
            {"first_name": "Robin", "last_name": primary["last_name"], "phones": primary["phones"]},
            headers={"X-Skip-Duplicate-Check": "true"},
        )
        clients = [*case["clients"], {"client_id": spouse["id"], "role": "additional", "label": "spouse"}]
        stage.api.patch(f"/v1/cases/{case['id']}", {"clients": clients})
    stage.console.print("  four couples share a phone")


def _open_cases(stage: Stage, count: int) -> list[dict[str, Any]]:
    """Some open cases of the type that is notified later, whose primary client has a mobile phone."""
    found = []
    for case in stage.api.every("/v1/cases", case_type_id=case_type_id(stage), state="open"):
        client = stage.api.get(f"/v1/clients/{case['clients'][0]['client_id']}")
        if client["status"] == "active" and any(phone["kind"] == "mobile" for phone in client["phones"]):
            found.append({**case, "primary": client})
        if len(found) == count:
            break
    return found


def case_type_id(stage: Stage) -> str:
    """Of the cases that are notified."""
    types = stage.api.every("/v1/case-types")
    return next(str(entry["id"]) for entry in types if entry["name"] == NOTIFIED_TYPE)
