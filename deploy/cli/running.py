"""Commands that run Casewire: `run`, `serve`, `up`, `down`, `demo`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from deploy.cli.common import add_settings, patch_eventlet, refuse

UP_FOLDER = "var/up"


def add(commands: Any) -> None:
    """Adds them."""
    command = commands.add_parser("run", help="everything in one process, on CASEWIRE_DATA (var/data) at PORT (8000)")
    command.set_defaults(command=_run)

    command = commands.add_parser("serve", help="one or more services in this process, by a settings file")
    command.add_argument("services", nargs="+", metavar="SERVICE")
    add_settings(command)
    command.set_defaults(command=_serve)

    command = commands.add_parser("up", help="RabbitMQ, PostgreSQL and every service, each in a process of its own")
    command.add_argument("--folder", type=Path, default=Path(os.environ.get("CASEWIRE_UP") or UP_FOLDER))
    command.add_argument(
        "--replicas",
        metavar="SERVICE=N",
        nargs="*",
        default=(os.environ.get("CASEWIRE_REPLICAS") or "").split(),
        help="how many processes a service gets, such as dispatcher=2 (one if not named)",
    )
    command.set_defaults(command=_up)

    command = commands.add_parser("down", help="stop what `casewire up` started")
    command.add_argument("--folder", type=Path, default=Path(os.environ.get("CASEWIRE_UP") or UP_FOLDER))
    command.set_defaults(command=_down)

    command = commands.add_parser("demo", help="show the main job on a new folder")
    command.add_argument("--backend", choices=("embedded", "distributed"), default="embedded")
    command.set_defaults(command=_demo)


def _end_at_once_until_started() -> None:
    # While modules load, KeyboardInterrupt may come up in a callback that drops it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _run(chosen: argparse.Namespace) -> int:
    _end_at_once_until_started()
    patch_eventlet()
    from deploy.embedded import run

    return run()


def _serve(chosen: argparse.Namespace) -> int:
    _end_at_once_until_started()
    patch_eventlet()
    from chassis.config import load_or_exit
    from chassis.run import run_services
    from deploy.deployables import DEPLOYABLES, settings_of
    from deploy.keys import demand_keys

    unknown = sorted(set(chosen.services) - set(DEPLOYABLES))
    if unknown:
        refuse(f"there is no service {unknown[0]}; there are {', '.join(DEPLOYABLES)}")
    deployables = [DEPLOYABLES[name] for name in chosen.services]
    config = load_or_exit(settings_of(deployables), chosen.settings)
    demand_keys(chosen.services, config)
    return run_services([entry.load() for entry in deployables], config)


def _up(chosen: argparse.Namespace) -> int:
    from deploy.distributed import UpFailed, up

    try:
        up(chosen.folder, _counts(chosen.replicas))
    except UpFailed as error:
        sys.stderr.write(f"casewire: {error}\n")
        return 1
    return 0


def _counts(pairs: list[str]) -> dict[str, int]:
    from deploy.deployables import DEPLOYABLES

    counts = {}
    for pair in pairs:
        name, _, count = pair.partition("=")
        if name not in DEPLOYABLES or not count.isdecimal() or not 1 <= int(count) <= 20:
            refuse(f"replicas are given as SERVICE=N, such as dispatcher=2, not {pair!r}")
        counts[name] = int(count)
    return counts


def _down(chosen: argparse.Namespace) -> int:
    from deploy.distributed import down

    down(chosen.folder)
    return 0


def _demo(chosen: argparse.Namespace) -> int:
    from deploy.demonstration import show

    return show(chosen.backend)
