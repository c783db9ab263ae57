"""Files that were uploaded for a case task."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Index, Integer, String, literal_column, select, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id
from chassis.database import ByKind
from services.tasks.models.case_tasks import CaseTask
from services.tasks.models.common import Base, Record

_TO_TIDY = text("state <> 'answered'")


class TaskFile(ByKind, Record, Base):
    """A file in the object store.

    `state`: `coming` until its content is there, `stored`, `answered` while the task's answer names it, `leaving` when
    nobody wants it any more: then its content goes first and the row after it. `client_id`: who uploaded it, and once
    it is part of a client's answer, that client. (No foreign key: a task that nobody has begun can be taken away.)
    """

    __tablename__ = "task_file"
    __table_args__ = (
        Index("ix_task_file_case_task_id", "case_task_id"),
        Index(
            "ix_task_file_client_id",
            "client_id",
            sqlite_where=text("client_id IS NOT NULL"),
            postgresql_where=text("client_id IS NOT NULL"),
        ),
        Index("ix_task_file_to_tidy", "created_at", sqlite_where=_TO_TIDY, postgresql_where=_TO_TIDY),
    )

    case_task_id: Mapped[str] = mapped_column(Id)
    client_id: Mapped[str | None] = mapped_column(Id)
    link_id: Mapped[str | None] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(20), default="coming")
    filename: Mapped[str] = mapped_column(String(200))
    content_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))

    @classmethod
    def of_kinds(cls, kinds: Sequence[str]) -> ColumnElement[bool]:
        """Whether it is of a task of a case of one of these types: the session finds no other tasks."""
        return cls.case_task_id.in_(select(CaseTask.id))

    @property
    def file_key(self) -> str:
        """Where its content is."""
        return f"answers/{self.firm_id}/{self.id}"

    def may_be_named(self, client_id: str | None) -> bool:
        """Whether an answer may name it: of what nobody has answered with, a client (None: staff, who may all) only
        what it uploaded itself."""
        return self.state == "answered" or (self.state == "stored" and client_id in (None, self.client_id))

    def is_anothers_answer(self, client_id: str | None) -> bool:
        """Whether it is part of an answer that another client gave than this one (None: staff, to whom none is)."""
        return self.state == "answered" and client_id is not None and self.client_id not in (None, client_id)

    def answer(self, client_id: str | None) -> None:
        """It is part of an answer, which is this client's; of one that is nobody's it is still whose it was."""
        self.state, self.client_id = "answered", client_id or self.client_id

    def leave(self) -> None:
        """Nobody wants it any more."""
        self.state = "leaving"


def is_to_tidy(before: dt.datetime) -> ColumnElement[bool]:
    """Those that are leaving, and what came before an instant and no answer names."""
    # A literal, as in the index.
    unanswered: ColumnElement[bool] = TaskFile.state != literal_column("'answered'")
    return unanswered & ((TaskFile.state == "leaving") | (TaskFile.created_at < before))
