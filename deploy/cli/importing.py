"""`casewire import`: a file of clients or cases, through the API."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from deploy.cli.common import refuse


def add(commands: Any) -> None:
    """Adds it."""
    command = commands.add_parser(
        "import", help="take a file of clients or cases in, through the API of a running system"
    )
    command.add_argument("file", type=Path, nargs="?", metavar="FILE", help="CSV, TSV or a workbook (XLSX)")
    command.add_argument("--watch", metavar="ID", help="show an import that runs, in place of a new one")
    command.add_argument("--target", choices=("clients", "cases"), default="clients", help="what its rows are")
    command.add_argument("--sheet", help="of a workbook; the first with rows if not named")
    command.add_argument(
        "--mapping", nargs="+", default=[], metavar="COLUMN=FIELD", help="over what is suggested; or a file of JSON"
    )
    command.add_argument(
        "--default", nargs="+", default=[], metavar="FIELD=VALUE", help="what an empty cell means, or a missing column"
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


def _import(chosen: argparse.Namespace) -> int:
    from rich.console import Console

    from deploy.importing import WRONG_USE, ImportApi, Refused, read_defaults, read_mapping, take_in, watch

    url = chosen.url or os.environ.get("CASEWIRE_URL")
    api = ImportApi(url or f"http://127.0.0.1:{os.environ.get('PORT') or 8000}", _api_key(is_here=url is None))
    if chosen.watch:
        return watch(api, chosen.watch, folder=Path(), console=Console(highlight=False))
    if chosen.file is None or not chosen.file.is_file():
        refuse("name a file to import, or an import to --watch" if chosen.file is None else f"no file {chosen.file}")
    settings: dict[str, Any] = {
        "duplicates": chosen.duplicates,
        "default_country": chosen.country.upper(),
        "date_format": chosen.dates,
        "clear_empty": chosen.clear_empty,
    }
    try:
        mapping = read_mapping(chosen.mapping)
        settings["default_values"] = read_defaults(chosen.default)
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
        refuse("set CASEWIRE_API_KEY to a key that may import")
    return kept
