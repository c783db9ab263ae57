"""`casewire import FILE`: takes a file of clients or cases in through a running system's API, and shows how far it is.

The import goes on in the system when this program ends: `casewire import --watch ID` shows it again.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

FINISHED, FAILED, WRONG_USE, SOME_ROWS_FAILED, DECLINED, DETACHED = 0, 1, 2, 3, 4, 130
"""Exit statuses."""
_OUTCOMES = ("created", "updated", "skipped", "failed")
_PAUSE = 0.5
_PATIENCE = 60.0
"""Seconds for which a system that does not answer is asked again."""
_ENDED = ("finished", "failed", "cancelled", "undoing", "undone")


class Refused(Exception):
    """The system refused something. The message is for a person to read."""


class ImportApi:
    """The part of the API that an import needs."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url.rstrip("/"), key
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def upload(self, file: Path, target: str, sheet: str | None) -> dict[str, Any]:
        """The new import of a file."""
        form = {"target": target, **({"sheet": sheet} if sheet else {})}
        with file.open("rb") as content:
            return self._asked("POST", "/v1/imports", files={"file": (file.name, content)}, data=form)

    def preview(self, import_id: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What a run would do. It may take long; to ask how far it is, use another thread."""
        return ImportApi(self._url, self._key)._asked("POST", f"/v1/imports/{import_id}/preview", json=settings)

    def run(self, import_id: str) -> dict[str, Any]:
        """Starts it."""
        return self._asked("POST", f"/v1/imports/{import_id}/run", json={})

    def cancel(self, import_id: str) -> None:
        """Ends it."""
        self._asked("POST", f"/v1/imports/{import_id}/cancel", json={})

    def get(self, import_id: str) -> dict[str, Any]:
        """How far it is. Where the system does not answer for a while, it is asked again."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._asked("GET", f"/v1/imports/{import_id}")
            except (requests.ConnectionError, requests.Timeout, Unavailable):
                if time.monotonic() > until:
                    raise
            time.sleep(_PAUSE)

    def save_errors(self, found: Mapping[str, Any], folder: Path, name: str) -> Path:
        """Keeps the file of the rows that failed, a workbook of one; returns where."""
        form = "csv" if found["sheet"] is None else "xlsx"
        with self._answer("GET", f"/v1/imports/{found['id']}/errors.{form}", stream=True) as answer:
            target = folder / f"{name}-errors.{form}"
            with target.open("wb") as kept:
                for block in answer.iter_content(65536):
                    kept.write(block)
        return target

    def _asked(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._answer(method, path, **sent).json()
        return found

    def _answer(self, method: str, path: str, **sent: Any) -> requests.Response:
        answer = self._session.request(method, self._url + path, timeout=200, **sent)
        if answer.ok:
            return answer
        if answer.status_code in (429, 502, 503, 504):
            raise Unavailable(_said(answer))
        raise Refused(_said(answer))


class Unavailable(Refused):
    """It may be otherwise in a moment."""


def _said(answer: requests.Response) -> str:
    """What a problem says, for a person."""
    try:
        problem = answer.json()
    except ValueError:
        return f"The system answered {answer.status_code}."
    named = [f"{entry['field']}: {entry['message']}" for entry in problem.get("errors") or ()]
    code = problem.get("code") or answer.status_code
    return f"{'; '.join(named) or problem.get('detail') or problem.get('title') or 'Refused.'} ({code})"


def take_in(
    api: ImportApi,
    file: Path,
    *,
    target: str = "clients",
    sheet: str | None = None,
    settings: Mapping[str, Any] | None = None,
    mapping: Mapping[str, str] | None = None,
    sure: bool = False,
    console: Console | None = None,
) -> int:
    """Uploads a file, shows the preview, asks unless it is `sure`, runs the import; of both it shows how far they are.

    `mapping`, {column: field}, is laid over the suggested one; an empty field leaves a column out. Returns the exit
    status.
    """
    console = console or Console(highlight=False)
    with _telling(console) as outcome:
        with console.status("Sending the file …"):
            made = api.upload(file, target, sheet)
        full = {**made["suggested_mapping"], **(mapping or {})}
        chosen = {column: field for column, field in full.items() if field}
        console.print(_columns(made, chosen))
        try:
            preview = _previewed(api, made["id"], {**(settings or {}), "mapping": chosen}, console)
        except KeyboardInterrupt:
            console.print("\nNothing was imported.")
            return DECLINED
        console.print(_counts("Preview", preview))
        for line in _errors(preview):
            console.print(f"  {line}", markup=False)
        if not sure and not _agreed(console):
            console.print("Nothing was imported.")
            return DECLINED
        api.run(made["id"])
        outcome.append(watch(api, made["id"], folder=file.parent, name=file.stem, console=console))
    return outcome[0]


def watch(api: ImportApi, import_id: str, *, folder: Path, name: str | None = None, console: Console) -> int:
    """Shows how far an import is until it has ended; then its counts, and keeps the rows that failed in a file."""
    with _telling(console) as outcome:
        try:
            console.print(f"Watching the import {import_id}. Ctrl-C ends this program, not the import.")
            found = _watched(api, import_id, console)
        except KeyboardInterrupt:
            console.print(f"\nIt goes on without this program. To watch it again: casewire import --watch {import_id}")
            return DETACHED
        console.print(_counts(found["state"].capitalize(), found))
        for line in _errors(found):
            console.print(f"  {line}", markup=False)
        if found["counts"]["failed"]:
            stem = name or Path(found["filename"]).stem
            console.print(_failed_rows(api, found, folder, stem), markup=False)
        if found["state"] != "finished":
            console.print(f"The import ended early: {found['failure'] or found['state']}")
            return FAILED
        outcome.append(SOME_ROWS_FAILED if found["counts"]["failed"] else FINISHED)
    return outcome[0]


def _failed_rows(api: ImportApi, found: Mapping[str, Any], folder: Path, stem: str) -> str:
    try:
        return f"The rows that failed: {api.save_errors(found, folder, stem)}"
    except Refused as refused:
        # Of a list with sensitive columns, to a key that may not see them. The import has ended all the same.
        return f"The rows that failed were not handed out: {refused}"


def _previewed(api: ImportApi, import_id: str, settings: Mapping[str, Any], console: Console) -> dict[str, Any]:
    """What a run would do. Meanwhile it shows how many rows have been looked at."""
    with _bar(console) as bar, ThreadPoolExecutor(1) as elsewhere:
        shown = bar.add_task("looking what a run would do", total=None)
        asked = elsewhere.submit(api.preview, import_id, settings)
        try:
            while not wait([asked], timeout=_PAUSE).done:
                progress = api.get(import_id)["progress"]
                bar.update(shown, completed=progress["done"], total=progress["total"])
        except KeyboardInterrupt:
            # So that the answer comes for which the thread waits.
            api.cancel(import_id)
            raise
        return asked.result()


def _watched(api: ImportApi, import_id: str, console: Console) -> dict[str, Any]:
    with _bar(console) as bar:
        found = api.get(import_id)
        shown = bar.add_task("rows", total=found["progress"]["total"])
        while found["state"] not in _ENDED:
            bar.update(shown, completed=found["progress"]["done"])
            time.sleep(_PAUSE)
            found = api.get(import_id)
        bar.update(shown, completed=found["progress"]["done"])
    return found


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console,
        transient=not console.is_terminal,
    )  # fmt: skip


@contextmanager
def _telling(console: Console) -> Iterator[list[int]]:
    """Tells a person why something was refused; the status is then FAILED."""
    outcome: list[int] = []
    try:
        yield outcome
    except Refused as error:
        console.print(f"casewire: {error}", markup=False)
        outcome.append(FAILED)
    except requests.RequestException as error:
        console.print(f"casewire: the system does not answer: {type(error).__name__}", markup=False)
        outcome.append(FAILED)


def _agreed(console: Console) -> bool:
    if not sys.stdin.isatty():
        console.print("To import it, say --yes.")
        return False
    return console.input("Import it? [y/N] ").strip().lower() in ("y", "yes")


def _columns(made: Mapping[str, Any], chosen: Mapping[str, str]) -> Table:
    table = Table(
        "column", "field", title=f"{made['filename']}: {made['progress']['total']:,} rows", title_justify="left"
    )
    for column in made["columns"]:
        table.add_row(column, chosen.get(column, "–"))
    return table


def _counts(title: str, found: Mapping[str, Any]) -> str:
    counts = found["counts"]
    parts = ", ".join(f"{counts[name]:,} {name}" for name in _OUTCOMES)
    if found.get("clients_created"):
        parts += f"; {found['clients_created']:,} new clients"
    return f"{title}: {counts['read']:,} rows; {parts}"


def _errors(found: Mapping[str, Any]) -> list[str]:
    counted = sorted(found["error_counts"].items(), key=lambda entry: -entry[1])
    lines = [f"{count:,} x {code}" for code, count in counted]
    return lines + [f"row {entry['row']}: {', '.join(entry['errors'])}" for entry in found["rows"][:5]]


def read_mapping(given: list[str]) -> dict[str, str]:
    """{column: field} of what was said: `COLUMN=FIELD` each, or the name of a JSON file. Raises Refused."""
    mapping: dict[str, str] = {}
    for part in given:
        column, equals, field = part.rpartition("=")
        if equals:
            mapping[column] = field
            continue
        try:
            read = json.loads(Path(part).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Refused(f"--mapping takes COLUMN=FIELD or a file of JSON, not {part}") from error
        if not isinstance(read, dict) or not all(isinstance(field, str) for field in read.values()):
            raise Refused(f"{part} does not hold an object of columns and fields")
        mapping.update(read)
    return mapping


def read_defaults(given: list[str]) -> dict[str, str]:
    """{field: value} of `FIELD=VALUE` each. Raises Refused."""
    pairs = [part.partition("=") for part in given]
    if wrong := next((field for field, equals, _ in pairs if not equals), None):
        raise Refused(f"--default takes FIELD=VALUE, not {wrong}")
    return {field: value for field, _, value in pairs}
