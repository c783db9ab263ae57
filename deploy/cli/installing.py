"""Commands that set an installation up: `migrate`, `queues`, `firm`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from deploy.cli.common import add_settings, operator_settings, patch_eventlet, refuse, url_of, urls_of


def add(commands: Any) -> None:
    """Adds them."""
    command = commands.add_parser("migrate", help="bring the services' databases to their newest schema")
    command.add_argument("services", nargs="*", metavar="SERVICE", help="all if none is named")
    add_settings(command)
    command.set_defaults(command=_migrate)

    queues = commands.add_parser("queues", help="queues on the bus").add_subparsers(required=True)
    command = queues.add_parser("declare", help="declare every service's queues, before the first process is started")
    add_settings(command)
    command.set_defaults(command=_declare_queues)

    command = commands.add_parser("firm", help="firms").add_subparsers(required=True).add_parser("create")
    command.add_argument("name")
    add_settings(command)
    command.set_defaults(command=_create_firm)


def _migrate(chosen: argparse.Namespace) -> int:
    from sqlalchemy import make_url
    from sqlalchemy.exc import OperationalError

    from chassis.migrations import upgrade
    from chassis.walls import Unwalled

    owners = _owners(chosen.settings)
    for service in chosen.services or urls_of(chosen.settings):
        url = url_of(service, chosen.settings)
        try:
            if url.startswith("sqlite"):
                upgrade(service, url)
            elif service not in owners:
                refuse(f"MIGRATION_URLS names nobody for {service}: its tables belong to another role than its own")
            else:
                upgrade(service, owners[service], role=make_url(url).username)
        except Unwalled as error:
            refuse(f"{service}: {error}")
        except OperationalError as error:
            if error.statement is not None:
                raise
            sys.stderr.write(f"casewire: {service}: {str(error.orig).splitlines()[0]}\n")
            return 1
        print(f"{service}: newest schema")
    return 0


def _owners(settings: Path | None) -> dict[str, str]:
    """Each service's database as the role that owns it, where one is set."""
    from chassis.config import load_or_exit

    urls: dict[str, str] = load_or_exit(operator_settings(), file=settings)["MIGRATION_URLS"] or {}
    return urls


def _declare_queues(chosen: argparse.Namespace) -> int:
    patch_eventlet()
    from amqp.exceptions import AMQPError

    from chassis.config import load_or_exit
    from chassis.embedded_bus import is_embedded
    from chassis.queues import declare_queues
    from deploy.deployables import DEPLOYABLES

    config = load_or_exit(operator_settings(), file=chosen.settings)
    if is_embedded(config["AMQP_URI"]):
        refuse("the bus of `casewire run` declares its own queues; name the settings file of another")
    try:
        names = declare_queues(config, [entry.load() for entry in DEPLOYABLES.values()])
    except (AMQPError, OSError, RuntimeError) as error:
        sys.stderr.write(f"casewire: the queues could not be declared: {error}\n")
        return 1
    print(f"{len(names)} queues are declared")
    return 0


def _create_firm(chosen: argparse.Namespace) -> int:
    patch_eventlet()
    from deploy.firms import create_firm

    url = url_of("accounts", chosen.settings)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        refuse("there is no data yet: start `casewire run` first, or name the settings file")
    print(f"api key: {create_firm(url, chosen.name)}")
    return 0
