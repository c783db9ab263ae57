"""What several commands need."""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from pathlib import Path
from typing import Any, NoReturn


def add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--settings",
        type=Path,
        default=os.environ.get("CASEWIRE_SETTINGS"),
        help="a YAML file; without one, the data of `casewire run` is meant",
    )


def patch_eventlet() -> None:
    import eventlet

    eventlet.monkey_patch()


def urls_of(settings: Path | None) -> dict[str, str]:
    """Each service's database: by the settings file, else those of the embedded data folder."""
    from chassis.config import load_or_exit
    from deploy.embedded import data_folder, embedded_urls

    if settings is None and not os.environ.get("DATABASE_URLS"):
        return embedded_urls(data_folder())
    urls: dict[str, str] = load_or_exit(operator_settings(), file=settings)["DATABASE_URLS"] or {}
    return urls


def operator_settings() -> list[Any]:
    """What an operator's settings file may hold besides what all services know."""
    from dataclasses import replace

    from chassis.sealing import SEALING_KEYS_URL

    return [replace(SEALING_KEYS_URL, default=None)]


def url_of(service: str, settings: Path | None) -> str:
    urls = urls_of(settings)
    if service not in urls:
        refuse(f"no database is set for {service}; there are {', '.join(urls) or 'none'}")
    return urls[service]


def an_id(text: str) -> str:
    return str(uuid.UUID(text))


def refuse(sentence: str) -> NoReturn:
    sys.stderr.write(f"casewire: {sentence}\n")
    raise SystemExit(2)
