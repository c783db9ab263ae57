"""Batches and deliveries, and the words for the states that they go through."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, Integer, Numeric, PrimaryKeyConstraint, SmallInteger, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, new_id
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.messaging.models.common import Base, where
from services.messaging.models.known_cases import OfCase

WAITING = ("accepted", "queued")
"""Not yet begun: still free to be changed, suppressed or cancelled."""
OPEN = ("accepted", "queued", "sending", "unknown")
"""Not settled. A batch is finished when none of its deliveries is open."""
NOTIFIED = ("queued", "sending", "unknown", "sent", "delivered", "undelivered")
"""States in which an address has been, or is about to be, written to."""
URGENT, BULK = 0, 1
"""Priorities of queued deliveries: what a person waits for goes before a batch."""
KEYS_KEPT = 20
"""Keys of one call: its last ones."""
EXEMPT_KINDS = ("opt_out_confirmation", "opt_in_confirmation", "help")
"""Answers to what somebody just wrote, for which quiet hours do not matter."""
UNBLOCKED_KINDS = ("opt_out_confirmation", "help")
"""Those of them that the block itself does not stop. A START's says what is true no more once a STOP followed it."""


WAITS = f"coalesce(state, '') IN {WAITING}"
"""Whether a delivery waits, in words that no other index answers: see `deliveries.is_in`."""


