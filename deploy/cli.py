"""The command line: `casewire …`. Each command imports what it needs, once eventlet is patched where it must be."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any, NoReturn

UP_FOLDER = "var/up"


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns its exit status."""
    chosen = _parser().parse_args(arguments)
    try:
        status: int = chosen.command(chosen)
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="casewire", description="Run and operate Casewire.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("run", help="everything in one process, on CASEWIRE_DATA (var/data) at PORT (8000)")
    command.set_defaults(command=_run)

    command = commands.add_parser("serve", help="one or more services in this process, by a settings file")
    command.add_argument("services", nargs="+", metavar="SERVICE")
    _add_settings(command)
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

    command = commands.add_parser("migrate", help="bring the services' databases to their newest schema")
    command.add_argument("services", nargs="*", metavar="SERVICE", help="all if none is named")
    _add_settings(command)
    command.set_defaults(command=_migrate)

    queues = commands.add_parser("queues", help="queues on the bus").add_subparsers(required=True)
    command = queues.add_parser("declare", help="declare every service's queues, before the first process is started")
    _add_settings(command)
    command.set_defaults(command=_declare_queues)

    command = commands.add_parser("firm", help="firms").add_subparsers(required=True).add_parser("create")
    command.add_argument("name")
    _add_settings(command)
    command.set_defaults(command=_create_firm)

    erasures = commands.add_parser("erasures", help="clients who were erased").add_subparsers(required=True)
    command = erasures.add_parser("apply", help="erase them again, after a database was restored from a backup")
    _add_settings(command)
    command.set_defaults(command=_apply_erasures)

    _add_companies(commands)
    _add_import(commands)
    _add_dead_letters(commands)
    _add_keys(commands)
    return parser


def _add_import(commands: Any) -> None:
    command = commands.add_parser("import", help="take a file of clients in, through the API of a running system")
    command.add_argument("file", type=Path, nargs="?", metavar="FILE", help="CSV, TSV or a workbook (XLSX)")
    command.add_argument("--watch", metavar="ID", help="show an import that runs, in place of a new one")
    command.add_argument("--target", choices=("clients",), default="clients")
    command.add_argument("--sheet", help="of a workbook; the first with rows if not named")
    command.add_argument(
        "--mapping", nargs="+", default=[], metavar="COLUMN=FIELD", help="over what is suggested; or a file of JSON"
    )
    command.add_argument("--duplicates", choices=("skip", "update", "create", "merge"), default="skip")
    command.add_argument("--country", default="US", help="whose numbers and dates these are; two letters")
    command.add_argument(
        "--dates",
        choices=("auto", "month_first", "day_first", "year_first"),
        default="auto",
        help="how days are written",
    )
    command.add_argument("--clear-empty", action="store_true", help="an empty cell clears its field")
    command.add_argument("--yes", action="store_true", help="do not ask after the preview")
    command.add_argument("--url", help="of the system: CASEWIRE_URL, else this machine at PORT (8000)")
    command.set_defaults(command=_import)


def _add_keys(commands: Any) -> None:
    keys = commands.add_parser("keys", help="the keys that seal what is sensitive").add_subparsers(required=True)
    for name, text in {
        "status": "each firm's key: since when, and how far a rotation is",
        "rotate": "give each firm a new key while the services run; cut off, the next run goes on",
    }.items():
        command = keys.add_parser(name, help=text)
        command.add_argument("--firm", metavar="ID", help="this firm only")
        _add_settings(command)
        command.set_defaults(command=_keys, action=name)


def _add_companies(commands: Any) -> None:
    companies = commands.add_parser("companies", help="the directory that all firms share").add_subparsers(
        required=True
    )
    proposals = companies.add_parser("proposals", help="what firms propose for it").add_subparsers(required=True)
    for name, text in {
        "list": "what waits for a decision, oldest first",
        "accept": "make proposals part of the directory",
        "reject": "leave the directory as it is",
    }.items():
        command = proposals.add_parser(name, help=text)
        if name != "list":
            command.add_argument("ids", metavar="ID", nargs="+", type=_an_id)
        _add_settings(command)
        command.set_defaults(command=_company_proposals, action=name)


