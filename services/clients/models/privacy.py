"""What keeps a client from being erased, and what is left of one that was."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKeyConstraint, Index, Integer, PrimaryKeyConstraint, String, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, Json, new_id
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.clients.models.common import Base, one_of

ERASURE_STATES = ("begun", "running", "done")
ERASURE_CAUSES = ("asked", "archived", "restored")
LATECOMERS = dt.timedelta(hours=1)
"""After the end of an erasure every service is told once more: what was just being written for the client when it was
forgotten, such as an answer, is forgotten then. Longer than any call and any event's retries."""


class LegalHold(FirmScoped, Versioned, Base):
    """Why a client may not be erased, in force until it is released."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        Index("ix_legal_hold_client", "firm_id", "client_id", "created_at", "id"),
        Index(
            "ix_legal_hold_active", "client_id",
            sqlite_where=text("released_at IS NULL"), postgresql_where=text("released_at IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, default=new_id)
    client_id: Mapped[str] = mapped_column(Id)
    reason: Mapped[str] = mapped_column(String(500))
    placed_by: Mapped[str | None] = mapped_column(Id)
    released_at: Mapped[dt.datetime | None] = mapped_column(Instant)
    released_by: Mapped[str | None] = mapped_column(Id)

    def release(self, by: str | None, now: dt.datetime) -> bool:
        """Ends it; False if it was ended before."""
        if self.released_at is not None:
            return False
        self.released_at, self.released_by = now, by
        self.touch(now)
        return True


class Erasure(FirmScoped, Versioned, Base):
    """The erasing of one client, from the decision to the last service's report.

    `client_ids`: the client's own id first, then those that were merged into it. `file_keys`: what is still to be
    removed from the object store. `counts`: what clients itself has deleted, by table. `journal_key` names the file
    outside the database that remembers this erasure, null until it is written. `ask_at`: when those that have not
    reported are told again. `tell_last_at`: when all are told once more after the end, null before it and afterwards.
    """

    __tablename__ = "erasure"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        one_of("state", ERASURE_STATES, "state"),
        one_of("cause", ERASURE_CAUSES, "cause"),
        Index("uq_erasure_client", "firm_id", "client_id", unique=True),
        Index("ix_erasure_created", "firm_id", "created_at", "id"),
        Index("ix_erasure_journal_key", "journal_key"),
        Index(
            "ix_erasure_ask_at", "ask_at", sqlite_where=text("state <> 'done'"),
            postgresql_where=text("state <> 'done'"),
        ),
        Index(
            "ix_erasure_tell_last_at", "tell_last_at", sqlite_where=text("tell_last_at IS NOT NULL"),
            postgresql_where=text("tell_last_at IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, default=new_id)
    client_id: Mapped[str] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(20), default="begun")
    cause: Mapped[str] = mapped_column(String(20))
    asked_by: Mapped[str | None] = mapped_column(Id)
    client_ids: Mapped[list[str]] = mapped_column(Json)
    client_version: Mapped[int] = mapped_column(Integer)
    file_keys: Mapped[list[str]] = mapped_column(Json, default=list)
    counts: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    journal_key: Mapped[str | None] = mapped_column(String(300))
    erased_at: Mapped[dt.datetime | None] = mapped_column(Instant)
    finished_at: Mapped[dt.datetime | None] = mapped_column(Instant)
    times_asked: Mapped[int] = mapped_column(Integer, default=0)
    ask_at: Mapped[dt.datetime] = mapped_column(Instant)
    tell_last_at: Mapped[dt.datetime | None] = mapped_column(Instant)

    def record_scrubbed(self, now: dt.datetime, ask_at: dt.datetime) -> None:
        """The record is gone, and the services are told."""
        self.state, self.erased_at = "running", self.erased_at or now
        self.finished_at = None
        self.asked_again(now, ask_at)

    def asked_again(self, now: dt.datetime, ask_at: dt.datetime) -> None:
        """The services were told; who has not reported by `ask_at` is told once more."""
        self.times_asked += 1
        self.ask_at = ask_at
        self.touch(now)

    def begin_again(self, now: dt.datetime) -> None:
        """A database may have been restored since: all of it is done once more."""
        self.state, self.finished_at, self.ask_at, self.tell_last_at = "begun", None, now, None
        self.touch(now)

    def finish(self, now: dt.datetime) -> None:
        """Every service has reported that it has forgotten the person."""
        self.state, self.finished_at, self.tell_last_at = "done", now, now + LATECOMERS
        self.touch(now)


class ErasureReport(FirmScoped, Base):
    """The last thing that a service said about an erasure. No row: nothing yet."""

    __tablename__ = "erasure_report"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "erasure_id", "service"),
        ForeignKeyConstraint(["firm_id", "erasure_id"], ["erasure.firm_id", "erasure.id"], name="fk_erasure_report"),
    )

    erasure_id: Mapped[str] = mapped_column(Id)
    service: Mapped[str] = mapped_column(String(40))
    outcome: Mapped[str] = mapped_column(String(20))
    counts: Mapped[dict[str, int]] = mapped_column(Json)
    reported_at: Mapped[dt.datetime] = mapped_column(Instant)


class ErasedClient(FirmScoped, Base):
    """All that is left of an erased client: that its id is taken, and by which erasure."""

    __tablename__ = "erased_client"
    __table_args__ = (
        PrimaryKeyConstraint("client_id", "firm_id"),
        Index("ix_erased_client_erasure", "firm_id", "erasure_id"),
    )

    firm_id: Mapped[str] = mapped_column(Id)
    client_id: Mapped[str] = mapped_column(Id)
    erasure_id: Mapped[str] = mapped_column(Id)
    erased_at: Mapped[dt.datetime] = mapped_column(Instant)
