"""Forms and templates for many cases at once."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.asking_again import AskedAgain, first_time, index_of
from chassis.columns import Id, Json, JsonOrNull
from contracts.errors import Conflict
from services.tasks.models.common import Base, Record, Versioned
from services.tasks.models.known_cases import OfCase


class BulkAssignment(Versioned, AskedAgain, Base):
    """Forms and templates for all cases of a selector, worked off in pages.

    `frozen` is what is assigned, as it was when it was asked for (see `freezing`); it can be long, and is loaded where
    it is needed. `copies`, `due_rule` and `due_at` say the same of templates alone, for the release before it.
    `sees_only`: the types of cases that who asked for it was limited to then; null: no limit. `cursor` is where the
    next page begins, `selector` empty after the last. Progress is stored with each page, so that a crash resumes where
    it was.
    """

    __tablename__ = "bulk_assignment"
    __table_args__ = (
        Index("ix_bulk_assignment_created_at", "firm_id", "created_at", "id"),
        index_of("bulk_assignment"),
    )

    state: Mapped[str] = mapped_column(String(20), default="running")
    selector: Mapped[dict[str, Any]] = mapped_column(Json)
    sees_only: Mapped[list[str] | None] = mapped_column(JsonOrNull)
    frozen: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull, deferred=True, deferred_group="assigned")
    copies: Mapped[list[dict[str, Any]]] = mapped_column(Json, deferred=True, deferred_group="assigned")
    due_rule: Mapped[dict[str, Any] | None] = mapped_column(Json, deferred=True, deferred_group="assigned")
    due_at: Mapped[dt.datetime | None] = mapped_column(deferred=True, deferred_group="assigned")
    cursor: Mapped[str | None] = mapped_column(Text)
    cases_done: Mapped[int] = mapped_column(Integer, default=0)
    cases_total: Mapped[int] = mapped_column(Integer, default=0)
    added: Mapped[int] = mapped_column(Integer, default=0)
    left_out: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    examples: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    failure: Mapped[str | None] = mapped_column(String(120))

    MOST_EXAMPLES = 100

    @property
    def assigned(self) -> dict[str, Any]:
        """`frozen`, also of a record that the release before it has made."""
        if self.frozen is not None:
            return self.frozen
        due = {"due_rule": self.due_rule, "due_at": self.due_at and self.due_at.isoformat()}
        return {"forms": [], "templates": [{**copy, **due} for copy in self.copies]}

    def touch(self, now: dt.datetime) -> None:
        """Counts one more change, and a step as long as it goes on."""
        super().touch(now)
        self.ask_at = first_time(now) if self.state == "running" else None

    def record_page(
        self, *, cases: int, added: int, reasons: Sequence[str], examples: Sequence[dict[str, Any]], now: dt.datetime
    ) -> None:
        """Counts one page. `reasons`: why, for each that was left out; `examples`: contracts' LeftOutCase of some."""
        self.left_out = dict(Counter(self.left_out) + Counter(reasons))
        self.examples = [*self.examples, *examples][: self.MOST_EXAMPLES]
        self.cases_done += cases
        self.cases_total = max(self.cases_total, self.cases_done)
        self.added += added
        self.touch(now)

    def finish(self, now: dt.datetime) -> None:
        """All pages are done: what was counted is the total."""
        self.cursor, self.cases_total = None, self.cases_done
        self._end("finished", now)

    def fail(self, code: str, now: dt.datetime) -> None:
        """Ends it short of its end; what was added stays."""
        self.failure = code
        self._end("failed", now)

    def cancel(self, now: dt.datetime) -> None:
        """No more pages; what was added stays. Raises Conflict `bulk_assignment_ended`."""
        if self.state != "running":
            raise Conflict("bulk_assignment_ended", state=self.state)
        self._end("cancelled", now)

    def _end(self, state: str, now: dt.datetime) -> None:
        # A field of which the selector names a value may have become sensitive meanwhile, or may yet.
        self.state, self.selector = state, {}
        self.touch(now)


class BulkLeftOut(OfCase, Record, Base):
    """What a case did not get of a bulk assignment, and why. `what_id`: of the form or template; null where the case
    got nothing at all."""

    __tablename__ = "bulk_left_out"
    __table_args__ = (
        UniqueConstraint("firm_id", "bulk_assignment_id", "case_id", "what_id"),
        ForeignKeyConstraint(["firm_id", "bulk_assignment_id"], ["bulk_assignment.firm_id", "bulk_assignment.id"]),
    )

    bulk_assignment_id: Mapped[str] = mapped_column(Id)
    case_id: Mapped[str] = mapped_column(Id)
    what_id: Mapped[str | None] = mapped_column(Id)
    reason: Mapped[str] = mapped_column(String(30))