def _add_dead_letters(commands: Any) -> None:
    letters = commands.add_parser("dead-letters", help="messages that were parked").add_subparsers(required=True)
    for name, text in {
        "list": "what is parked, oldest first",
        "show": "one parked message, with its reason",
        "replay": "deliver parked messages again, under their own ids",
        "discard": "give parked messages up",
    }.items():
        command = letters.add_parser(name, help=text)
        command.add_argument("service")
        if name != "list":
            command.add_argument("ids", metavar="ID", nargs=1 if name == "show" else "+")
        _add_settings(command)
        command.set_defaults(command=_dead_letters, action=name)


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--settings",
        type=Path,
        default=os.environ.get("CASEWIRE_SETTINGS"),
        help="a YAML file; without one, the data of `casewire run` is meant",
    )


def _patch_eventlet() -> None:
    import eventlet

    eventlet.monkey_patch()


def _end_at_once_until_started() -> None:
    # While modules load, KeyboardInterrupt may come up in a callback that drops it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _run(chosen: argparse.Namespace) -> int:
    _end_at_once_until_started()
    _patch_eventlet()
    from deploy.embedded import run

    return run()


def _serve(chosen: argparse.Namespace) -> int:
    _end_at_once_until_started()
    _patch_eventlet()
    from chassis.config import load_or_exit
    from chassis.run import run_services
    from deploy.deployables import DEPLOYABLES, settings_of
    from deploy.keys import demand_keys

    unknown = sorted(set(chosen.services) - set(DEPLOYABLES))
    if unknown:
        _refuse(f"there is no service {unknown[0]}; there are {', '.join(DEPLOYABLES)}")
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
            _refuse(f"replicas are given as SERVICE=N, such as dispatcher=2, not {pair!r}")
        counts[name] = int(count)
    return counts


def _down(chosen: argparse.Namespace) -> int:
    from deploy.distributed import down

    down(chosen.folder)
    return 0


def _demo(chosen: argparse.Namespace) -> int:
    from deploy.demonstration import show

    return show(chosen.backend)


def _urls(settings: Path | None) -> dict[str, str]:
    """Each service's database: by the settings file, else those of the embedded data folder."""
    from chassis.config import load_or_exit
    from deploy.embedded import data_folder, embedded_urls

    if settings is None and not os.environ.get("DATABASE_URLS"):
        return embedded_urls(data_folder())
    urls: dict[str, str] = load_or_exit(_operators(), file=settings)["DATABASE_URLS"] or {}
    return urls


def _operators() -> list[Any]:
    """What an operator's settings file may hold besides what all services know."""
    from dataclasses import replace

    from chassis.sealing import SEALING_KEYS_URL

    return [replace(SEALING_KEYS_URL, default=None)]


def _url(service: str, settings: Path | None) -> str:
    urls = _urls(settings)
    if service not in urls:
        _refuse(f"no database is set for {service}; there are {', '.join(urls) or 'none'}")
    return urls[service]


def _migrate(chosen: argparse.Namespace) -> int:
    from sqlalchemy import make_url

    from chassis.migrations import upgrade
    from chassis.walls import Unwalled

    owners = _owners(chosen.settings)
    for service in chosen.services or _urls(chosen.settings):
        url = _url(service, chosen.settings)
        try:
            if url.startswith("sqlite"):
                upgrade(service, url)
            elif service not in owners:
                _refuse(f"MIGRATION_URLS names nobody for {service}: its tables belong to another role than its own")
            else:
                upgrade(service, owners[service], role=make_url(url).username)
        except Unwalled as error:
            _refuse(f"{service}: {error}")
        print(f"{service}: newest schema")
    return 0


def _owners(settings: Path | None) -> dict[str, str]:
    """Each service's database as the role that owns it, where one is set."""
    from chassis.config import load_or_exit

    urls: dict[str, str] = load_or_exit(_operators(), file=settings)["MIGRATION_URLS"] or {}
    return urls


def _declare_queues(chosen: argparse.Namespace) -> int:
    _patch_eventlet()
    from amqp.exceptions import AMQPError

    from chassis.config import load_or_exit
    from chassis.embedded_bus import is_embedded
    from chassis.queues import declare_queues
    from deploy.deployables import DEPLOYABLES

    config = load_or_exit(_operators(), file=chosen.settings)
    if is_embedded(config["AMQP_URI"]):
        _refuse("the bus of `casewire run` declares its own queues; name the settings file of another")
    try:
        names = declare_queues(config, [entry.load() for entry in DEPLOYABLES.values()])
    except (AMQPError, OSError, RuntimeError) as error:
        sys.stderr.write(f"casewire: the queues could not be declared: {error}\n")
        return 1
    print(f"{len(names)} queues are declared")
    return 0


