"""The tables of portal, and the state changes that are legal."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ColumnElement, Index, Integer, String, UniqueConstraint, and_, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, new_id
from chassis.database import FirmScoped, service_base
from chassis.redirects import MovedRow, RedirectRow
from chassis.versioned import Versioned

Base: Any = service_base("portal")


class Link(FirmScoped, Versioned, Base):
    """A way in for one client, or for one contact of a business client, without a login. The token itself is nowhere:
    only its SHA-256 is here.

    `id` alone is the key, since a link is looked up before its firm is known. `revoked_for` says why: `staff`,
    `replaced`, `contact_closed`, `client_deleted`, `client_erased` or `address_changed`. `asked_at` and `asked_times`
    limit requests for a new one.
    """

    __tablename__ = "link"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index("ix_link_firm_id_client_id", "firm_id", "client_id"),
        Index("ix_link_firm_id_delivery_id", "firm_id", "delivery_id"),
        Index(
            "ix_link_contact",
            "firm_id",
            "contact_id",
            sqlite_where=text("contact_id IS NOT NULL"),
            postgresql_where=text("contact_id IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    token_hash: Mapped[str] = mapped_column(String(64))
    client_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(10))
    case_task_id: Mapped[str | None] = mapped_column(Id)
    case_form_id: Mapped[str | None] = mapped_column(Id)
    case_ids: Mapped[list[str]] = mapped_column(Json)
    channel: Mapped[str] = mapped_column(String(10))
    delivery_id: Mapped[str | None] = mapped_column(Id)
    expires_at: Mapped[dt.datetime]
    revoked_at: Mapped[dt.datetime | None]
    revoked_for: Mapped[str | None] = mapped_column(String(20))
    last_used_at: Mapped[dt.datetime | None]
    asked_at: Mapped[dt.datetime | None]
    asked_times: Mapped[int] = mapped_column(Integer, default=0)
    contact_id: Mapped[str | None] = mapped_column(Id)

    @property
    def scope(self) -> dict[str, Any]:
        """What it opens: {"kind", "case_task_id", "case_form_id", "case_ids"}."""
        return {
            "kind": self.kind,
            "case_task_id": self.case_task_id,
            "case_form_id": self.case_form_id,
            "case_ids": self.case_ids,
        }

    def is_live(self, now: dt.datetime) -> bool:
        """Whether it opens anything at that instant."""
        return self.revoked_at is None and now < self.expires_at

    def revoke(self, reason: str, now: dt.datetime) -> bool:
        """Ends the link; False if it was ended before."""
        if self.revoked_at is not None:
            return False
        self.revoked_at, self.revoked_for = now, reason
        self.touch(now)
        return True

    def ask_for_another(self, now: dt.datetime) -> None:
        """Counts one request for a new link."""
        self.asked_at = now
        self.asked_times += 1


class ClientMerge(RedirectRow, Base):
    """A client that was merged into another one."""

    __tablename__ = "client_merge"


class ClientMergeMove(MovedRow, Base):
    """A link that became the survivor's."""

    __tablename__ = "client_merge_move"


def live(now: dt.datetime) -> ColumnElement[bool]:
    """In SQL what `Link.is_live` is in Python."""
    return and_(Link.revoked_at.is_(None), Link.expires_at > now)
