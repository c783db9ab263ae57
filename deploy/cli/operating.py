"""Commands for what is decided while Casewire runs: `dead-letters`, `erasures`, `companies`, `keys`."""

from __future__ import annotations

import argparse
import os
from typing import Any

from deploy.cli.common import add_settings, an_id, operator_settings, patch_eventlet, refuse, url_of, urls_of


def add(commands: Any) -> None:
    """Adds them."""
    _add_dead_letters(commands)
    _add_erasures(commands)
    _add_companies(commands)
    _add_keys(commands)


def _add_erasures(commands: Any) -> None:
    erasures = commands.add_parser("erasures", help="clients who were erased").add_subparsers(required=True)
    command = erasures.add_parser("apply", help="erase them again, after a database was restored from a backup")
    add_settings(command)
    command.set_defaults(command=_apply_erasures)


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
            command.add_argument("ids", metavar="ID", nargs="+", type=an_id)
        add_settings(command)
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
            command.add_argument("ids", metavar="ID", nargs=1 if name == "show" else "+", type=an_id)
        add_settings(command)
        command.set_defaults(command=_dead_letters, action=name)


def _add_keys(commands: Any) -> None:
    keys = commands.add_parser("keys", help="the keys that seal what is sensitive").add_subparsers(required=True)
    for name, text in {
        "status": "each firm's key: since when, and how far a rotation is",
        "rotate": "give each firm a new key while the services run; cut off, the next run goes on",
    }.items():
        command = keys.add_parser(name, help=text)
        command.add_argument("--firm", metavar="ID", help="this firm only")
        add_settings(command)
        command.set_defaults(command=_keys, action=name)


def _dead_letters(chosen: argparse.Namespace) -> int:
    patch_eventlet()
    from deploy.dead_letters import act

    return act(chosen.action, chosen.service, url_of(chosen.service, chosen.settings), getattr(chosen, "ids", []))


def _apply_erasures(chosen: argparse.Namespace) -> int:
    patch_eventlet()
    from chassis.config import load_or_exit
    from deploy.embedded import data_folder
    from deploy.erasures import apply

    url = url_of("clients", chosen.settings)
    if chosen.settings is None and not os.environ.get("DATABASE_URLS"):
        return apply(url, f"file://{data_folder().resolve() / 'files'}")
    files: str | None = load_or_exit(operator_settings(), file=chosen.settings)["FILES_URL"]
    if files is None:
        refuse("FILES_URL is not set: the journal of erasures is in the file store")
    return apply(url, files)


def _company_proposals(chosen: argparse.Namespace) -> int:
    patch_eventlet()
    from deploy.companies import act

    return act(chosen.action, url_of("clients", chosen.settings), getattr(chosen, "ids", []))


def _keys(chosen: argparse.Namespace) -> int:
    patch_eventlet()
    from chassis.config import load_or_exit
    from deploy.embedded import data_folder, sealing_keys
    from deploy.folder import Folder
    from deploy.keys import act

    urls = urls_of(chosen.settings)
    store = load_or_exit(operator_settings(), file=chosen.settings)["SEALING_KEYS_URL"]
    if store is None:
        if chosen.settings is not None or not (data_folder() / "sealing-keys").exists():
            refuse("SEALING_KEYS_URL is not set, and there is no data of `casewire run`: name the settings file")
        store = sealing_keys(Folder(data_folder()))
    return act(chosen.action, urls, store, chosen.firm)