def _create_firm(chosen: argparse.Namespace) -> int:
    _patch_eventlet()
    from deploy.firms import create_firm

    url = _url("accounts", chosen.settings)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        _refuse("there is no data yet: start `casewire run` first, or name the settings file")
    print(f"api key: {create_firm(url, chosen.name)}")
    return 0


def _import(chosen: argparse.Namespace) -> int:
    from rich.console import Console

    from deploy.importing import WRONG_USE, ImportApi, Refused, read_mapping, take_in, watch

    url = chosen.url or os.environ.get("CASEWIRE_URL")
    api = ImportApi(url or f"http://127.0.0.1:{os.environ.get('PORT') or 8000}", _api_key(is_here=url is None))
    if chosen.watch:
        return watch(api, chosen.watch, folder=Path(), console=Console(highlight=False))
    if chosen.file is None or not chosen.file.is_file():
        _refuse("name a file to import, or an import to --watch" if chosen.file is None else f"no file {chosen.file}")
    settings = {
        "duplicates": chosen.duplicates,
        "default_country": chosen.country.upper(),
        "date_format": chosen.dates,
        "clear_empty": chosen.clear_empty,
    }
    try:
        mapping = read_mapping(chosen.mapping)
    except Refused as error:
        sys.stderr.write(f"casewire: {error}\n")
        return WRONG_USE
    return take_in(
        api, chosen.file, target=chosen.target, sheet=chosen.sheet, settings=settings, mapping=mapping, sure=chosen.yes
    )


def _api_key(*, is_here: bool) -> str:
    """`CASEWIRE_API_KEY`, else for a system that is here the key that the embedded deployment keeps in its folder. (Not
    an argument: everybody on the machine can read those.)"""
    from deploy.embedded import data_folder
    from deploy.folder import Folder

    if key := os.environ.get("CASEWIRE_API_KEY"):
        return key
    kept = Folder(data_folder()).kept("api-key") if is_here and data_folder().exists() else None
    if kept is None:
        _refuse("set CASEWIRE_API_KEY to a key that may import")
    return kept


def _dead_letters(chosen: argparse.Namespace) -> int:
    _patch_eventlet()
    from deploy.dead_letters import act

    return act(chosen.action, chosen.service, _url(chosen.service, chosen.settings), getattr(chosen, "ids", []))


def _apply_erasures(chosen: argparse.Namespace) -> int:
    _patch_eventlet()
    from chassis.config import load_or_exit
    from deploy.embedded import data_folder
    from deploy.erasures import apply

    url = _url("clients", chosen.settings)
    if chosen.settings is None and not os.environ.get("DATABASE_URLS"):
        return apply(url, f"file://{data_folder().resolve() / 'files'}")
    files: str | None = load_or_exit(_operators(), file=chosen.settings)["FILES_URL"]
    if files is None:
        _refuse("FILES_URL is not set: the journal of erasures is in the file store")
    return apply(url, files)


def _company_proposals(chosen: argparse.Namespace) -> int:
    _patch_eventlet()
    from deploy.companies import act

    return act(chosen.action, _url("clients", chosen.settings), getattr(chosen, "ids", []))


def _an_id(text: str) -> str:
    return str(uuid.UUID(text))


def _keys(chosen: argparse.Namespace) -> int:
    _patch_eventlet()
    from chassis.config import load_or_exit
    from deploy.embedded import data_folder, sealing_keys
    from deploy.folder import Folder
    from deploy.keys import act

    urls = _urls(chosen.settings)
    store = load_or_exit(_operators(), file=chosen.settings)["SEALING_KEYS_URL"]
    if store is None:
        if chosen.settings is not None or not (data_folder() / "sealing-keys").exists():
            _refuse("SEALING_KEYS_URL is not set, and there is no data of `casewire run`: name the settings file")
        store = sealing_keys(Folder(data_folder()))
    return act(chosen.action, urls, store, chosen.firm)


def _refuse(sentence: str) -> NoReturn:
    sys.stderr.write(f"casewire: {sentence}\n")
    raise SystemExit(2)


if __name__ == "__main__":
    raise SystemExit(main())
