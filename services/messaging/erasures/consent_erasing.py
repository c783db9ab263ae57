"""What of consent outlives a person who is erased: that an address said stop, and nothing else.

The projection knows addresses by their keyed hash only and stays as it is: a text to the number is still refused, also
to who has it next. Of the ledger the entry stays that proves it, with the hash in the address's place and without a
word that was said. Opt-ins go: who comes back says so anew.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, or_, select, update

from chassis.columns import new_id
from chassis.database import UnitOfWork
from chassis.value_sets import among
from services.messaging import consent
from services.messaging.address_keys import hashed
from services.messaging.consent import OPTED_IN, OPTED_OUT, UNREACHABLE, Key
from services.messaging.models import ConsentEntry, ConsentReview, ConsentState

_QUIET = {"synchronize_session": False}
_PROOF = frozenset(
    {
        "actor_id", "before", "closed_by", "code", "confirms", "delivery_id", "doubtful", "kind", "message_id",
        "provider", "provider_id", "rule", "said_at", "undoes",
    }
)  # fmt: skip
"""Evidence that names no person: ids, instants and words of ours."""
_CHANNELS = {"numbers": ("sms", "phone"), "emails": ("email",)}


@dataclass
class Person:
    """Who is forgotten: every id, and every address that is nobody else's."""

    client_ids: list[str]
    numbers: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)

    def add(self, address: str) -> None:
        """One more address: an email address, or a number."""
        (self.emails if "@" in address else self.numbers).add(address.lower())

    def rows(self) -> list[Key]:
        """The rows of the addresses, on every channel that reaches them."""
        return [
            (channel, consent.address_key(address))
            for kind, channels in _CHANNELS.items()
            for address in getattr(self, kind)
            for channel in channels
        ]


def forget_consents(uow: UnitOfWork, people: Sequence[Person], now: dt.datetime) -> None:
    """Forgets what these people said, but for what proves their opt-outs. Done again, it changes nothing."""
    ids = [client_id for person in people for client_id in person.client_ids]
    addresses = sorted({address for person in people for address in (*person.numbers, *person.emails)})
    own = [(channel, consent.client_key(id_)) for id_ in ids for channel in ("sms", "email", "phone")]
    keys = [key for person in people for key in person.rows()]
    states = consent.read_states(uow.session, [*keys, *own], lock="update")
    _hand_on(uow, people, states, now)
    proofs = _proofs(uow, keys)
    theirs = or_(among(uow.session, ConsentEntry.client_id, ids), among(uow.session, ConsentEntry.address, addresses))
    _strip(uow, theirs, addresses, proofs)
    lifted = update(ConsentState).where(
        among(uow.session, ConsentState.key, {key for _, key in keys}), ConsentState.state == OPTED_IN
    )
    uow.session.execute(lifted.values(state=None, entry_id=None, updated_at=now), execution_options=_QUIET)
    of_clients = delete(ConsentState).where(among(uow.session, ConsentState.key, {key for _, key in own}))
    uow.session.execute(of_clients, execution_options=_QUIET)
    reviews = delete(ConsentReview).where(among(uow.session, ConsentReview.address, addresses))
    uow.session.execute(reviews, execution_options=_QUIET)


def _hand_on(uow: UnitOfWork, people: Iterable[Person], states: consent.States, now: dt.datetime) -> None:
    """Where the client itself had opted out of a channel, its addresses have from now on."""
    said = _said_by_clients(uow, [client_id for person in people for client_id in person.client_ids])
    entries, rows = [], {}
    for person in people:
        for channel, key in person.rows():
            by_client = next((said[channel, id_] for id_ in person.client_ids if (channel, id_) in said), None)
            if by_client is None or states.get((channel, key)) == OPTED_OUT:
                continue
            entry_id = new_id()
            entries.append(
                {
                    "id": entry_id,
                    "at": by_client.at,
                    "channel": channel,
                    "address_hash": key.partition(":")[2],
                    "state": OPTED_OUT,
                    "source": by_client.source,
                    "evidence": {"kind": "said_by_client", "before": states.get((channel, key))},
                    "rule_version": by_client.rule_version,
                }
            )
            rows[channel, key] = {
                "channel": channel, "key": key, "state": OPTED_OUT, "entry_id": entry_id, "updated_at": now
            }  # fmt: skip
    uow.insert(ConsentEntry, entries)
    ordered = [rows[key] for key in sorted(rows)]
    uow.upsert(ConsentState, ordered, key=("channel", "key"), change=("state", "entry_id", "updated_at"))


def _said_by_clients(uow: UnitOfWork, client_ids: Sequence[str]) -> dict[Key, Any]:
    """By channel and client: the entry by which the client itself is opted out."""
    by_key = {consent.client_key(client_id): client_id for client_id in client_ids}
    statement = (
        select(ConsentState.channel, ConsentState.key, ConsentEntry.at, ConsentEntry.source, ConsentEntry.rule_version)
        .join(ConsentEntry, ConsentEntry.id == ConsentState.entry_id)
        .where(among(uow.session, ConsentState.key, by_key), ConsentState.state == OPTED_OUT)
    )
    return {(row.channel, by_key[row.key]): row for row in uow.session.execute(statement)}


def _proofs(uow: UnitOfWork, keys: Iterable[Key]) -> set[str]:
    """The entries that opt-outs of these rows come from."""
    statement = select(ConsentState.entry_id).where(
        among(uow.session, ConsentState.key, {key for _, key in keys}),
        ConsentState.state.in_((OPTED_OUT, UNREACHABLE)),
        ConsentState.entry_id.is_not(None),
    )
    return {str(entry_id) for entry_id in uow.session.scalars(statement)}


def _strip(uow: UnitOfWork, theirs: Any, addresses: Collection[str], proofs: Collection[str]) -> None:
    """Deletes the entries that prove nothing any more, and takes words and addresses out of the others."""
    mine = set(addresses)
    gone, kept = [], []
    statement = select(ConsentEntry.id, ConsentEntry.address, ConsentEntry.client_id, ConsentEntry.evidence)
    for row in uow.session.execute(statement.where(theirs)):
        # What was said from an address that is somebody else's too is that one's proof.
        shared = row.address is not None and row.address not in mine
        if row.id not in proofs and not shared:
            gone.append(row.id)
            continue
        kept.append(
            {
                "id": row.id,
                "address": row.address if shared else None,
                "address_hash": hashed(row.address) if row.address and not shared else None,
                "client_id": None if shared else row.client_id,
                "evidence": {name: value for name, value in row.evidence.items() if name in _PROOF},
            }
        )
    deleted = delete(ConsentEntry).where(among(uow.session, ConsentEntry.id, gone))
    uow.session.execute(deleted, execution_options=_QUIET)
    # One that was stripped before has no address any more, and its hash stays.
    uow.update_each(ConsentEntry, [row for row in kept if row["address_hash"] is not None or row["address"]])
