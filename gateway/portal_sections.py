"""The questions of a page by section, and how far each section is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.portal_forms import Question
from gateway.portal_words import Words

Record = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """Questions that stand together. `title` is the firm's; None: they are of no section. `done`: how many of the
    section are answered, in words; None where it is not known."""

    title: str | None
    questions: list[Question]
    done: str | None

    @property
    def open(self) -> list[Question]:
        """Those that can be filled in."""
        return [question for question in self.questions if question.answerable]

    @property
    def together(self) -> bool:
        """Whether they are filled in and sent in one form."""
        return bool(self.open) and all(question.together for question in self.questions)

    @property
    def has_files(self) -> bool:
        return any(question.widget in ("files", "signature") for question in self.open)

    @property
    def can_wait(self) -> bool:
        """Whether there is anything to save."""
        return any(question.can_wait or question.widget == "files" for question in self.open)

    @property
    def not_saved(self) -> bool:
        """Whether something in it is given when it is sent, and not before."""
        return any(question.widget in ("tick", "signature") for question in self.open)


@dataclass(frozen=True)
class Progress:
    """How far the whole page is: figures for the bar, and the same in words."""

    completed: int
    total: int
    said: str


def sections_of(page: Record, questions: Sequence[Question], words: Words) -> list[Section]:
    """The page's questions, which are in the order of its case tasks, each run of one section together."""
    counts = {_place(entry): entry for entry in page.get("progress") or ()}
    pairs = zip(page["case_tasks"], questions, strict=True)
    sections = []
    for place, run in itertools.groupby(pairs, key=lambda pair: _place(pair[0])):
        title, counted = place[-1], counts.get(place)
        said = _said(counted["completed"], counted["total"], words) if title and counted else None
        sections.append(Section(title, [question for _, question in run], said))
    return sections


def progress_of(page: Record, words: Words) -> Progress | None:
    """None if there is nothing to measure: one question, or none answered yet."""
    counts = page.get("progress") or []
    completed, total = (sum(entry[name] for entry in counts) for name in ("completed", "total"))
    return Progress(completed, total, _said(completed, total, words)) if completed and total > 1 else None


def _place(entry: Record) -> tuple[Any, ...]:
    # By its position too: two sections of a form may have one title.
    return entry.get("case_id"), entry.get("case_form_id"), entry.get("section_position"), entry.get("section")


def _said(completed: int, total: int, words: Words) -> str:
    return words.say("%(done)s of %(total)s answered", done=completed, total=total)
