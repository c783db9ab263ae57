"""Consent: the append-only ledger, its projection, and the one question that decides a send.

The projection has a row for each address and each client that a message was ever prepared for. A change of consent
updates these rows; a claim holds them `FOR SHARE` while it begins a call. So a call is begun either before the change
committed, or not at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, select
from sqlalchemy.orm import Session

from chassis.columns import new_id, utc_now
from chassis.scoping import EVERY_KIND
from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import Statement, among, among_parameter, made_once
from contracts.messaging import CONSENT_CHANGED
from services.messaging.address_keys import HASHED, hashed
from services.messaging.merges.merged_clients import merged_clients
from services.messaging.models import ConsentEntry, ConsentState, Delivery, InboundMessage
from services.messaging.words import RULE_VERSION

Record = dict[str, Any]
Key = tuple[str, str]
"""(channel, key of the address or client): the primary key of a consent row within its firm."""
States = Mapping[Key, str | None]

OPTED_IN, OPTED_OUT = "opted_in", "opted_out"
UNREACHABLE = "unreachable"
"""Of the projection only: the provider says that the address does not exist. The ledger has it as opted_out, with a
bounce as its evidence; what anybody says about the address afterwards replaces it."""


MOST_CLIENTS = 20
"""Clients of one address that are looked at."""


def address_key(address: str) -> str:
    """The key of an address: its keyed hash, so that the projection holds nobody's address (ADR 0019)."""
    return HASHED + hashed(address)


def client_key(client_id: str) -> str:
    """The key of a client."""
    return f"c:{client_id}"


def keys_of(channel: str, address: str | None, client_id: str | None) -> list[Key]:
    """The rows that decide about a message."""
    keys = [(channel, address_key(address))] if address else []
    return [*keys, (channel, client_key(client_id))] if client_id else keys


def block_reason(states: States, keys: Iterable[Key], *, needs_opt_in: bool) -> str | None:
    """Why a message may not be sent: opted_out if the address or the client has opted out, invalid_address if the
    address does not exist, no_consent if an opt-in is demanded and neither has opted in, else None."""
    said = [states.get(key) for key in keys]
    if OPTED_OUT in said:
        return OPTED_OUT
    if UNREACHABLE in said:
        return "invalid_address"
    if needs_opt_in and OPTED_IN not in said:
        return "no_consent"
    return None


def ensure_rows(uow: UnitOfWork, keys: Iterable[Key]) -> None:
    """Creates the consent rows that are not there yet, in key order: what a claim and a STOP will meet on."""
    rows = [{"channel": channel, "key": key, "state": None} for channel, key in sorted(set(keys))]
    uow.insert(ConsentState, rows, ignore_conflicts=True)


def hold_rows(uow: UnitOfWork, keys: Iterable[Key]) -> dict[Key, str | None]:
    """`ensure_rows` and `read_states` for an update, in one turn: the state of each row, held to the commit."""
    rows = [{"channel": channel, "key": key, "state": None} for channel, key in sorted(set(keys))]
    names = ("channel", "key")
    held = uow.upsert(ConsentState, rows, key=names, change=("channel",), returning=(*names, "state"))
    return {(row.channel, row.key): row.state for row in held}


def read_states(session: Session, keys: Iterable[Key], *, lock: str | None = None) -> dict[Key, str | None]:
    """The state of each row that exists. `lock`: "share" keeps them as they are until the commit, "update" also keeps
    others from sharing. Taken in key order, so that two transactions wait for each other and do not deadlock."""
    wanted = set(keys)
    if lock is None:
        # All channels by one statement, and what was not asked for left out.
        channels, texts = sorted({channel for channel, _ in wanted}), sorted({key for _, key in wanted})
        rows = session.execute(_states(session), {"channels": channels, "keys": texts}) if wanted else ()
        return {(channel, key): state for channel, key, state in rows if (channel, key) in wanted}
    by_channel: dict[str, set[str]] = {}
    for channel, key in wanted:
        by_channel.setdefault(channel, set()).add(key)
    statement = _held_states(session.get_bind().dialect.name, lock)
    return {
        (channel, key): state
        for channel, of_channel in sorted(by_channel.items())
        for key, state in session.execute(statement, {"channel": channel, "keys": sorted(of_channel)})
    }


@made_once
def _states(dialect: str) -> Statement:
    return select(ConsentState.channel, ConsentState.key, ConsentState.state).where(
        among_parameter(dialect, ConsentState.key, "keys"), among_parameter(dialect, ConsentState.channel, "channels")
    )


@cache
def _held_states(dialect: str, lock: str) -> Select[str, str | None]:
    # Made once: every claim runs it, and to make it takes as long as to run it.
    wanted = among_parameter(dialect, ConsentState.key, "keys")
    # In the order of `sorted`, whatever the database's own is: `hold_rows` takes them so.
    in_order = ConsentState.key.collate("C" if dialect == "postgresql" else "BINARY")
    statement = (
        select(ConsentState.key, ConsentState.state)
        .where(ConsentState.channel == bindparam("channel"), wanted)
        .order_by(in_order)
    )
    return statement.with_for_update(read=lock == "share")


@dataclass(frozen=True)
class Restored:
    """What a row said before: a state, or null if nothing was ever said."""

    state: str | None


