"""Everything in one process: the embedded bus, a SQLite file per service, a folder for files, the sandbox."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.deployables import DATABASES, DEPLOYABLES, settings_of
from deploy.folder import Folder, FolderInUse

DEFAULT_FOLDER = "var/data"
DEFAULT_PORT = 8000
WORKERS = 40
CHOSEN = {"PUBLIC_URL", "PROVIDER", "TWILIO_AUTH_TOKEN", "SANDBOX_PAGES", "SEALING_KEYS_URL", "max_workers"}
"""What the environment may set otherwise, such as to send by Twilio from one process."""


def embedded_urls(folder: Path) -> dict[str, str]:
    """The URL of each service's database in a data folder."""
    return {name: f"sqlite:///{folder.resolve() / 'databases' / name}.db" for name in DATABASES}


def sealing_keys(folder: Folder) -> str:
    """The address of a folder's sealing keys, which are made once. Lost, they are missed at the start of what they
    sealed."""
    folder.secret("sealing-keys")
    return f"file://{folder.path / 'sealing-keys'}"


def data_folder() -> Path:
    """`CASEWIRE_DATA`, else `var/data`."""
    return Path(os.environ.get("CASEWIRE_DATA") or DEFAULT_FOLDER)


def embedded_settings(folder: Folder, port: int) -> dict[str, Any]:
    """The settings of an embedded Casewire on a folder, served at a port of this machine, but for CHOSEN ones that the
    environment gives."""
    address = f"http://127.0.0.1:{port}"
    settings = {
        "AMQP_URI": "embedded://",
        "DATABASE_URLS": embedded_urls(folder.path),
        "FILES_URL": f"file://{folder.path / 'files'}",
        "WEB_SERVER_ADDRESS": f"127.0.0.1:{port}",
        "PUBLIC_URL": address,
        "WEBHOOK_URL": address,
        "SECRET_KEY": folder.secret("secret-key"),
        "SEALING_KEYS_URL": sealing_keys(folder),
        "TWILIO_AUTH_TOKEN": folder.secret("sandbox-token"),
        "SANDBOX_PAGES": True,
        "PROVIDER": "sandbox",
        "max_workers": WORKERS,
    }
    return {name: value for name, value in settings.items() if name not in CHOSEN or not os.environ.get(name)}


def run(started: Callable[[str, str], object] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status. eventlet has to be patched before this is called.

    `started` is called with the base URL and the API key when everything serves.
    """
    from chassis.config import load_or_exit, stop
    from chassis.migrations import upgrade
    from chassis.run import run_services
    from deploy.firms import create_demonstration_firm
    from deploy.keys import demand_keys

    folder = Folder(data_folder())
    try:
        folder.hold()
    except FolderInUse as error:
        stop(str(error))
    port = _port()
    deployables = list(DEPLOYABLES.values())
    config = load_or_exit(settings_of(deployables), given=embedded_settings(folder, port))
    urls = config["DATABASE_URLS"]
    for name in DATABASES:
        upgrade(name, urls[name])
    demand_keys(DATABASES, config)
    # The key's file is written last: where it is missing, an earlier start was cut off, and its firm is not used.
    key = folder.kept("api-key") or folder.keep("api-key", create_demonstration_firm(urls["accounts"]))

    def say_where(_runner: object) -> None:
        _say(f"api key: {key}")
        address = f"http://127.0.0.1:{port}"
        _say(f"listening on {address}")
        if started is not None:
            started(address, key)

    return run_services([entry.load() for entry in deployables], config, on_started=say_where)


def _port() -> int:
    """`PORT`, which must be free; 0 chooses one."""
    from chassis.config import Setting, load_or_exit, stop, whole

    given = os.environ.get("PORT")
    port: int = load_or_exit([Setting("PORT", whole(0, 65535), "the port to serve at", DEFAULT_PORT)])["PORT"]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            stop(f"port {port} is taken: choose another with PORT=…{'' if given else ' (8000 is only the default)'}")
        chosen: int = probe.getsockname()[1]
        return chosen


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
