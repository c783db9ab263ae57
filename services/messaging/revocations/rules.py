"""Sentences whose plain meaning is "write to me no more". Rules over normalised text, sentence by sentence.

The tables are `english.py`, `spanish.py` and, for languages in which nothing is sure,
`other.py`. Before a table is asked, what uses the same words for something else is taken out of the
sentence; a sentence about somebody else's calls and texts is no word to us.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.messaging.revocations import english, other, spanish
from services.messaging.revocations.spelling import corrected, normalise, only_refusing_emoji, spelled_out

Found = tuple[str, bool]
"""(rule, whether it is sure)."""
BRIEF = 20
"""Words. A longer message may quote or tell a story: it blocks all the same, but a person reads it."""

READ_AT_MOST = 4000
"""Characters. Nobody says so far down for the first time that they want no messages, and rules take their time."""

_SENTENCE_ENDS = re.compile("[.!?;\u3002\uff01\uff1f\u2026]+(?=\\s|$|[A-Z])|\n+")
_PART_ENDS = re.compile("[,\uff0c\u3001]|\\s[-\u2013\u2014]\\s|:\\s")


@dataclass(frozen=True)
class Rules:
    """`sure` and `maybe`: (name, pattern); `parts`: patterns for a whole part of a sentence, between commas.
    `unrelated`: what is taken out first; `others`: whose matter a sentence is, if not ours."""

    sure: tuple[tuple[str, re.Pattern[str]], ...]
    maybe: tuple[tuple[str, re.Pattern[str]], ...]
    parts: tuple[tuple[str, re.Pattern[str]], ...]
    unrelated: re.Pattern[str]
    others: re.Pattern[str]

    @staticmethod
    def of(table: object) -> Rules:
        """The rules of a module of this kind."""
        named = {
            name: tuple((rule, re.compile(pattern)) for rule, pattern in getattr(table, name))
            for name in ("SURE", "MAYBE", "PARTS")
        }
        return Rules(
            named["SURE"],
            named["MAYBE"],
            named["PARTS"],
            re.compile(table.UNRELATED),  # type: ignore[attr-defined]
            re.compile(table.OTHERS),  # type: ignore[attr-defined]
        )

    def find(self, sentence: str, parts: list[str]) -> Found | None:
        """What reads as a revocation in a sentence and its parts, all normalised."""
        kept = self._kept(sentence)
        if not self.others.search(kept):
            for name, rule in self.sure:
                if rule.search(kept):
                    return name, True
            for name, rule in self.maybe:
                if rule.search(kept):
                    return name, False
        for part in map(self._kept, parts):
            for name, rule in self.parts:
                if rule.search(part):
                    return name, False
        return None

    def _kept(self, text: str) -> str:
        return " ".join(self.unrelated.sub(" ", text).split())


_SURE_LANGUAGES = (Rules.of(english), Rules.of(spanish))
_OTHER_LANGUAGES = tuple((name, re.compile(pattern)) for name, pattern in other.PATTERNS)


def find_revocation(text: str) -> Found | None:
    """(rule, confident) of what reads as a revocation in a message; None if nothing does."""
    if only_refusing_emoji(text):
        return "emoji", False
    brief = len(normalise(text).split()) <= BRIEF
    doubtful: str | None = None
    for sentence, parts in _sentences(text):
        for name, sure in _readings(sentence, parts):
            if sure and brief:
                return name, True
            doubtful = doubtful or name
    return (doubtful, False) if doubtful else None


def _sentences(text: str) -> Iterator[tuple[str, list[str]]]:
    for raw in _SENTENCE_ENDS.split(text[:READ_AT_MOST]):
        parts = [spelled_out(normalise(part)) for part in _PART_ENDS.split(raw)]
        sentence = " ".join(part for part in parts if part)
        if sentence:
            yield sentence, [part for part in parts if part]


def _readings(sentence: str, parts: list[str]) -> Iterator[Found]:
    """What a sentence says as it stands, then with its slips put right, then in another language."""
    for rules in _SURE_LANGUAGES:
        found = rules.find(sentence, parts)
        if found is not None:
            yield found
            return
    righted = corrected(sentence)
    if righted != sentence:
        for rules in _SURE_LANGUAGES:
            found = rules.find(righted, [corrected(part) for part in parts])
            if found is not None:
                yield found[0], False
                return
    for name, rule in _OTHER_LANGUAGES:
        if rule.search(sentence):
            yield name, False
            return
