"""The fault matrix at full load.

    python -m tests.faults [ROW …] [--backend distributed|embedded] [--scale 0.1] [--table]

Runs the rows that are named, else all, prints what happens while it runs, and at the end the table of these rows by
their latest results, which are kept in var/faults. Ends with 1 if a figure is not reached. `--scale` makes loads and
numbers of faults smaller, to try a row out; its results are kept apart.
"""

from __future__ import annotations

import argparse
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.faults.deployments import Deployment, distributed, single
from tests.faults.figures import Figure, Result, keep, kept, table
from tests.faults.matrix import BOTH, ROWS, Row
from tests.faults.oracles import ACCOUNT, TwilioOracle
from tests.faults.work import Firm, Load, webhook_secret
from tests.stand_ins.twilio import TwilioStandIn

RESULTS = Path("var/faults")


def main() -> int:
    """Runs what was asked for. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", type=int, metavar="ROW", help="numbers of rows; all if none is named")
    parser.add_argument("--backend", choices=BOTH, help="only on this one")
    parser.add_argument("--scale", type=float, default=1.0, help="a part of the full load, to try a row out")
    parser.add_argument("--table", action="store_true", help="only print the table of what was run before")
    chosen = parser.parse_args()
    unknown = set(chosen.rows) - {row.number for row in ROWS}
    if unknown:
        parser.error(f"there is no row {min(unknown)}")
    folder = RESULTS if chosen.scale == 1.0 else RESULTS / "tried"
    wanted = [row for row in ROWS if not chosen.rows or row.number in chosen.rows]
    if not chosen.table:
        for backend in [chosen.backend] if chosen.backend else BOTH:
            rows = [row for row in wanted if backend in row.loads]
            if rows:
                run_on(backend, rows, chosen.scale, folder)
    results = [result for result in kept(folder) if any(result.row == row.number for row in wanted)]
    print("\n" + table(results))
    return 0 if results and all(result.reached for result in results) else 1


def run_on(backend: str, rows: Sequence[Row], scale: float, folder: Path) -> None:
    """Runs rows one after the other on one running system; after one that broke down, on a new one."""
    left = [row for row in rows if row.run is not None]
    while left:
        with ExitStack() as stack:
            firm = _open(stack, backend, max(_scaled(row.loads[backend], scale).messages for row in left))
            while left:
                row = left.pop(0)
                result = run(row, backend, scale, folder, partial(_disturb, row, firm))
                if result.failure:
                    break
    for row in rows:
        if row.run_alone is not None:
            run(row, backend, scale, folder, partial(row.run_alone, backend))


def run(
    row: Row, backend: str, scale: float, folder: Path, work: Callable[[Load, Callable[[str], None]], list[Figure]]
) -> Result:
    """Runs one row, tells of it and keeps its result."""
    load = _scaled(row.loads[backend], scale)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"  {time.monotonic() - began:6.1f} s  {line}", flush=True)

    print(f"row {row.number} on {backend}: {row.fault}, {load}", flush=True)
    figures: list[Figure] = []
    failure = ""
    try:
        figures = work(load, say)
    except Exception as error:  # the other rows are run all the same
        traceback.print_exc()
        failure = f"{type(error).__name__}: {error}"
    result = Result(row.number, row.fault, backend, str(load), tuple(figures), time.monotonic() - began, failure)
    keep(result, folder)
    print(f"  {result.line()}", flush=True)
    return result


def _disturb(row: Row, firm: Firm, load: Load, say: Callable[[str], None]) -> list[Figure]:
    assert row.run is not None
    assert isinstance(firm.oracle, TwilioOracle)
    firm.oracle.twilio.reset()
    firm.oracle.twilio.call_back(webhook_secret(firm.deployment.folder))
    return row.run(firm, load, say)


def _open(stack: ExitStack, backend: str, recipients: int) -> Firm:
    began = time.monotonic()
    twilio = stack.enter_context(TwilioStandIn())
    environment = {**ACCOUNT, "TWILIO_API_URL": twilio.url}
    deployment: Deployment = stack.enter_context(
        distributed({"dispatcher": 2}, environment) if backend == "distributed" else single(environment)
    )
    firm = Firm(deployment, TwilioOracle(twilio)).open(recipients)
    print(f"{backend} is up with {recipients:,} recipients after {time.monotonic() - began:.0f} s", flush=True)
    return firm


def _scaled(load: Load, scale: float) -> Load:
    if scale == 1.0:
        return load
    messages = max(40, int(load.messages * scale) // 2 * 2)
    return replace(load, messages=messages, faults=max(1, round(load.faults * scale)), text=f"{load} × {scale}")


if __name__ == "__main__":
    raise SystemExit(main())
