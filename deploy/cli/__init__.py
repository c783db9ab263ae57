"""The command line: `casewire …`, its commands by what they are for. Each imports what it needs, once eventlet is
patched where it must be."""

from __future__ import annotations

import argparse
import gc
import sys

from contracts.errors import CasewireError
from deploy.cli import importing, installing, operating, running


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns its exit status."""
    # Of what imports and migrations make, nearly all stays: looking for garbage among it as often as Python does of
    # itself took a quarter of a start.
    gc.set_threshold(50_000, 20, 20)
    chosen = _parser().parse_args(arguments)
    try:
        status: int = chosen.command(chosen)
    except KeyboardInterrupt:
        return 130
    except CasewireError as error:
        sys.stderr.write(f"casewire: {error}\n")
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="casewire", description="Run and operate Casewire.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for part in (running, installing, importing, operating):
        part.add(commands)
    return parser
