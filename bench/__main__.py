"""`python -m bench [NAME …]`: runs the measurements and prints each as a ratio to its peer, or as its own figures."""

from __future__ import annotations

import importlib
import sys
from contextlib import ExitStack

from bench.stage import Stage, stage

MEASUREMENTS = (
    "revocations", "read", "events", "bulk", "dispatchers", "stops", "card", "accept", "queues", "find", "select",
    "views", "assign", "imports", "case_imports", "exports",
)  # fmt: skip


def main() -> int:
    chosen = sys.argv[1:] or list(MEASUREMENTS)
    unknown = set(chosen) - set(MEASUREMENTS)
    if unknown:
        sys.stderr.write(f"there is no measurement {sorted(unknown)[0]}; there are {', '.join(MEASUREMENTS)}\n")
        return 2
    with ExitStack() as stack:
        where: Stage | None = None
        for name in chosen:
            print(f"measuring {name} …", file=sys.stderr)
            measurement = importlib.import_module(f"bench.{name}")
            if where is None and getattr(measurement, "NEEDS_SERVERS", True):
                where = stack.enter_context(stage())
            for line in measurement.report(where):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
