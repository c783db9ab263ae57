"""The import of 100,000 clients on PostgreSQL, against a bare bulk insert of the same rows by SQLAlchemy.

Each import is a process of its own, so that its peak of memory is its own: `python -m bench.imports URL FOLDER` takes
the file in and prints one line of JSON.
"""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.stage import Stage

ROWS = 100_000
FEW = 10_000
ROUNDS = 3
PROMISED_RATE = 3000.0
PROMISED_RATIO = 5.0
PROMISED_GROWTH = 1.25
COLUMNS = [
    "External ID", "First name", "Last name", "Date of birth", "Email", "Mobile phone", "Home phone", "Status",
    "Language", "Time zone", "Tags", "Occupation", "Address", "City", "State", "ZIP", "Country",
]  # fmt: skip
_FIRST = ("Ann", "José", "Maria", "Li", "Noor", "Olga", "Pavel", "Quinn", "Rosa", "Sven", "Tariq", "Uma", "Zoë")
_LAST = ("Lee", "Muñoz", "Novak", "O'Neil", "Petrov", "Garcia", "Smith", "Tanaka", "Ueda", "Van Dyk", "Woodard")
_AREAS = (201, 212, 303, 305, 312, 404, 415, 512, 602, 617, 702, 713, 801, 818, 907, 916)
_BESIDE = ("activity", "suspected_pair")
"""Tables of clients that an import writes beside their records."""


def write_file(path: Path, rows: int) -> Path:
    """A CSV of so many different clients; two of 100 rows are wrong."""
    chance = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        for number in range(rows):
            area = _AREAS[number % len(_AREAS)]
            local = 2_000_000 + number // len(_AREAS) * 13
            phone = f"({area}) {local // 10000:03d}-{local % 10000:04d}" if number % 50 else "none"
            first, last = chance.choice(_FIRST), chance.choice(_LAST)
            born = f"{chance.randint(1, 12):02d}/{chance.randint(1, 28):02d}/{chance.randint(1940, 2005)}"
            writer.writerow([
                f"X{number}", first, f"{last} {number}", born if number % 3 else "", f"person{number}@example.com",
                phone, f"+1{area}{local + 5}" if number % 4 == 0 else "", "active", "en", "America/Denver",
                "vip;newsletter" if number % 5 == 0 else "newsletter", "Baker" if number % 2 else "",
                f"{number} Main St", "Reno", "NV", f"{number % 99999:05d}", "US",
            ])  # fmt: skip
    return path


def report(stage: Stage) -> list[str]:
    """The lines to print."""
    rates, peers, peaks = [], [], {}
    for rows in (FEW, ROWS):
        write_file(stage.folder / f"{rows}.csv", rows)
    peaks[FEW] = _imported(stage, "imports_few", FEW)["peak"]
    for number in range(ROUNDS):
        name = f"imports_{number}"
        told = _imported(stage, name, ROWS)
        rates.append(told["rate"])
        peaks[ROWS] = max(peaks.get(ROWS, 0), told["peak"])
        peers.append(_inserted(stage, name, number))
    return [
        _line("import, 100,000 rows", rates, PROMISED_RATE),
        _ratio_line(rates, peers),
        _memory_line(peaks),
    ]


def _line(name: str, rates: list[float], promised: float) -> str:
    rate = statistics.median(rates)
    reached = "reached" if rate >= promised else "NOT reached"
    return f"{name}: {rate:,.0f} rows/s (promised {promised:,.0f}, {reached})"


def _ratio_line(rates: list[float], peers: list[float]) -> str:
    ratio = statistics.median(peer / rate for rate, peer in zip(rates, peers, strict=True))
    reached = "reached" if ratio <= PROMISED_RATIO else "NOT reached"
    pair = f"{statistics.median(rates):,.0f}/s against {statistics.median(peers):,.0f}/s"
    return (
        f"import, against a bare bulk insert of the same rows: {ratio:.2f} x its time (promised at most "
        f"{PROMISED_RATIO:.0f} x, {reached}); {pair}"
    )


