"""Templates for many cases at once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Json
from services.tasks.models.common import Base, Versioned


class BulkAssignment(Versioned, Base):
    """Templates for all cases of a selector, worked off in pages.

    `copies` are the templates and `due_at` the due date as they were when it was asked for. `cursor` is where the next
    page begins. Progress is stored with each page, so that a crash resumes where it was.
    """

    __tablename__ = "bulk_assignment"

    state: Mapped[str] = mapped_column(String(20), default="running")
    selector: Mapped[dict[str, Any]] = mapped_column(Json)
    copies: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    due_rule: Mapped[dict[str, Any] | None] = mapped_column(Json)
    due_at: Mapped[dt.datetime | None]
    cursor: Mapped[str | None] = mapped_column(Text)
    cases_done: Mapped[int] = mapped_column(Integer, default=0)
    cases_total: Mapped[int] = mapped_column(Integer, default=0)
    added: Mapped[int] = mapped_column(Integer, default=0)
    left_out: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    examples: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    failure: Mapped[str | None] = mapped_column(String(120))

    MOST_EXAMPLES = 100

    def record_page(self, *, cases: int, added: int, left_out: list[dict[str, str]], now: dt.datetime) -> None:
        """Counts one page. `left_out`: {"case_id", "template_id", "reason"} each."""
        counts = dict(self.left_out)
        for pair in left_out:
            counts[pair["reason"]] = counts.get(pair["reason"], 0) + 1
        self.left_out = counts
        self.examples = [*self.examples, *left_out][: self.MOST_EXAMPLES]
        self.cases_done += cases
        self.cases_total = max(self.cases_total, self.cases_done)
        self.added += added
        self.touch(now)

    def finish(self, now: dt.datetime) -> None:
        """All pages are done: what was counted is the total."""
        self.state, self.cursor, self.cases_total = "finished", None, self.cases_done
        self.touch(now)

    def fail(self, code: str, now: dt.datetime) -> None:
        """Ends it short of its end; what was added stays."""
        self.state, self.failure = "failed", code
        self.touch(now)