@dataclass(frozen=True)
class Change:
    """One change of consent, of an address or else of a client. `client_ids`: whose address it is, as far as known.
    `restores`: instead of having `state` said of it, the row is as it was before a mistaken or a wider opt-out.
    `unreachable`: it is not that somebody said stop, but that the address does not exist. `forgotten`: whose address
    it was is erased, so that the ledger gets its hash alone."""

    channel: str
    state: str
    source: str
    evidence: Record
    address: str | None = None
    client_id: str | None = None
    client_ids: Sequence[str] = ()
    restores: Restored | None = None
    unreachable: bool = False
    forgotten: bool = False
    id: str = field(default_factory=new_id)

    @property
    def key(self) -> Key:
        """The row that it changes."""
        return self.channel, address_key(self.address) if self.address else client_key(str(self.client_id))

    @property
    def holds(self) -> str | None:
        """What it leaves in force: opted_in, opted_out, or nothing."""
        left = self.restores.state if self.restores else self.state
        return OPTED_OUT if left == UNREACHABLE else left


def record_changes(uow: UnitOfWork, changes: Sequence[Change], at: dt.datetime | None = None) -> None:
    """Appends to the ledger, sets the projections and emits a `consent.changed.v1` for each, set-based. Of several
    changes of one row the last one stands. An opt-out of a client that was merged into another is that one's, too."""
    now = at or utc_now()
    entries, rows = [], {}
    for change in changes:
        entries.append(
            {
                "id": change.id,
                "at": now,
                "channel": change.channel,
                "address": change.address.lower() if change.address and not change.forgotten else None,
                "address_hash": hashed(change.address) if change.address and change.forgotten else None,
                "client_id": change.client_id,
                "state": change.state,
                "source": change.source,
                "evidence": change.evidence,
                "rule_version": RULE_VERSION,
            }
        )
        channel, key = change.key
        state = change.restores.state if change.restores else UNREACHABLE if change.unreachable else change.state
        row = {"channel": channel, "key": key, "state": state, "entry_id": change.id, "updated_at": now}
        rows[change.key] = row
    uow.insert(ConsentEntry, entries)
    # In key order, as all that takes several of these rows: two transactions then wait for each other.
    ordered = [rows[key] for key in sorted(rows)]
    uow.upsert(ConsentState, ordered, key=("channel", "key"), change=("state", "entry_id", "updated_at"))
    uow.emit_many(CONSENT_CHANGED, [(change.id, _event_data(change)) for change in changes])
    stopped = [change for change in changes if change.address is None and change.holds == OPTED_OUT]
    if stopped:
        _pass_on(uow, stopped, now)


def _pass_on(uow: UnitOfWork, stopped: Sequence[Change], now: dt.datetime) -> None:
    """Gives what merged clients said to those who they are now. Their own rows are held by then: a merge that is heard
    of at the same time either has seen what was said, or is seen here."""
    merged = merged_clients.current(uow.session, [str(change.client_id) for change in stopped])
    said = {
        (change.channel, merged[change.client_id]): change.client_id for change in stopped if change.client_id in merged
    }
    if not said:
        return
    states = read_states(uow.session, [(channel, client_key(client_id)) for channel, client_id in said])
    passed = [
        Change(channel, OPTED_OUT, "merge", {"merged_client_id": merged_id}, client_id=client_id)
        for (channel, client_id), merged_id in sorted(said.items())
        if states.get((channel, client_key(client_id))) != OPTED_OUT
    ]
    record_changes(uow, passed, now)


def _event_data(change: Change) -> Record:
    whose = [*change.client_ids, *([change.client_id] if change.client_id else [])]
    return {
        "consent_id": change.id,
        "channel": change.channel,
        "state": change.state,
        "holds": change.holds,
        "source": change.source,
        "client_ids": list(dict.fromkeys(whose)),
    }


def owners_of_addresses(session: Session, addresses: Iterable[str]) -> dict[str, list[str]]:
    """By address: the clients whose it was when somebody last wrote from it, as filing found, where anybody has."""
    wanted = among(session, InboundMessage.sender, sorted(set(addresses)))
    last = (
        select(InboundMessage.sender, func.max(InboundMessage.created_at).label("at"))
        .where(wanted)
        .group_by(InboundMessage.sender)
        .subquery()
    )
    at_last = and_(InboundMessage.sender == last.c.sender, InboundMessage.created_at == last.c.at)
    statement = select(InboundMessage.sender, InboundMessage.client_ids).join(last, at_last)
    return {str(sender): list(client_ids) for sender, client_ids in session.execute(statement.where(wanted))}


def tell_owners(uow: UnitOfWork, message: InboundMessage, owners: Iterable[str]) -> None:
    """Tells once more what an inbound message said about consent, for those of its address's owners of whom messaging
    did not know when it came."""
    new = sorted(set(owners) - set(message.client_ids))
    if not new or message.effect not in (OPTED_IN, OPTED_OUT):
        return
    said = select(ConsentEntry).where(
        ConsentEntry.address == message.sender.lower(),
        ConsentEntry.channel == message.channel,
        ConsentEntry.at == message.created_at,
        ConsentEntry.evidence["message_id"].as_string() == message.id,
    )
    for entry in uow.session.scalars(said):
        change = Change(
            entry.channel, entry.state, entry.source, entry.evidence, address=entry.address, client_ids=new, id=entry.id
        )
        uow.emit(CONSENT_CHANGED, entry.id, _event_data(change))


PERSON = func.coalesce(Delivery.contact_id, Delivery.client_id)
"""Whose consent a delivery is about: a contact's own, or else the client's."""


def persons_of_address(session: Session, address: str) -> list[str]:
    """The clients that were written to at this address, and the contacts of business clients, as far as messaging
    knows: their ids. What a contact says is not the business's word."""
    statement = (
        select(PERSON)
        .where(Delivery.address == address, Delivery.client_id.is_not(None))
        .distinct()
        .limit(MOST_CLIENTS)
    )
    found = session.scalars(statement, execution_options=EVERY_KIND)
    return sorted(str(person_id) for person_id in found)
