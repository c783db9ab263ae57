"""How well plain-language revocations are recognised, on the labelled messages of `revocation_messages.csv`.

The messages are written as clients of law firms, notaries and bookkeepers write. The first half thousand came before
anybody looked at what the rules make of them, and a third, chosen by a checksum of the text, was held out while rules
were improved by the others. The rest came in batches afterwards: each was measured at first sight, then joined the set.
`README.md` has those first figures, which say what to expect of words that nobody has thought of.

`label` is what a message asks for: stop, start, help or other (nothing of the kind).
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.messaging.words import RULE_VERSION, Classification, classify

MESSAGES = Path(__file__).with_name("revocation_messages.csv")
NEEDS_SERVERS = False
RECALL, PRECISION = 0.98, 0.95
"""What is promised: of the revocations, how many block; of what blocks, how many are revocations."""


@dataclass(frozen=True)
class Labelled:
    """A message of the set, and what the rules take it for."""

    text: str
    label: str
    language: str
    kind: str
    found: Classification

    @property
    def held_out(self) -> bool:
        return zlib.crc32(self.text.encode()) % 3 == 0

    @property
    def wanted(self) -> bool:
        return self.label == "stop"

    @property
    def blocks(self) -> bool:
        return self.found.kind == "stop"


@dataclass(frozen=True)
class Figures:
    """What the rules reach on some messages. `doubtful` is the share of what blocks that a person is asked about."""

    messages: Sequence[Labelled]

    @property
    def recall(self) -> float:
        return self._share(lambda one: one.blocks, lambda one: one.wanted)

    @property
    def precision(self) -> float:
        return self._share(lambda one: one.wanted, lambda one: one.blocks)

    @property
    def doubtful(self) -> float:
        return self._share(lambda one: not one.found.confident, lambda one: one.blocks)

    @property
    def misses(self) -> list[Labelled]:
        """Revocations that do not block, and others that do."""
        return [one for one in self.messages if one.wanted != one.blocks]

    def line(self, name: str) -> str:
        reached = "reached" if self.recall >= RECALL and self.precision >= PRECISION else "NOT reached"
        wanted = sum(one.wanted for one in self.messages)
        return (
            f"revocations, {name}: recall {self.recall:.3f}, precision {self.precision:.3f} (promised {RECALL}, "
            f"{PRECISION}, {reached}), {self.doubtful:.0%} of what blocks goes to a person; {wanted} revocations in "
            f"{len(self.messages)} messages"
        )

    def _share(self, part: Callable[[Labelled], bool], whole: Callable[[Labelled], bool]) -> float:
        of = [one for one in self.messages if whole(one)]
        return sum(map(part, of)) / len(of) if of else 1.0


def read_messages() -> list[Labelled]:
    """The whole set, each message as the rules take it now."""
    with MESSAGES.open(encoding="utf-8", newline="") as file:
        return [Labelled(**row, found=classify(row["text"])) for row in csv.DictReader(file)]


def report(stage: object = None) -> Iterable[str]:
    """The lines to print; no servers are needed."""
    messages = read_messages()
    tuned = Figures([one for one in messages if not one.held_out])
    held_out = Figures([one for one in messages if one.held_out])
    yield f"revocations: rules {RULE_VERSION}, {len({one.language for one in messages})} languages"
    for name, figures in (("all", Figures(messages)), ("tuned on", tuned), ("held out", held_out)):
        yield figures.line(name)
    for one in Figures(messages).misses:
        held = ", held out" if one.held_out else ""
        yield f"  {'missed' if one.wanted else 'blocked'} ({one.language}, {one.kind}{held}): {one.text}"
