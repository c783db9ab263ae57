"""What a row of the fault matrix came to: figures, each with what is promised of it, and the table of them all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

SHORT, LONG = "| # | fault | on | load | figures | |", "|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Figure:
    """One figure. `promised` is empty where nothing is, and then it is always `reached`."""

    name: str
    value: float
    promised: str = ""
    reached: bool = True

    def __str__(self) -> str:
        value = f"{self.value:,.1f}" if isinstance(self.value, float) else f"{self.value:,}"
        told = f"{self.name} {value}"
        if self.promised:
            told += f" ({self.promised})"
        return told if self.reached else f"**{told}**"


def exactly(name: str, value: float, promised: float) -> Figure:
    """A figure that must be just this."""
    return Figure(name, value, f"{promised:,}", value == promised)


def below(name: str, value: float, promised: float) -> Figure:
    """A figure, often of seconds, that must stay below another."""
    return Figure(name, value, f"< {promised:,g}", value < promised)


def at_least(name: str, value: float, promised: float) -> Figure:
    """A figure without which the row has shown nothing."""
    return Figure(name, value, f"≥ {promised:,g}", value >= promised)


def demand(figures: Iterable[Figure]) -> None:
    """AssertionError that names what was not reached."""
    assert [str(figure) for figure in figures if not figure.reached] == []


@dataclass(frozen=True)
class Result:
    """One row, run on one backend (`distributed` or `embedded`) at a load that is said in words."""

    row: int
    fault: str
    backend: str
    load: str
    figures: tuple[Figure, ...]
    seconds: float
    failure: str = ""

    @property
    def reached(self) -> bool:
        """Whether it ran to its end and every figure is as promised."""
        return not self.failure and all(figure.reached for figure in self.figures)

    def line(self) -> str:
        """The row of the table."""
        figures = "; ".join(str(figure) for figure in self.figures) or self.failure
        verdict = "reached" if self.reached else "**NOT reached**"
        return f"| {self.row} | {self.fault} | {self.backend} | {self.load} | {figures} | {verdict} |"


def keep(result: Result, folder: Path) -> None:
    """Writes a result to a file of its own, in place of an earlier one."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{result.row:02d}-{result.backend}.json"
    file.write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n")


def kept(folder: Path) -> list[Result]:
    """The results of all runs so far, by row."""
    found = []
    for file in sorted(folder.glob("*.json")):
        given = json.loads(file.read_text())
        found.append(Result(**{**given, "figures": tuple(Figure(**figure) for figure in given["figures"])}))
    return found


def table(results: Sequence[Result]) -> str:
    """The table in Markdown."""
    return "\n".join([SHORT, LONG, *(result.line() for result in results)])
