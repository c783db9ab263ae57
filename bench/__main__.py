"""`python -m bench [NAME …]`: runs the measurements and prints each as a ratio to its peer."""

from __future__ import annotations

import importlib
import sys

from bench.stage import stage

MEASUREMENTS = ("read", "events", "bulk")


def main() -> int:
    chosen = sys.argv[1:] or list(MEASUREMENTS)
    unknown = set(chosen) - set(MEASUREMENTS)
    if unknown:
        sys.stderr.write(f"there is no measurement {sorted(unknown)[0]}; there are {', '.join(MEASUREMENTS)}\n")
        return 2
    with stage() as where:
        for name in chosen:
            print(f"measuring {name} …", file=sys.stderr)
            for line in importlib.import_module(f"bench.{name}").report(where):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
