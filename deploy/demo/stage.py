"""What the demonstration's steps share: the running system, the screen, and what has happened so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.api import Api
from deploy.demo.phones import Sandbox


@dataclass
class Intake:
    """What became of the intake. `cases`: a case for each client, with `client` and `case_form`. `noticed`: what was
    to be seen only while it was filled in, and whether it was. `links`: pages to look at, by what they are."""

    form_id: str = ""
    rule_id: str = ""
    batch_id: str = ""
    cases: list[dict[str, Any]] = field(default_factory=list)
    noticed: dict[str, bool] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


@dataclass
class Story:
    """What happened, for the checks at the end."""

    imported: dict[str, int] = field(default_factory=dict)
    cases: int = 0
    assigned: int = 0
    estimate: dict[str, int] = field(default_factory=dict)
    batch_id: str = ""
    accepted: int = 0
    replied: dict[str, str] = field(default_factory=dict)
    answered: list[dict[str, Any]] = field(default_factory=list)
    intake: Intake = field(default_factory=Intake)


class Stage:
    """Where the steps take place."""

    def __init__(self, api: Api, console: Console, story: Story) -> None:
        self.api = api
        self.console = console
        self.sandbox = Sandbox(api)
        self.story = story

    @contextmanager
    def bar(self, what: str, total: int | None) -> Iterator[Any]:
        """A progress bar; yields a function that sets how far it is."""
        columns = (
            TextColumn("  {task.description:<34}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )  # fmt: skip
        with Progress(*columns, console=self.console) as progress:
            bar = progress.add_task(what, total=total, note="")

            def show(done: int, total: int | None = None, note: str = "") -> None:
                progress.update(bar, completed=done, total=total, note=note)

            yield show

    def counts(self, title: str, counts: dict[str, Any]) -> None:
        self.console.print(f"  {title}:")
        table = Table(show_header=False, box=None, padding=(0, 2))
        for name, count in counts.items():
            table.add_row(f"    {name.replace('_', ' ')}", f"{count:,}" if isinstance(count, int) else str(count))
        self.console.print(table)

    def told(self, lines: Iterable[tuple[str, str]]) -> None:
        """What somebody did, and what came of it."""
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        for did, came in lines:
            table.add_row(did, came)
        self.console.print(Padding(table, (0, 0, 0, 4)))
