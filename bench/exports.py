"""The export of a million clients over HTTP, as CSV and as a workbook: how long it takes, and that no process grows.

`EXPORT_CLIENTS` chooses another number of clients.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import requests
import yaml
from sqlalchemy import text

from bench.stage import LARGEST, Stage
from bench.system import System, system
from chassis.migrations import owner_engine

CLIENTS = int(os.environ.get("EXPORT_CLIENTS") or 1_000_000)
FEW = 10_000
PROMISED_GROWTH = 1.25
_BLOCK = 1024 * 1024
NEEDS_SERVERS = False


def report(stage: Stage) -> list[str]:
    """The lines to print. Raises RuntimeError if a client is missing."""
    peaks: dict[int, dict[str, float]] = {}
    lines = []
    for clients in (FEW, CLIENTS):
        with system() as running:
            _fill(running, clients)
            for form in ("csv", "xlsx"):
                seconds, size = _exported(running, form, clients)
                if clients == CLIENTS:
                    rate = clients / seconds
                    told = f"{seconds:.0f} s, {rate:,.0f}/s, {size:.0f} MB"
                    lines.append(f"export, {clients:,} clients as {form}: {told}")
            memory = running.peak_megabytes()
            peaks[clients] = {name: memory[name] for name in ("gateway", "clients")}
    return [*lines, _memory_line(peaks)]


_FILL = (
    """INSERT INTO client (firm_id, id, version, created_at, updated_at, kind, first_name, last_name, status, spam,
    custom_fields, sort_name, name_key, search_text) SELECT :firm, gen_random_uuid(), 1, now(), now(), 'individual',
    'Ann' || number, 'Lee', 'active', false, '{}', 'lee ann' || number, 'ann' || number || ' lee', ''
    FROM generate_series(1, :clients) AS number""",
    """INSERT INTO client_phone (firm_id, client_id, position, number, kind, is_primary) SELECT firm_id, id, 0,
    '+1212' || lpad(row_number() OVER ()::text, 7, '0'), 'mobile', true FROM client WHERE firm_id = :firm""",
    """INSERT INTO client_email (firm_id, client_id, position, address, key, is_primary) SELECT firm_id, id, 0,
    lower(first_name) || '@example.com', lower(first_name) || '@example.com', true FROM client WHERE firm_id = :firm""",
    """INSERT INTO client_address (firm_id, client_id, position, kind, line1, city, state, postal_code, country)
    SELECT firm_id, id, 0, 'primary', '1 Main St', 'Reno', 'NV', '01234', 'US' FROM client WHERE firm_id = :firm""",
    """INSERT INTO client_tag (firm_id, client_id, position, tag, key) SELECT firm_id, id, 0, 'vip', 'vip' FROM client
    WHERE firm_id = :firm""",
    """INSERT INTO last_activity (firm_id, client_id, at) SELECT firm_id, id, now() FROM client
    WHERE firm_id = :firm""",
)


def _fill(running: System, clients: int) -> None:
    """Clients of the demonstration firm, written past the service."""
    settings = yaml.safe_load(Path(running.state()["settings"]).read_text())
    firm_id = running.api.get("/v1/me")["firm"]["id"]
    engine = owner_engine(settings["MIGRATION_URLS"]["clients"])
    with engine.begin() as connection:
        for statement in _FILL:
            connection.execute(text(statement), {"firm": firm_id, "clients": clients})
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def _exported(running: System, form: str, clients: int) -> tuple[float, float]:
    """Seconds and megabytes."""
    began, size, lines = time.perf_counter(), 0, 0
    address = f"{running.url}/v1/clients/export.{form}"
    with requests.get(address, headers={"X-API-Key": running.key}, stream=True, timeout=600) as answer:
        answer.raise_for_status()
        for block in answer.iter_content(_BLOCK):
            size += len(block)
            lines += block.count(b"\n")
    if form == "csv" and lines < clients + 1:
        raise RuntimeError(f"{lines} lines of {clients} clients")
    return time.perf_counter() - began, size / 1e6


def _memory_line(peaks: dict[int, dict[str, float]]) -> str:
    growth = {name: peaks[CLIENTS][name] / peaks[FEW][name] for name in peaks[CLIENTS]}
    largest = max(peaks[CLIENTS].values())
    held = max(growth.values()) <= PROMISED_GROWTH and largest < LARGEST
    each = ", ".join(f"{name} {peaks[CLIENTS][name]:.0f} MB ({times:.2f} x)" for name, times in growth.items())
    reached = "reached" if held else "NOT reached"
    return f"export, memory of {CLIENTS:,} clients against {FEW:,} (promised {PROMISED_GROWTH} x, {reached}): {each}"
