"""Says which services' models have changed without a migration, and whose migrations do not follow each other; returns
1 if any has."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from chassis.migrations import disorder, pending_changes, versions_of
from deploy.deployables import DATABASES


def main() -> int:
    """Bring an empty SQLite database to each service's newest revision and compare."""
    logging.disable(logging.CRITICAL)
    if wrong := [f"{service}: {said}\n" for service in DATABASES for said in disorder(versions_of(service))]:
        sys.stdout.writelines(wrong)
        return 1
    drifted = []
    with tempfile.TemporaryDirectory() as folder:
        for service in DATABASES:
            if pending_changes(service, f"sqlite:///{Path(folder) / service}.db"):
                drifted.append(service)
    for service in drifted:
        sys.stdout.write(f"the models of {service} have changes that no migration makes\n")
    return 1 if drifted else 0


if __name__ == "__main__":
    raise SystemExit(main())