def _memory_line(peaks: dict[int, float]) -> str:
    growth = peaks[ROWS] / peaks[FEW]
    reached = "reached" if growth <= PROMISED_GROWTH else "NOT reached"
    return (
        f"import, memory of {ROWS:,} rows against {FEW:,}: {growth:.2f} x (promised {PROMISED_GROWTH}, {reached}); "
        f"{peaks[ROWS]:.0f} MB against {peaks[FEW]:.0f} MB"
    )


def _database(stage: Stage, name: str) -> str:
    """A new database with clients' tables, behind their walls; its URL for the service."""
    from chassis.migrations import upgrade

    url, owner_url = stage.postgres.create_service_database(name, "clients", "bench", "bench")
    upgrade("clients", owner_url, role="clients")
    return url


def _imported(stage: Stage, database: str, rows: int) -> dict[str, float]:
    url = _database(stage, database)
    folder = stage.folder / f"{database}-files"
    folder.mkdir()
    (folder / "people.csv").write_bytes((stage.folder / f"{rows}.csv").read_bytes())
    command = [sys.executable, "-m", "bench.imports", url, str(folder)]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if told["read"] != rows or told["failed"] != rows // 50:
        raise RuntimeError(f"the counts do not add up: {told}")
    return told


def _inserted(stage: Stage, database: str, number: int) -> float:
    """Rows a second of a bare bulk insert of what the import made, 1,000 clients in a transaction, past the walls.

    The tables are analysed after the first thousand, so that its foreign keys are checked by the right index.
    """
    from sqlalchemy import create_engine, insert, select, text

    from services.clients.models import Base

    tables = Base.metadata.tables
    owners = {"client": tables["client"].c.id} | {
        table.name: table.c.client_id
        for table in Base.metadata.sorted_tables
        if "client_id" in table.c and table.name not in _BESIDE
    }
    copy = f"imports_peer_{number}"
    _database(stage, copy)
    source, target = create_engine(stage.postgres.url(database)), create_engine(stage.postgres.url(copy))
    taken = 0.0
    with source.connect() as reading:
        with target.begin() as writing:
            writing.execute(insert(tables["firm_key"]), _rows(reading.execute(select(tables["firm_key"]))))
        ids = list(reading.scalars(select(tables["client"].c.id).order_by(tables["client"].c.id)))
        for start in range(0, len(ids), 1000):
            some = ids[start : start + 1000]
            found = {}
            for name, owner in owners.items():
                rows = reading.execute(select(tables[name]).where(owner.between(some[0], some[-1])))
                found[name] = _rows(rows)
            began = time.perf_counter()
            with target.begin() as writing:
                for name, values in found.items():
                    if values:
                        writing.execute(insert(tables[name]), values)
            taken += time.perf_counter() - began
            if not start:
                with target.begin() as analysing:
                    analysing.execute(text("ANALYZE"))
    source.dispose()
    target.dispose()
    return len(ids) / taken


def _rows(found: Iterable[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in found]


def main() -> None:
    """Take `people.csv` of a folder of files into the database of a URL."""
    import eventlet

    eventlet.monkey_patch()
    from chassis.columns import new_id, utc_now
    from chassis.database import Database
    from chassis.files import FolderFiles
    from chassis.run import spare_the_collector
    from chassis.sealing import LocalKeys, use_key_store
    from services.clients import importing
    from services.clients.imports import running as import_running
    from services.clients.imports.store import IMPORTS
    from services.clients.models import Base

    url, folder = sys.argv[1:]
    spare_the_collector()
    use_key_store(LocalKeys([os.urandom(32)]))
    db, files = Database(url, Base, firm_id=new_id()), FolderFiles(Path(folder))
    before = time.perf_counter()
    made = importing.create_import(db, files, file_key="people.csv", filename="people.csv")
    uploaded = time.perf_counter()
    importing.preview_import(db, files, utc_now(), import_id=made["id"])
    previewed = time.perf_counter()
    import_running.run_import(db, import_id=made["id"])
    began = time.perf_counter()
    import_running.continue_import(db, files, made["id"], utc_now, budget=3600)
    seconds = time.perf_counter() - began
    counts = IMPORTS.get(db, made["id"])["counts"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    told = {**counts, "rate": counts["read"] / seconds, "peak": peak, "upload": uploaded - before,
            "preview": previewed - uploaded}  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    main()
