"""What was asked on a case, and the state changes that are legal."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    false,
    null,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chassis.columns import Id, Json, JsonOrNull
from contracts.errors import Conflict
from services.tasks.models.common import Base, Record, Versioned
from services.tasks.models.known_cases import OfCase
from services.tasks.models.templates import TaskTemplate

OPEN = ("to_do", "in_progress")
"""The stored statuses of an open task. `overdue` is never stored: it is an open task whose time has passed."""

LAST_SECOND = dt.timedelta(seconds=1)
"""A deadline is the last second in time, and has passed when that second has: a day's is 23:59:59."""

# A partial index serves where the query says the same: see `statuses.is_open` and `statuses.present`.
_OPEN = "status IN ('to_do', 'in_progress')"
_TOLD = {"sqlite": "announced_due_at IS NOT due_at", "postgresql": "announced_due_at IS DISTINCT FROM due_at"}
_WITH_DEADLINE = text("deadline IS NOT NULL")
_PRESENT = {"sqlite": "archived = 0", "postgresql": "NOT archived"}


def _partial(name: str, *columns: str, sqlite: str, postgresql: str | None = None) -> Index:
    return Index(name, *columns, sqlite_where=text(sqlite), postgresql_where=text(postgresql or sqlite))


class CaseTask(OfCase, Versioned, Base):
    """A template as it was when it was assigned to a case, and what became of it.

    `assigned_once_key` is the template's id if it was assigned in bulk, else null: a bulk assignment that is repeated
    cannot double it, while a person may assign a template a second time. `answer` null with a `completed_at` is a blank
    answer. `notified_at` is when `last_notification` happened, for an older event must not replace it.

    `case_form_id`, `item_key`, the positions and `condition` are of a task that came with a form. `due_anchor_id` is
    the task after which this one is due, and `due_counted_from` the instant of it that counts. `announced_due_at` is
    the deadline whose passing was announced. `archived` says that its case is. `draft` null with a `draft_at` is a
    blank draft; `draft_client_id` says whose it is, if it is a client's. `reopened` holds `reason` and `at` until the
    task is completed again. `automation_depth`: how many rules followed from one another until one assigned it.
    `sealed`: answer and draft are kept as `sealed_answers` says. `prefill`: its form wants what is known filled in.
    """

    __tablename__ = "case_task"
    # No index of all tasks but the key begins with the firm: PostgreSQL would look for those of a case or of a template
    # among all of their firm (ADR 0014).
    __table_args__ = (
        UniqueConstraint("case_id", "assigned_once_key", "firm_id"),
        ForeignKeyConstraint(["firm_id", "template_id"], ["task_template.firm_id", "task_template.id"]),
        # For those that are looked up by the hundred, whatever PostgreSQL takes their firm to have.
        Index("uq_case_task_id", "id", unique=True),
        Index("ix_case_task_template_id", "template_id"),
        # What lies in the archive is passed over by no list.
        _partial(
            "ix_case_task_created", "firm_id", "created_at", "id",
            sqlite=_PRESENT["sqlite"], postgresql=_PRESENT["postgresql"],
        ),
        _partial("ix_case_task_firm_id_assignee_id", "firm_id", "assignee_id", sqlite="assignee_id IS NOT NULL"),
        _partial("ix_case_task_client_id", "client_id", sqlite="client_id IS NOT NULL"),
        _partial("ix_case_task_draft_client_id", "draft_client_id", sqlite="draft_client_id IS NOT NULL"),
        # None of these reads what a notification changes: it would have to change the index as well.
        _partial(
            "ix_case_task_open_due", "firm_id", "due_at", "id",
            sqlite=f"{_OPEN} AND {_PRESENT['sqlite']}", postgresql=f"{_OPEN} AND {_PRESENT['postgresql']}",
        ),
        _partial(
            "ix_case_task_status", "firm_id", "status", "due_at", "id",
            sqlite=_PRESENT["sqlite"], postgresql=_PRESENT["postgresql"],
        ),
        _partial(
            "ix_case_task_assignee", "firm_id", "assignee_id", "due_at", "id",
            sqlite=f"{_OPEN} AND {_PRESENT['sqlite']}", postgresql=f"{_OPEN} AND {_PRESENT['postgresql']}",
        ),
        _partial(
            "ix_case_task_due_to_tell", "due_at",
            sqlite=f"{_OPEN} AND {_PRESENT['sqlite']} AND {_TOLD['sqlite']}",
            postgresql=f"{_OPEN} AND {_PRESENT['postgresql']} AND {_TOLD['postgresql']}",
        ),
        _partial("ix_case_task_case_form", "case_form_id", sqlite="case_form_id IS NOT NULL"),
        _partial("ix_case_task_due_anchor", "due_anchor_id", sqlite="due_anchor_id IS NOT NULL"),
        ForeignKeyConstraint(["firm_id", "case_form_id"], ["case_form.firm_id", "case_form.id"]),
        # What came of a notification changes a row in its own page, which no index hears of.
        {"postgresql_with": {"fillfactor": 60}},
    )  # fmt: skip

    case_id: Mapped[str] = mapped_column(Id)
    template_id: Mapped[str] = mapped_column(Id)
    assigned_once_key: Mapped[str | None] = mapped_column(Id)
    title: Mapped[str] = mapped_column(String(200))
    instructions: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(30))
    required: Mapped[bool]
    options: Mapped[list[str]] = mapped_column(Json)
    checks: Mapped[dict[str, Any]] = mapped_column(Json)
    section: Mapped[str | None] = mapped_column(String(200))
    assignee_id: Mapped[str | None] = mapped_column(Id)
    status: Mapped[str] = mapped_column(String(20), default="to_do")
    due_rule: Mapped[dict[str, Any] | None] = mapped_column(Json)
    due_at: Mapped[dt.datetime | None]
    answer: Mapped[Any | None] = mapped_column(Json)
    answer_version: Mapped[int] = mapped_column(Integer, default=0)
    answered_by: Mapped[str | None] = mapped_column(String(10))
    client_id: Mapped[str | None] = mapped_column(Id)
    link_id: Mapped[str | None] = mapped_column(Id)
    completed_at: Mapped[dt.datetime | None]
    rejection: Mapped[dict[str, str] | None] = mapped_column(Json)
    last_notification: Mapped[dict[str, Any] | None] = mapped_column(Json)
    notified_at: Mapped[dt.datetime | None]
    template_version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    case_form_id: Mapped[str | None] = mapped_column(Id)
    item_key: Mapped[str | None] = mapped_column(String(60))
    section_position: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    position: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    condition: Mapped[list[dict[str, Any]] | None] = mapped_column(JsonOrNull)
    due_anchor_id: Mapped[str | None] = mapped_column(Id)
    due_counted_from: Mapped[dt.datetime | None]
    draft: Mapped[Any | None] = mapped_column(JsonOrNull)
    draft_at: Mapped[dt.datetime | None]
    draft_client_id: Mapped[str | None] = mapped_column(Id)
    reopened: Mapped[dict[str, str] | None] = mapped_column(JsonOrNull)
    overdue_handling: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)
    announced_due_at: Mapped[dt.datetime | None]
    archived: Mapped[bool] = mapped_column(default=False, server_default=false())
    automation_depth: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    sealed: Mapped[bool] = mapped_column(default=False, server_default=false())
    prefill: Mapped[bool] = mapped_column(default=False, server_default=false())
    template: Mapped[TaskTemplate] = relationship(lazy="raise", innerjoin=True)

    def status_at(self, now: dt.datetime) -> str:
        """The status as of the clock: an open task past its time is overdue."""
        if self.status in OPEN and self.due_at is not None and self.due_at <= now - LAST_SECOND:
            return "overdue"
        return self.status

    def demand_open(self) -> None:
        """Raises Conflict `task_not_open`."""
        if self.status not in OPEN:
            raise Conflict("task_not_open", case_task_id=self.id, status=self.status)

    def set_open_status(self, status: str) -> None:
        """`to_do` or `in_progress`, for an open task only. Raises Conflict `task_not_open`."""
        self.demand_open()
        self.status = status

    def save_draft(self, draft: Any, *, client_id: str | None, now: dt.datetime) -> None:
        """Keeps what there is of an answer, as it is kept: it is in progress. Raises Conflict `task_completed`,
        `task_skipped`."""
        if self.status not in OPEN:
            raise Conflict(f"task_{self.status}", case_task_id=self.id)
        self.draft, self.draft_at, self.draft_client_id = draft, now, client_id
        self.status = "in_progress"
        self.touch(now)

    def demand_present(self) -> None:
        """Raises Conflict `case_archived`: what was put away is closed to changes, as its case is, until it is back."""
        if self.archived:
            raise Conflict("case_archived", case_id=self.case_id)

    def drop_draft(self) -> None:
        """Forgets what was filled in and not sent."""
        self.draft, self.draft_at, self.draft_client_id = None, None, None

    def is_answered(
        self, answer: Any, answered_by: str, client_id: str | None, *, before: Any, seen: int | None
    ) -> bool:
        """Whether this is the answer that stands, given once more. `before`: what stands, in clear. `seen`: the version
        that staff saw; a client names none.

        Raises Conflict `answered_meanwhile` if staff would replace an answer that they have not seen.
        """
        if self.status != "completed" or seen == self.answer_version:
            return False
        stands = (before, self.answered_by, self.client_id, self.rejection)
        if stands == (answer, answered_by, client_id, None):
            return True
        if seen is not None:
            raise Conflict("answered_meanwhile", case_task_id=self.id, answer_version=self.answer_version)
        return False

    @property
    def is_begun(self) -> bool:
        """Whether anybody has heard of it or done anything about it."""
        untouched = self.status in ("to_do", "skipped") and self.answer_version == 0
        return not untouched or self.draft is not None or self.notified_at is not None

    def set_due(
        self,
        rule: dict[str, Any] | None,
        due_at: dt.datetime | None,
        anchor_id: str | None = None,
        counted_from: dt.datetime | None = None,
    ) -> None:
        """`rule` in wire values; `due_at` is what it comes to, counted from an instant of the task that it follows. A
        hidden task has no date until it is shown."""
        self.due_rule, self.due_anchor_id = rule, anchor_id
        self.due_at, self.due_counted_from = (None, None) if self.status == "skipped" else (due_at, counted_from)

    def move_due(self, due_at: dt.datetime | None, counted_from: dt.datetime | None) -> None:
        """The date moves with the task that it follows; the rule stays."""
        self.due_at, self.due_counted_from = due_at, counted_from

    def complete(
        self, answer: Any, *, answered_by: str, client_id: str | None, link_id: str | None, now: dt.datetime
    ) -> None:
        """Takes a checked answer, as it is kept, the first or a corrected one, which leaves the time of completion as
        it was.
        `client_id`: whose answer it is, if one is named.

        Raises Conflict `task_skipped` if a condition hides the task.
        """
        if self.status == "skipped":
            raise Conflict("task_skipped", case_task_id=self.id)
        self.answer = answer
        self.answer_version += 1
        self.answered_by = answered_by
        self.client_id, self.link_id = client_id, link_id
        self.rejection = self.reopened = None
        self.drop_draft()
        if self.status != "completed":
            self.status, self.completed_at = "completed", now
        self.touch(now)

    def reopen(self, reason: str, now: dt.datetime) -> None:
        """Back to `to_do`, with its answer to be corrected. Raises Conflict `task_not_completed`."""
        if self.status != "completed":
            raise Conflict("task_not_completed", case_task_id=self.id, status=self.status)
        self.status, self.completed_at = "to_do", None
        self.reopened = {"reason": reason, "at": now.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")}
        self.touch(now)

    def skip(self, now: dt.datetime) -> None:
        """A condition hides it: what was answered is not kept, and what is on its way of it comes too late. The due
        rule stays, for when it is shown again."""
        # No answer at all, as before the first one, where None would be a blank one.
        self.answer = null()
        self.drop_draft()
        self.rejection = self.reopened = None
        self.answered_by = self.client_id = self.link_id = None
        if self.answer_version:
            self.answer_version += 1
        self.status, self.completed_at, self.due_at = "skipped", None, None
        self.touch(now)

    def show(self, due_at: dt.datetime | None, now: dt.datetime) -> None:
        """A condition holds again: it is to do, until `due_at`."""
        self.status, self.due_at = "to_do", due_at
        self.touch(now)

    def reject(self, field: str, code: str, answer_version: int, now: dt.datetime) -> bool:
        """Notes that the owner of a mapped field refused the answer; False if a newer answer was given since."""
        if answer_version != self.answer_version:
            return False
        self.rejection = {"field": field, "code": code}
        self.touch(now)
        return True


class CaseTaskChange(Record, Base):
    """What happened to a case task and why: `kind` is `answered` (facts: answer_version, corrected), `reopened` (facts:
    reason), `due_changed` (facts: from, to and, where it moved with another task, because), `overdue` (facts: due_at,
    outcomes), `shared` (facts: channel, and the message_id or the link_id), `handling_changed`, or, by a condition,
    `skipped` or `shown`.

    `deadline` is the one that an `overdue` announces: each once.
    """

    __tablename__ = "case_task_change"
    __table_args__ = (
        ForeignKeyConstraint(["firm_id", "case_task_id"], ["case_task.firm_id", "case_task.id"]),
        Index("ix_case_task_change_firm_id_case_task_id", "firm_id", "case_task_id", "created_at"),
        Index(
            "uq_case_task_change_deadline",
            "firm_id",
            "case_task_id",
            "deadline",
            unique=True,
            sqlite_where=_WITH_DEADLINE,
            postgresql_where=_WITH_DEADLINE,
        ),
    )

    case_task_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(30))
    actor_kind: Mapped[str] = mapped_column(String(20))
    actor_id: Mapped[str | None] = mapped_column(Id)
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    deadline: Mapped[dt.datetime | None]
