"""The import of 20,000 cases on PostgreSQL, each with a client who is found or made: the work of both services, in one
process without a bus between them.

`python -m bench.case_imports URL CLIENTS_URL FOLDER` takes the file in and prints one line of JSON.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.stage import Stage

ROWS = 20_000
FEW = 2_000
PROMISED_GROWTH = 1.25
COLUMNS = ["Number", "Name", "Type", "Status", "Description", "Value", "Open date", "Court", "Heirs", "Client", "Email"]


def write_file(path: Path, rows: int) -> Path:
    """A CSV of so many cases; every third is of the client of the one before, one of 50 is wrong."""
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        for number in range(rows):
            client = number - 1 if number % 3 == 2 else number
            writer.writerow([
                f"M-{number}" if number % 2 else "", f"Estate of Quimby {number}", "Probate", "In court",
                "What there is to say of it", "1250.50", "01/31/2026", "north" if number % 50 else "west",
                str(number % 9), f"Ann{client} Quimby", f"person{client}@example.com",
            ])  # fmt: skip
    return path


def report(stage: Stage) -> list[str]:
    """The lines to print."""
    told = {rows: _imported(stage, rows) for rows in (FEW, ROWS)}
    growth = told[ROWS]["peak"] / told[FEW]["peak"]
    reached = "reached" if growth <= PROMISED_GROWTH else "NOT reached"
    return [
        f"import of cases, {ROWS:,} rows with a client each: {told[ROWS]['rate']:,.0f} rows/s, the preview "
        f"{ROWS / told[ROWS]['preview']:,.0f}/s (nothing promised)",
        f"import of cases, memory of {ROWS:,} rows against {FEW:,}: {growth:.2f} x (promised {PROMISED_GROWTH}, "
        f"{reached}); {told[ROWS]['peak']:.0f} MB against {told[FEW]['peak']:.0f} MB",
    ]


def _imported(stage: Stage, rows: int) -> dict[str, float]:
    from chassis.migrations import upgrade

    urls = []
    for service in ("cases", "clients"):
        url, owner_url = stage.postgres.create_service_database(f"{service}_{rows}", service, "bench", "bench")
        upgrade(service, owner_url, role=service)
        urls.append(url)
    folder = stage.folder / f"case-files-{rows}"
    folder.mkdir()
    write_file(folder / "cases.csv", rows)
    command = [sys.executable, "-m", "bench.case_imports", *urls, str(folder)]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if told["read"] != rows or told["failed"] != -(-rows // 50):
        raise RuntimeError(f"the counts do not add up: {told}")
    return told


def main() -> None:
    """Take `cases.csv` of a folder of files into the databases of two URLs."""
    import eventlet

    eventlet.monkey_patch()
    from chassis.columns import new_id, utc_now
    from chassis.database import Database
    from chassis.files import FolderFiles
    from chassis.run import spare_the_collector
    from chassis.sealing import LocalKeys, use_key_store
    from services.cases import case_types
    from services.cases.imports import previewing, running
    from services.cases.imports.store import IMPORTS
    from services.cases.models import Base
    from services.clients.imports import people as import_people
    from services.clients.models import Base as ClientsBase

    url, clients_url, folder = sys.argv[1:]
    spare_the_collector()
    use_key_store(LocalKeys([os.urandom(32)]))
    firm_id = new_id()
    db, clients = Database(url, Base, firm_id=firm_id), Database(clients_url, ClientsBase, firm_id=firm_id)
    files = FolderFiles(Path(folder))

    def match_people(**asked: Any) -> dict[str, Any]:
        return import_people.match_people(clients, utc_now(), **asked)

    calls = SimpleNamespace(clients=SimpleNamespace(match_people=match_people))
    kind = {
        "name": "Probate", "statuses": [{"name": "New", "closed": False}, {"name": "In court", "closed": False}],
        "custom_fields": [{"key": "court", "label": "Court", "type": "choice", "options": ["north", "south"]},
                          {"key": "heirs", "label": "Heirs", "type": "number"}],
    }  # fmt: skip
    case_types.create_case_type(db, calls, kind, now=utc_now())
    made = previewing.create_import(db, files, file_key="cases.csv", filename="cases.csv")
    before = time.perf_counter()
    previewing.preview_import(db, files, calls, utc_now(), import_id=made["id"])
    previewed = time.perf_counter()
    running.run_import(db, import_id=made["id"], actor_id=None)
    began = time.perf_counter()
    running.continue_import(db, files, calls, made["id"], utc_now, budget=3600)
    seconds = time.perf_counter() - began
    counts = IMPORTS.get(db, made["id"])["counts"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({**counts, "rate": counts["read"] / seconds, "peak": peak, "preview": previewed - before}))


if __name__ == "__main__":
    main()
