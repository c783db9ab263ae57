"""Imports that stand still are asked for again, in the background."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from chassis.asking_again import ask_again
from chassis.database import Database, UnitOfWork
from chassis.imports.models import AT_WORK
from chassis.imports.store import ImportStore
from chassis.telemetry import log_of
from contracts.base import Event

_log = log_of(__name__)


def ask_for_imports(db: Database, store: ImportStore, run: Event, undo: Event, now: dt.datetime) -> bool:
    """Across firms: those that run, or are taken back, go on by `run`, or `undo`. A preview whose process has died is
    given up: what an earlier one found holds again."""

    def ask(uow: UnitOfWork, imports: Sequence[Any]) -> None:
        for found in imports:
            _log.warning("import_stood_still", import_id=found.id, state=found.state)
            if found.state == "previewing":
                found.preview_failed()
            else:
                event = run if found.state == "running" else undo
                uow.emit(event, found.id, {"import_id": found.id})

    return ask_again(db, store.imports, AT_WORK, ask, now)
