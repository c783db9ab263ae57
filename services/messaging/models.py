"""Messaging's tables, and the words for the states that their rows go through."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Float,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, new_id, utc_now
from chassis.database import FirmScoped, service_base
from chassis.redirects import MovedRow, RedirectRow

Base: Any = service_base("messaging")

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
"""Answers to what somebody just wrote: the block itself and quiet hours do not stop them."""


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Stamps:
    """When a row came to be and last changed; `version` grows by one per change."""

    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[dt.datetime] = mapped_column(default=utc_now)

    def touch(self, now: dt.datetime) -> None:
        """Marks a change."""
        self.version += 1
        self.updated_at = now


class Content(FirmScoped, Base):
    """A message as it was when somebody asked for it; never changed. `variants`: [{channel, language, subject, body,
    html}]; `uses`: the variables they name."""

    __tablename__ = "content"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    variants: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    uses: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class MessageTemplate(FirmScoped, Stamps, Base):
    """A named message. Each version's texts are a `Content` of their own."""

    __tablename__ = "message_template"
    __table_args__ = (UniqueConstraint("firm_id", "name"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    content_id: Mapped[str] = mapped_column(Id)


class Sender(FirmScoped, Stamps, Base):
    """A number or address that messages go out from, and its token bucket, which all dispatchers share."""

    __tablename__ = "sender"
    # Without the firm: an address finds the firm of what comes in.
    __table_args__ = (UniqueConstraint("channel", "address"), Index("ix_sender_firm_id_channel", "firm_id", "channel"))
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(320))
    provider: Mapped[str] = mapped_column(String(30))
    rate: Mapped[float] = mapped_column(Float)
    messaging_service_sid: Mapped[str | None] = mapped_column(String(60), index=True)
    tokens: Mapped[float] = mapped_column(Float, default=1.0)
    tokens_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    held_until: Mapped[dt.datetime | None]


class ProviderRate(Base):
    """What an account at a provider may send a second, over all firms, and its token bucket. It belongs to the
    installation, not to a firm; a provider without a row has no such limit."""

    __tablename__ = "provider_rate"
    provider: Mapped[str] = mapped_column(String(30), primary_key=True)
    rate: Mapped[float] = mapped_column(Float)
    tokens: Mapped[float] = mapped_column(Float, default=1.0)
    tokens_at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    held_until: Mapped[dt.datetime | None]


class FirmRule(FirmScoped, Base):
    """What must be known of a firm in the transaction that takes a STOP, kept as `accounts` says it. A firm without a
    row has the defaults."""

    __tablename__ = "firm_rule"
    firm_id: Mapped[str] = mapped_column(Id, primary_key=True)
    opt_out_scope: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(Integer)


class ConsentEntry(FirmScoped, Base):
    """The ledger: append-only. `address` or `client_id`, or both, say whose consent it is. Of a person who was erased
    only what proves an opt-out is left, with `address_hash` in the place of the address."""

    __tablename__ = "consent_entry"
    __table_args__ = (
        Index("ix_consent_entry_firm_id_address", "firm_id", "address", "at"),
        Index("ix_consent_entry_firm_id_client_id", "firm_id", "client_id", "at"),
        Index("ix_consent_entry_firm_id_at", "firm_id", "at", "id"),
        Index("ix_consent_entry_address_hash", "address_hash", **_where("address_hash IS NOT NULL")),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str | None] = mapped_column(String(320))
    address_hash: Mapped[str | None] = mapped_column(String(22))
    client_id: Mapped[str | None] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(20))
    evidence: Mapped[dict[str, Any]] = mapped_column(Json)
    rule_version: Mapped[str] = mapped_column(String(20))