class Batch(FirmScoped, Versioned, Base):
    """A bulk request. `content_id` is null as long as only its cancel or pause is known, and no chunk yet. `group_id`:
    the group of clients that it was sent to, if it was one."""

    __tablename__ = "batch"
    __table_args__ = (
        Index(
            "ix_batch_unfinished",
            "state",
            sqlite_where=text("state IN ('accepted', 'running')"),
            postgresql_where=text("state IN ('accepted', 'running')"),
        ),
        Index(
            "ix_batch_group", "firm_id", "group_id", "created_at", "id",
            sqlite_where=text("group_id IS NOT NULL"), postgresql_where=text("group_id IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), default="notification", server_default="notification")
    channels: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    state: Mapped[str] = mapped_column(String(20), default="accepted")
    accepted: Mapped[int] = mapped_column(Integer, default=0)
    chunks: Mapped[int] = mapped_column(Integer, default=0)
    chunks_seen: Mapped[int] = mapped_column(Integer, default=0)
    content_id: Mapped[str | None] = mapped_column(Id)
    fallback: Mapped[bool] = mapped_column(default=False)
    coalesce: Mapped[bool] = mapped_column(default=False)
    allow_repeat: Mapped[bool] = mapped_column(default=False)
    statuses: Mapped[list[str]] = mapped_column(Json, default=list)
    timing: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    requested_by: Mapped[str | None] = mapped_column(Id)
    requested_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    group_id: Mapped[str | None] = mapped_column(Id)

    def go_on(self, now: dt.datetime) -> None:
        """Opens a finished batch again, since something of it is to be done after all."""
        if self.state == "finished":
            self.state, self.finished_at = "running", None
            self.touch(now)


class BatchChunk(FirmScoped, Base):
    """A chunk that has been written: its number counts once, however often it comes."""

    __tablename__ = "batch_chunk"
    firm_id: Mapped[str] = mapped_column(Id, primary_key=True)
    batch_id: Mapped[str] = mapped_column(Id, primary_key=True)
    chunk: Mapped[int] = mapped_column(Integer, primary_key=True)


class Delivery(OfCase, FirmScoped, Versioned, Base):
    """One message to one recipient, from the wish to its settled state.

    `subject_id` is the case task, or the message itself. `address_once` is the address of the one delivery of its batch
    and case task that goes there; duplicates have none. `due_at` is when something must be done next: prepare what is
    accepted, send what is queued, ask about what is unknown. `window_closes`: quiet hours begin then, or the firm
    closes; long ago where it is to be prepared anew before it is called for again. `in_business_hours`: a single
    message waits for them. `variables` are what its text is made of, cleared when it is settled; `body` is the text
    with its link shortened. `joined_to` is the delivery whose one message tells of this one's case task too: it goes
    wherever that one goes. `staff_id`: a notice to a staff member; `conversation_id`: an answer to somebody who is no
    client yet. `provider_segments`, `price` and `currency` are the provider's own figures; `price_due_at` is when to
    ask for the price (next), null when it is not. `keys` are what was pressed in a call, in order. `contact_id`: the
    contact of a business client whom it goes to. `to_contacts`: a single message about a case, which goes to those whom
    a notification goes to. `added`: it is for one more contact of a client whose first one has the delivery that was
    asked for.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        # Only what is looked for by firm begins with the firm: as long as PostgreSQL has not counted how many rows one
        # has, it takes them for few, and would read all of them to find a hundred by their ids.
        Index(
            "uq_delivery_once",
            "batch_id",
            "subject_id",
            "client_id",
            "channel",
            unique=True,
            **where("NOT added"),
        ),
        Index(
            "uq_delivery_added",
            "batch_id",
            "subject_id",
            "client_id",
            "channel",
            "contact_id",
            unique=True,
            **where("added"),
        ),
        Index(
            "uq_delivery_address",
            "batch_id",
            "subject_id",
            "channel",
            "address_once",
            unique=True,
            **where("address_once IS NOT NULL"),
        ),
        # Of one message alone, whose batch is null, which no unique index compares.
        Index(
            "uq_delivery_added_alone", "subject_id", "contact_id", unique=True, **where("added AND batch_id IS NULL")
        ),
        Index(
            "uq_delivery_address_alone",
            "subject_id",
            "address_once",
            unique=True,
            **where("address_once IS NOT NULL AND batch_id IS NULL"),
        ),
        # Of those that wait only: a row enters it when it is written and when it is prepared, and no more.
        Index("ix_delivery_waiting_task", "case_task_id", **where(f"case_task_id IS NOT NULL AND {WAITS}")),
        Index("ix_delivery_counts", "batch_id", "state", "reason"),
        Index("ix_delivery_address", "address", "case_task_id"),
        Index("ix_delivery_client", "client_id", "created_at"),
        Index("ix_delivery_contact", "contact_id", **where("contact_id IS NOT NULL")),
        Index("ix_delivery_accepted", "firm_id", "due_at", "id", **where("state = 'accepted'")),
        Index("ix_delivery_queued", "sender_id", "priority", "due_at", "id", **where("state = 'queued'")),
        # Not of `lease_until`: a lease is taken twice for each delivery, and while no index holds it, a row that has
        # room in its page is changed in place.
        Index("ix_delivery_sending", "sender_id", **where("state = 'sending'")),
        Index("ix_delivery_unknown", "due_at", **where("state = 'unknown'")),
        Index("ix_delivery_price_due_at", "price_due_at", **where("price_due_at IS NOT NULL")),
        Index("ix_delivery_joined_to", "joined_to", **where("joined_to IS NOT NULL")),
        Index("ix_delivery_conversation", "conversation_id", **where("conversation_id IS NOT NULL")),
        # Of single messages only: what was written to one person alone is looked for when that one is erased.
        Index("ix_delivery_own_content", "content_id", **where("batch_id IS NULL")),
        {"postgresql_with": {"fillfactor": 45}},
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    batch_id: Mapped[str | None] = mapped_column(Id)
    subject_id: Mapped[str] = mapped_column(Id)
    case_task_id: Mapped[str | None] = mapped_column(Id)
    case_id: Mapped[str | None] = mapped_column(Id)
    client_id: Mapped[str | None] = mapped_column(Id)
    channel: Mapped[str] = mapped_column(String(10))
    fallback: Mapped[list[str] | None] = mapped_column(Json)
    kind: Mapped[str] = mapped_column(String(30))
    state: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(60))
    priority: Mapped[int] = mapped_column(SmallInteger, default=BULK)
    send_after: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]
    window_closes: Mapped[dt.datetime | None]
    address: Mapped[str | None] = mapped_column(String(320))
    address_once: Mapped[str | None] = mapped_column(String(320))
    sender_id: Mapped[str | None] = mapped_column(Id)
    content_id: Mapped[str | None] = mapped_column(Id)
    requested_by: Mapped[str | None] = mapped_column(Id)
    language: Mapped[str | None] = mapped_column(String(10))
    variables: Mapped[dict[str, Any] | None] = mapped_column(Json)
    needs_opt_in: Mapped[bool] = mapped_column(default=False)
    lease_owner: Mapped[str | None] = mapped_column(String(60))
    lease_until: Mapped[dt.datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    begun_at: Mapped[dt.datetime | None]
    sent_at: Mapped[dt.datetime | None]
    provider_id: Mapped[str | None] = mapped_column(String(120))
    provider_status: Mapped[str | None] = mapped_column(String(40))
    subject: Mapped[str | None] = mapped_column(String(300))
    body: Mapped[str | None] = mapped_column(Text)
    segments: Mapped[int | None] = mapped_column(Integer)
    joined_to: Mapped[str | None] = mapped_column(Id)
    in_business_hours: Mapped[bool] = mapped_column(default=False, server_default=false())
    staff_id: Mapped[str | None] = mapped_column(Id)
    conversation_id: Mapped[str | None] = mapped_column(Id)
    provider_segments: Mapped[int | None] = mapped_column(Integer)
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    currency: Mapped[str | None] = mapped_column(String(10))
    price_due_at: Mapped[dt.datetime | None]
    keys: Mapped[str | None] = mapped_column(String(KEYS_KEPT))
    contact_id: Mapped[str | None] = mapped_column(Id)
    added: Mapped[bool] = mapped_column(server_default=false())
    to_contacts: Mapped[bool] = mapped_column(server_default=false())

    def press(self, key: str, now: dt.datetime) -> None:
        """A key was pressed in this call."""
        self.keys = f"{self.keys or ''}{key}"[-KEYS_KEPT:]
        self.touch(now)


class Attempt(FirmScoped, Base):
    """One call to the provider that was begun. `outcome` is null until it is known: sent, refused, deferred,
    not_connected, unknown, found, absent."""

    __tablename__ = "attempt"
    # The firm last, as with deliveries.
    __table_args__ = (PrimaryKeyConstraint("delivery_id", "number", "firm_id"),)
    firm_id: Mapped[str] = mapped_column(Id)
    delivery_id: Mapped[str] = mapped_column(Id)
    number: Mapped[int] = mapped_column(Integer)
    begun_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    provider_id: Mapped[str | None] = mapped_column(String(120))
    code: Mapped[str | None] = mapped_column(String(60))
