"""How well plain-language revocations are recognised, on the labelled messages that the service itself ships.

Rules decide first; what no rule knows may be like labelled revocations. The rules were improved by most of the set: a
third, chosen by a checksum of the text, was held out at first only. Likeness is measured without that: for each tenth
of the set it is made anew from the rest, so that no message is judged by itself. The batch `unseen` was written and
frozen before anything was run on it, no rule has been changed by it, and its likeness is made without all of it: it
says what to expect of words that nobody has thought of. `README.md` has the first figures of earlier batches.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from services.messaging.revocations.likeness import Example, Likeness, read_examples
from services.messaging.words import LIKE_OTHERS, RULE_VERSION, Classification, classify

NEEDS_SERVERS = False
RECALL, PRECISION = 0.98, 0.95
"""What is promised: of the revocations, how many block; of what blocks, how many are revocations."""


UNSEEN = "unseen"
_PARTS = 10


@dataclass(frozen=True)
class Labelled:
    """A message of the set, what it is taken for, and whether likeness alone, made from others, would doubt it."""

    example: Example
    found: Classification
    alike: bool

    @property
    def held_out(self) -> bool:
        return zlib.crc32(self.example.text.encode()) % 3 == 0

    @property
    def wanted(self) -> bool:
        return self.example.label == "stop"

    @property
    def blocks(self) -> bool:
        return self.found.kind == "stop"

    @property
    def ruled(self) -> bool:
        """Whether it blocks by rules alone."""
        return self.blocks and not self.found.rule.startswith(LIKE_OTHERS)


@dataclass(frozen=True)
class Figures:
    """What is reached on some messages. `blocks`: which of them block. `doubtful` is the share of what blocks that a
    person is asked about."""

    messages: Sequence[Labelled]
    blocks: Callable[[Labelled], bool] = lambda one: one.blocks

    @property
    def recall(self) -> float:
        return self._share(self.blocks, lambda one: one.wanted)

    @property
    def precision(self) -> float:
        return self._share(lambda one: one.wanted, self.blocks)

    @property
    def doubtful(self) -> float:
        return self._share(lambda one: not one.found.confident, self.blocks)

    @property
    def misses(self) -> list[Labelled]:
        """Revocations that do not block, and others that do."""
        return [one for one in self.messages if one.wanted != self.blocks(one)]

    def line(self, name: str) -> str:
        wanted = sum(one.wanted for one in self.messages)
        reached = "reached" if self.recall >= RECALL and self.precision >= PRECISION else "NOT reached"
        return (
            f"revocations, {name}: recall {self.recall:.3f}, precision {self.precision:.3f} (promised {RECALL}, "
            f"{PRECISION}, {reached}), {self.doubtful:.0%} of what blocks goes to a person; {wanted} revocations in "
            f"{len(self.messages)} messages"
        )

    def _share(self, part: Callable[[Labelled], bool], whole: Callable[[Labelled], bool]) -> float:
        of = [one for one in self.messages if whole(one)]
        return sum(map(part, of)) / len(of) if of else 1.0


def read_messages() -> list[Labelled]:
    """The whole set, each message as it is taken by the rules and by a likeness made without it."""
    examples = read_examples()
    parts = [UNSEEN if one.batch == UNSEEN else str(at * _PARTS // len(examples)) for at, one in enumerate(examples)]
    without = {
        part: Likeness.of(one for one, its in zip(examples, parts, strict=True) if its != part) for part in set(parts)
    }
    return [_judged(one, without[part]) for one, part in zip(examples, parts, strict=True)]


def _judged(example: Example, likeness: Likeness) -> Labelled:
    found = classify(example.text, likeness=likeness)
    return Labelled(example, found, likeness.doubt(example.text) is not None)


def report(stage: object = None) -> Iterable[str]:
    """The lines to print; no servers are needed."""
    messages = read_messages()
    unseen = [one for one in messages if one.example.batch == UNSEEN]
    everyday = [one for one in messages if one.example.kind == "ordinary"]
    sentences = [one for one in messages if one.example.kind not in ("keyword", "emoji")]
    yield f"revocations: rules {RULE_VERSION}, {len({one.example.language for one in messages})} languages"
    yield Figures(messages).line("all")
    yield Figures([one for one in messages if not one.held_out]).line("tuned on")
    yield Figures([one for one in messages if one.held_out]).line("held out at first")
    yield Figures(unseen, lambda one: one.ruled).line("at first sight, rules alone")
    yield Figures(unseen).line("at first sight")
    yield Figures(sentences, lambda one: one.alike).line("likeness alone, made from other messages")
    yield f"revocations: {sum(one.blocks for one in everyday)} of {len(everyday)} everyday messages block"
    for one in Figures(messages).misses:
        said = one.example
        yield f"  {'missed' if one.wanted else 'blocked'} ({said.language}, {said.kind}, {said.batch}): {said.text}"
