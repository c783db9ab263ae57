"""What measurements stand on: a private RabbitMQ and PostgreSQL, and Nameko services as processes of their own."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.huge_pages import huge_pages
from deploy.postgres import Postgres, private_postgres
from deploy.processes import end, start
from deploy.rabbitmq import RabbitMQ, private_rabbitmq

SHARED_MEGABYTES = 2_048
"""PostgreSQL's, in huge pages: as docs/operations.md says for a firm with 1,000,000 clients."""
_BESIDE_MEGABYTES = 160
"""What else PostgreSQL shares."""


@dataclass
class Stage:
    """`rabbitmq` and `postgres` are up; what `services` started ends with its block."""

    folder: Path
    rabbitmq: RabbitMQ
    postgres: Postgres

    @contextmanager
    def services(self, name: str, modules: Sequence[str], config: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
        """`nameko run` of modules in one process, as their documentation shows it."""
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(config))
        nameko = str(Path(sys.executable).with_name("nameko"))
        log = self.folder / f"{name}.log"
        process = start([nameko, "run", "--config", str(file), *modules], folder=self.folder, log=log)
        try:
            yield process
        except TimeoutError as error:
            raise RuntimeError(f"{error}; {name} said: {log.read_text(errors='replace')[-2000:]}") from error
        finally:
            end(process, 15)


@contextmanager
def stage() -> Iterator[Stage]:
    """Both servers, in a folder of their own that goes afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="casewire-bench-")))
        large = stack.enter_context(huge_pages(SHARED_MEGABYTES + _BESIDE_MEGABYTES))
        settings = {"shared_buffers": f"{SHARED_MEGABYTES}MB", "huge_pages": "try" if large else "off"}
        yield Stage(
            folder,
            stack.enter_context(private_rabbitmq()),
            stack.enter_context(private_postgres(durable=True, settings=settings)),
        )


@dataclass(frozen=True)
class Comparison:
    """Rates a second of ours and of the peer, measured in turn, and the ratio that is promised."""

    name: str
    ours: list[float]
    peer: list[float]
    promised: float | None
    note: str = ""
    peer_name: str = "the peer"

    @property
    def ratio(self) -> float:
        """The median of the ratios, pair by pair, so that a machine whose speed drifts does not matter."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.ours, self.peer, strict=True))

    def line(self) -> str:
        promised = ""
        if self.promised is not None:
            reached = "reached" if self.ratio >= self.promised else "NOT reached"
            promised = f" (promised {self.promised:.1f}, {reached})"
        return (
            f"{self.name}: {self.ratio:.2f} x {self.peer_name}{promised}; "
            f"{statistics.median(self.ours):,.0f}/s against {statistics.median(self.peer):,.0f}/s{self.note}"
        )


LARGEST = 300.0
"""MB that no process of ours may pass."""


def memory_line(memory: dict[str, float], what: str = "memory") -> str:
    """The peak of each process against what is promised."""
    name, largest = max(memory.items(), key=lambda entry: entry[1])
    reached = "reached" if largest < LARGEST else f"NOT reached by {name}"
    each = ", ".join(f"{name} {size:.0f}" for name, size in memory.items())
    return f"{what}, the peak of each process in MB (promised under {LARGEST:.0f}, {reached}): {each}"
