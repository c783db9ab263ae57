"""What the run of an import would do: all its rows are looked at, and nothing is written but how far that is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from chassis.database import Database
from chassis.files import Files
from chassis.imports.models import OUTCOMES
from chassis.imports.store import ROWS_SHOWN, ImportStore
from chassis.imports.text_files import read_rows

_TOLD_EVERY = 0.5
"""Seconds after which a preview tells how far it is, and sees whether it was cancelled."""

Chunk = TypeVar("Chunk")
Rows = Iterator[tuple[int, list[str]]]


class Outcome(Protocol):
    """What becomes of a row: `kind` is one of `OUTCOMES`, `errors` are `code:field`."""

    row: int
    kind: str
    errors: list[str]


def preview(
    db: Database,
    files: Files,
    store: ImportStore,
    import_id: str,
    settings: dict[str, Any],
    chunks: Callable[[Rows], Iterator[Chunk]],
    decide: Callable[[Chunk], Sequence[Outcome]],
) -> dict[str, Any]:
    """The import with what a run would do, and its settings (columns of it) kept for the run.

    Raises Conflict `import_started`, or `import_ended` if it is cancelled meanwhile; then, and for whatever `decide`
    raises, an earlier preview holds again.
    """
    with db.unit_of_work() as uow:
        store.find(uow.session, import_id, lock=True).preview_started()
    try:
        outcome = _look_at_rows(db, files, store, import_id, chunks, decide)
    except Exception:
        with db.unit_of_work() as uow:
            store.find(uow.session, import_id, lock=True).preview_failed()
        raise
    with db.unit_of_work() as uow:
        found = store.find(uow.session, import_id, lock=True)
        found.previewed(settings, outcome)
        return uow.answer(store.wire(found))


def _look_at_rows(
    db: Database,
    files: Files,
    store: ImportStore,
    import_id: str,
    chunks: Callable[[Rows], Iterator[Chunk]],
    decide: Callable[[Chunk], Sequence[Outcome]],
) -> dict[str, Any]:
    """`FileImportColumns.preview`."""
    counts: Counter[str] = Counter()
    error_counts: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    told_at = time.monotonic()
    with db.read() as session:
        found = store.find(session, import_id)
    with files.get(found.rows_key) as stream:
        for chunk in chunks(read_rows(stream, found.encoding, found.delimiter)):
            for outcome in decide(chunk):
                counts[outcome.kind] += 1
                error_counts.update(code_of(error) for error in outcome.errors)
                if outcome.errors and len(rows) < ROWS_SHOWN:
                    rows.append({"row": outcome.row, "errors": outcome.errors})
            if time.monotonic() - told_at > _TOLD_EVERY:
                with db.unit_of_work() as uow:
                    store.find(uow.session, import_id, lock=True).preview_advanced(counts.total())
                told_at = time.monotonic()
            time.sleep(0)  # lets other green threads run
    return {
        "counts": {"read": counts.total(), **{name: counts[name] for name in OUTCOMES}},
        "error_counts": dict(error_counts),
        "rows": rows,
    }


def code_of(error: str) -> str:
    """The code of `code:field`."""
    return error.partition(":")[0]
