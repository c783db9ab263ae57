"""How much a message is like the labelled revocations and how little like the others: a second look at what no rule
knows. Pure, and only ever a doubt: it blocks and a person decides.

A naive Bayes model over the words, runs of up to three words, and runs of three to five letters of
`labelled_messages.csv`, which `bench/revocations.py` measures too. It is made once, at import (about 0.1 s, 40,000
features), and takes about 0.1 ms per message.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.messaging.revocations.spelling import normalise, spelled_out

LABELLED = Path(__file__).with_name("labelled_messages.csv")

THRESHOLD = 3.0
"""From this score on, a message is doubted. Chosen by ten-fold cross-validation without rules, and without the batch
`unseen`: of messages that it was not made from, it finds two of three revocations, and doubts one in a hundred everyday
messages and three or four in a hundred near misses. At 2.5 it would find 0.71 and doubt two and five in a hundred."""

LONGEST = 40
"""Words. In a longer message nearly anything is said that some revocation says too."""

_WORD_RUNS, _LETTER_RUNS = (1, 2, 3), (3, 4, 5)
_LEAST_EVIDENCE = 5
"""Features that are added to a message's count, so that two or three alone do not decide."""

_COURTESY = frozenset({
    "please", "thanks", "thank", "hi", "hello", "hey", "ok", "okay", "sorry", "good", "morning", "afternoon",
    "evening", "day", "por", "favor", "gracias", "muchas", "hola", "buenos", "dias", "buenas", "tardes", "disculpe",
    "perdon", "merci", "bonjour",
})  # fmt: skip
"""Said as often with a revocation as without, but not in so small a set."""


_WANTED = re.compile(
    r"(?<!you )(?<!people )\b(?:dont|do not) (?:stop|quit|cancel|unsubscribe|take me off|remove me)\b"
    r"|(?:^|\b(?:please|yes|just|can you|could you|to) )(?:keep|continue) (?:to )?"
    r"(?:text|send|messag|writ|remind|the |them )"
    r"|\bstill (?:want|need|like)\b"
    r"|\bno (?:me )?(?:dejen?|paren?) de\b|\bsigan? (?:\w+ndo|\w+ndome)\b|\bseguir recibiendo\b"
)
"""Said by those who want our messages, in the very words of those who do not."""


@dataclass(frozen=True)
class Example:
    """A labelled message. `label`: stop, start, help or other (nothing of the kind); `kind`: what makes it worth
    having; `batch`: how it came into the set (`bench/README.md`)."""

    text: str
    label: str
    language: str
    kind: str
    batch: str


@dataclass(frozen=True)
class Likeness:
    """`weights`: of each feature, the logarithm of how much more often revocations have it than other messages."""

    weights: Mapping[str, float]

    @staticmethod
    def of(examples: Iterable[Example]) -> Likeness:
        """Made from these examples. Keywords are left out: rules know them all, and they say little about sentences."""
        seen: dict[str, Counter[str]] = {"stop": Counter(), "other": Counter()}
        messages: Counter[str] = Counter()
        for example in examples:
            if example.label in seen and example.kind != "keyword":
                messages[example.label] += 1
                seen[example.label].update(_features(example.text))
        stop, other = seen["stop"], seen["other"]
        balance = math.log((messages["other"] + 2) / (messages["stop"] + 2))
        features = stop.keys() | other.keys()
        return Likeness({each: math.log((stop[each] + 1) / (other[each] + 1)) + balance for each in features})

    def score(self, text: str) -> float:
        """From far below 0 (like other messages) to about 15 (like a revocation)."""
        known = [self.weights[each] for each in _features(text) if each in self.weights]
        return sum(known) / math.sqrt(len(known) + _LEAST_EVIDENCE)

    def doubt(self, text: str) -> float | None:
        """The score of a message that may be a revocation; None if there is no reason to think so. Long messages,
        single words (a matter of keywords) and what asks us to go on are not looked at."""
        plain = normalise(text)
        words = plain.count(" ") + 1
        if words > LONGEST or (words == 1 and plain.isascii()) or _WANTED.search(plain):
            return None
        score = self.score(text)
        return score if score >= THRESHOLD else None


def read_examples() -> list[Example]:
    """The whole labelled set, in the order in which it grew."""
    with LABELLED.open(encoding="utf-8", newline="") as file:
        return [Example(**row) for row in csv.DictReader(file)]


def _features(text: str) -> set[str]:
    kept = [word for word in spelled_out(normalise(text)).split() if word not in _COURTESY]
    words = ["^", *kept, "$"]
    letters = f" {' '.join(kept)} "
    found = {"=" + " ".join(words[at : at + size]) for size in _WORD_RUNS for at in range(len(words) - size + 1)}
    for size in _LETTER_RUNS:
        found.update([letters[at : at + size] for at in range(len(letters) - size + 1)])
    return found


LIKENESS = Likeness.of(read_examples())