class ConsentState(FirmScoped, Base):
    """The ledger's projection, and what a claim and a STOP meet on: one row per channel and address (`h:` and its keyed
    hash) or client (`c:<id>`). `state` is null as long as nothing was said. `consent.ensure_rows` makes it before it is
    needed."""

    __tablename__ = "consent_state"
    # The firm last, as with deliveries.
    __table_args__ = (PrimaryKeyConstraint("key", "channel", "firm_id"),)
    firm_id: Mapped[str] = mapped_column(Id)
    channel: Mapped[str] = mapped_column(String(10))
    key: Mapped[str] = mapped_column(String(330))
    state: Mapped[str | None] = mapped_column(String(20))
    entry_id: Mapped[str | None] = mapped_column(Id)
    updated_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class AddressKey(Base):
    """The one secret by which addresses are hashed, wrapped by the key store. It belongs to the installation."""

    __tablename__ = "address_key"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    wrapped: Mapped[str] = mapped_column(String(2000))
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class ConsentReview(FirmScoped, Stamps, Base):
    """A reply that was taken as a revocation without being sure. `before` is the address's state until then."""

    __tablename__ = "consent_review"
    __table_args__ = (Index("ix_consent_review_firm_id", "firm_id", "created_at"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(320))
    words: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(String(60))
    before: Mapped[str | None] = mapped_column(String(20))
    decision: Mapped[str | None] = mapped_column(String(20))
    decided_by: Mapped[str | None] = mapped_column(Id)

    def decide(self, decision: str, staff_id: str | None, now: dt.datetime) -> None:
        """Marks what a person made of it."""
        self.decision, self.decided_by = decision, staff_id
        self.touch(now)


class Batch(FirmScoped, Stamps, Base):
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


class Delivery(FirmScoped, Stamps, Base):
    """One message to one recipient, from the wish to its settled state.

    `subject_id` is the case task, or the message itself. `address_once` is the address of the one delivery of its batch
    and case task that goes there; duplicates have none. `due_at` is when something must be done next: prepare what is
    accepted, send what is queued, ask about what is unknown. `window_closes`: quiet hours begin then, or the firm
    closes. `in_business_hours`: a single message waits for them. `variables` are what its text is made of, cleared when
    it is settled; `body` is the text with its link shortened. `joined_to` is the
    delivery whose one message tells of this one's case task too: it goes wherever that one goes. `staff_id`: a notice
    to a staff member; `conversation_id`: an answer to somebody who is no client yet. `provider_segments`, `price` and
    `currency` are the provider's own figures; `price_due_at` is when to ask for the price (next), null when it is not.
    `keys` are what was pressed in a call, in order. `contact_id`: the contact of a business client whom it goes to.
    `to_contacts`: a single message about a case, which goes to those whom a notification goes to. `added`: it is for
    one more contact of a client whose first one has the delivery that was asked for.
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
            **_where("NOT added"),
        ),
        Index(
            "uq_delivery_added",
            "batch_id",
            "subject_id",
            "client_id",
            "channel",
            "contact_id",
            unique=True,
            **_where("added"),
        ),
        Index(
            "uq_delivery_address",
            "batch_id",
            "subject_id",
            "channel",
            "address_once",
            unique=True,
            **_where("address_once IS NOT NULL"),
        ),
        # Of one message alone, whose batch is null, which no unique index compares.
        Index(
            "uq_delivery_added_alone", "subject_id", "contact_id", unique=True, **_where("added AND batch_id IS NULL")
        ),
        Index(
            "uq_delivery_address_alone",
            "subject_id",
            "address_once",
            unique=True,
            **_where("address_once IS NOT NULL AND batch_id IS NULL"),
        ),
        Index("ix_delivery_counts", "batch_id", "state", "reason"),
        Index("ix_delivery_address", "address", "case_task_id"),
        Index("ix_delivery_client", "client_id", "created_at"),
        Index("ix_delivery_contact", "contact_id", **_where("contact_id IS NOT NULL")),
        Index("ix_delivery_accepted", "firm_id", "due_at", "id", **_where("state = 'accepted'")),
        Index("ix_delivery_queued", "sender_id", "priority", "due_at", "id", **_where("state = 'queued'")),
        # Not of `lease_until`: a lease is taken twice for each delivery, and while no index holds it, a row that has
        # room in its page is changed in place.
        Index("ix_delivery_sending", "sender_id", **_where("state = 'sending'")),
        Index("ix_delivery_unknown", "due_at", **_where("state = 'unknown'")),
        Index("ix_delivery_price_due_at", "price_due_at", **_where("price_due_at IS NOT NULL")),
        Index("ix_delivery_joined_to", "joined_to", **_where("joined_to IS NOT NULL")),
        Index("ix_delivery_conversation", "conversation_id", **_where("conversation_id IS NOT NULL")),
        # Of single messages only: what was written to one person alone is looked for when that one is erased.
        Index("ix_delivery_own_content", "content_id", **_where("batch_id IS NULL")),
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


class InboundMessage(FirmScoped, Stamps, Base):
    """What somebody wrote to us. `client_ids`: whose address it is as far as messaging knew when it came, and then as
    `clients` says. `conversation_id` is null until it is filed."""

    __tablename__ = "inbound_message"
    __table_args__ = (
        UniqueConstraint("firm_id", "provider", "provider_id"),
        Index("ix_inbound_message_sender", "firm_id", "sender", "created_at"),
        Index("ix_inbound_message_client", "firm_id", "client_id", "created_at"),
        Index("ix_inbound_message_conversation", "firm_id", "conversation_id", "created_at"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(String(30))
    provider_id: Mapped[str] = mapped_column(String(120))
    channel: Mapped[str] = mapped_column(String(10))
    sender: Mapped[str] = mapped_column(String(320))
    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str | None] = mapped_column(String(998))
    body: Mapped[str] = mapped_column(Text)
    effect: Mapped[str] = mapped_column(String(20))
    rule: Mapped[str] = mapped_column(String(60))
    client_id: Mapped[str | None] = mapped_column(Id)
    client_ids: Mapped[list[str]] = mapped_column(Json)
    conversation_id: Mapped[str | None] = mapped_column(Id)


class InboundMedia(FirmScoped, Stamps, Base):
    """A picture or file that came with a message. `state`: waiting → stored, refused or failed; `due_at` is when it is
    to be fetched from `url` (next), null when it is not."""

    __tablename__ = "inbound_media"
    __table_args__ = (
        UniqueConstraint("firm_id", "message_id", "position"),
        Index("ix_inbound_media_due_at", "due_at", **_where("due_at IS NOT NULL")),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    message_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    provider: Mapped[str] = mapped_column(String(30))
    url: Mapped[str | None] = mapped_column(Text)
    filename: Mapped[str | None] = mapped_column(String(255))
    content_type: Mapped[str | None] = mapped_column(String(120))
    size: Mapped[int | None] = mapped_column(Integer)
    file_key: Mapped[str | None] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    reason: Mapped[str | None] = mapped_column(String(60))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[dt.datetime | None]

    def settle(self, now: dt.datetime, *, state: str, **values: Any) -> None:
        """It is stored, refused or failed, and nothing more is tried. `values`: what is known of it by then."""
        self.state, self.due_at = state, None
        for name, value in values.items():
            setattr(self, name, value)
        self.touch(now)


class ProviderEvent(Base):
    """A provider's notification that was applied: its id, with the firm's or the call's after it, counts once. It
    belongs to the installation, whose provider it is."""

    __tablename__ = "provider_event"
    __table_args__ = (Index("ix_provider_event_at", "at"),)
    provider: Mapped[str] = mapped_column(String(30), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(160), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class Conversation(FirmScoped, Stamps, Base):
    """What was said with one client over all channels, or with an address that belongs to several clients or to none.
    `unread`: inbound messages since a person looked. `last_message_at` is null where all of it was assigned to a
    client's own."""

    __tablename__ = "conversation"
    __table_args__ = (
        Index("uq_conversation_client", "firm_id", "client_id", unique=True, **_where("client_id IS NOT NULL")),
        Index(
            "uq_conversation_address",
            "firm_id",
            "channel",
            "address",
            unique=True,
            **_where("client_id IS NULL AND address IS NOT NULL"),
        ),
        Index("ix_conversation_last_message_at", "firm_id", "last_message_at", "id"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="open")
    client_id: Mapped[str | None] = mapped_column(Id)
    channel: Mapped[str | None] = mapped_column(String(10))
    address: Mapped[str | None] = mapped_column(String(320))
    assigned_staff_id: Mapped[str | None] = mapped_column(Id)
    unread: Mapped[int] = mapped_column(Integer, default=0)
    last_message_at: Mapped[dt.datetime | None]
    last_direction: Mapped[str | None] = mapped_column(String(10))
    preview: Mapped[str | None] = mapped_column(String(200))

    def hear(self, at: dt.datetime, preview: str | None, now: dt.datetime) -> None:
        """Something came in: there is something to read, and a closed conversation is open again."""
        self.unread += 1
        self.state = "open"
        self.show_last(at, "inbound", preview)
        self.touch(now)

    def say(self, at: dt.datetime, preview: str | None, now: dt.datetime) -> None:
        """Something goes out."""
        self.show_last(at, "outbound", preview)
        self.touch(now)

    def show_last(self, at: dt.datetime, direction: str | None, preview: str | None) -> None:
        """Shows a message as the last one, unless a later one is shown: they are filed in any order."""
        if self.last_message_at is None or at >= self.last_message_at:
            self.last_message_at, self.last_direction, self.preview = at, direction, preview

    def take_over(self, other: Conversation, now: dt.datetime) -> None:
        """Takes what the other one holds, which is empty afterwards."""
        if other.last_message_at is None:
            return
        self.show_last(other.last_message_at, other.last_direction, other.preview)
        self.unread += other.unread
        self.state = "open" if "open" in (self.state, other.state) else "closed"
        self.assigned_staff_id = self.assigned_staff_id or other.assigned_staff_id
        other.unread, other.state = 0, "closed"
        other.last_message_at = other.last_direction = other.preview = None
        self.touch(now)
        other.touch(now)


class ConversationClient(FirmScoped, Base):
    """One of the clients whose shared address a conversation is with, as `clients` said when its last message came."""

    __tablename__ = "conversation_client"
    __table_args__ = (Index("ix_conversation_client_firm_id_client_id", "firm_id", "client_id"),)
    firm_id: Mapped[str] = mapped_column(Id, primary_key=True)
    conversation_id: Mapped[str] = mapped_column(Id, primary_key=True)
    client_id: Mapped[str] = mapped_column(Id, primary_key=True)


class LogEntry(FirmScoped, Stamps, Base):
    """What staff wrote down about a call or a meeting."""

    __tablename__ = "log_entry"
    __table_args__ = (Index("ix_log_entry_client", "firm_id", "client_id", "at"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    client_id: Mapped[str] = mapped_column(Id)
    case_id: Mapped[str | None] = mapped_column(Id)
    staff_id: Mapped[str | None] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(20))
    direction: Mapped[str | None] = mapped_column(String(10))
    at: Mapped[dt.datetime]
    minutes: Mapped[int | None] = mapped_column(Integer)
    subject: Mapped[str | None] = mapped_column(String(300))
    notes: Mapped[str] = mapped_column(Text)
    participants: Mapped[list[str]] = mapped_column(Json, default=list)


class Notice(FirmScoped, Stamps, Base):
    """Something a staff member should know. `once` keeps the same from being told twice."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("firm_id", "staff_id", "once"),
        Index("ix_notice_staff", "firm_id", "staff_id", "created_at"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    staff_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(60))
    title: Mapped[str] = mapped_column(String(300))
    about: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    once: Mapped[str | None] = mapped_column(String(120))
    read_at: Mapped[dt.datetime | None]


class ClientMerge(RedirectRow, Base):
    """A client that was merged into another one."""

    __tablename__ = "client_merge"


class ClientMergeMove(MovedRow, Base):
    """A row that became the survivor's."""

    __tablename__ = "client_merge_move"


class SandboxMessage(Base):
    """The sandbox provider's own record: every request it accepted, never deduplicated, and every reply of a person.

    It belongs to the stand-in for a provider, not to a firm. `address` is the person's side, whoever wrote.
    `delivery_token` came with the request. `status` moves queued → sent → delivered; `outcome` (delivered or bounced)
    is what the next status callback will say, and `announce_at` when it is due, null when none is."""

    __tablename__ = "sandbox_message"
    __table_args__ = (
        Index("ix_sandbox_message_at", "at", "id"),
        Index("ix_sandbox_message_address", "address", "at", "id"),
        Index("ix_sandbox_message_token", "delivery_token"),
        Index("ix_sandbox_message_announce_at", "announce_at", **_where("announce_at IS NOT NULL")),
    )
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(default=utc_now)
    direction: Mapped[str] = mapped_column(String(10))
    channel: Mapped[str] = mapped_column(String(10))
    sender: Mapped[str] = mapped_column(String(320))
    recipient: Mapped[str] = mapped_column(String(320))
    address: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str | None] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    headers: Mapped[dict[str, str] | None] = mapped_column(Json)
    status: Mapped[str | None] = mapped_column(String(40))
    delivery_token: Mapped[str | None] = mapped_column(String(120))
    callback_url: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(20), default="delivered", server_default="delivered")
    announce_at: Mapped[dt.datetime | None]
    announcements: Mapped[int] = mapped_column(Integer, default=0)


class SandboxAddress(Base):
    """How a phone or inbox of the sandbox takes what is sent to it. One without a row is normal."""

    __tablename__ = "sandbox_address"
    address: Mapped[str] = mapped_column(String(320), primary_key=True)
    behaviour: Mapped[str] = mapped_column(String(20))
    seconds: Mapped[float] = mapped_column(Float, default=30.0)
