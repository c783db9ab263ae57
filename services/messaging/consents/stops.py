"""What a STOP from an address ends, and what a START from it opens again.

By default a STOP ends what comes to that address on that channel. Where the firm's scope is all channels, the same
commit also opts the clients of the address out of the other channels, and a telephone number out of both texts and
calls; one to a number from which only calls go out does the latter in any scope. A START opens the address, and of the
rest only what a STOP of this address closed and about which nobody said anything since: those rows go back to what they
were.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.unit_of_work import UnitOfWork
from contracts.messaging import CONSENT_CHANNELS
from services.messaging import consent
from services.messaging.consent import OPTED_IN, OPTED_OUT, Change, Key, Restored, States
from services.messaging.firm_rules import stops_all_channels
from services.messaging.models import ConsentEntry, ConsentState, InboundMessage

Record = dict[str, Any]

_NUMBER_CHANNELS = ("phone", "sms")
_OF_THE_ADDRESS = ("confirms", "doubtful", "before")
"""Evidence of an opt-out that says how it relates to others of the same address."""


@dataclass(frozen=True)
class Speaker:
    """Who says stop or start: an address on a channel, and the clients whose address it is as far as known. `called`:
    it is called from the number that it has written to, and never written to from there. `forgotten`: whose address it
    was is erased."""

    channel: str
    address: str
    client_ids: Sequence[str] = ()
    called: bool = False
    forgotten: bool = False

    @property
    def key(self) -> Key:
        """The row of the address."""
        return self.channel, consent.address_key(self.address)

    @property
    def client_id(self) -> str | None:
        """The client, if there is exactly one."""
        return self.client_ids[0] if len(self.client_ids) == 1 else None

    def change(self, state: str, source: str, evidence: Record, restores: Restored | None = None) -> Change:
        """What it says about itself."""
        return Change(
            self.channel,
            state,
            source,
            evidence,
            address=self.address,
            client_id=self.client_id,
            client_ids=self.client_ids,
            restores=restores,
            forgotten=self.forgotten,
        )


def hold(uow: UnitOfWork, *speakers: Speaker, widely: bool) -> States:
    """Creates and holds, to the commit, the rows that these addresses' words may change; of two messages from one phone
    the second then sees what the first did. `widely`: those on other channels, too. All at once and in key order, as
    those who send take them."""
    keys = [key for one in speakers for key in (one.key, *_elsewhere(one, widely))]
    return consent.hold_rows(uow, keys)


@dataclass(frozen=True)
class Stopped:
    """`fresh`: the address was not opted out until then. `before`: what it said before this, or before the doubtful
    word that it follows."""

    fresh: bool
    before: str | None


def record_stop(
    uow: UnitOfWork,
    speaker: Speaker,
    *,
    source: str,
    evidence: Record,
    at: dt.datetime,
    states: States | None = None,
    widely: bool | None = None,
    doubtful: bool = False,
    said_at: dt.datetime | None = None,
) -> Stopped | None:
    """Opts the address out, and by the firm's scope the rest. None: it was opted out for sure already, and the same
    again adds nothing; what was only taken for an opt-out is confirmed by an entry of its own.

    `states`: what `hold` gave, if the rows are held. `widely`: the firm's scope, if it is known. `doubtful`: a person
    will look at it. `said_at`: when at the latest it was said, where we hear of it afterwards: what the address said
    since then stands.
    """
    if widely is None:
        widely = stops_all_channels(uow.session)
    if states is None:
        states = hold(uow, speaker, widely=widely)
    before = states.get(speaker.key)
    earlier = entry_behind(uow.session, speaker) if before in (OPTED_IN, OPTED_OUT) else None
    fresh = before != OPTED_OUT
    if earlier is not None and _stands(earlier, said_at):
        if speaker.called and earlier.state == OPTED_OUT:
            consent.record_changes(uow, _widened(speaker, earlier.id, source, evidence, states, widely=widely), at)
        return None
    proof = dict(evidence)
    if earlier is not None and not fresh:
        before = earlier.evidence.get("before")
        proof["confirms"] = _root(earlier)
    if doubtful:
        proof |= {"doubtful": True, "before": before}
    stop = speaker.change(OPTED_OUT, source, proof)
    wider = _widened(speaker, stop.id, source, evidence, states, widely=widely)
    consent.record_changes(uow, [stop, *wider], at)
    return Stopped(fresh, before)


def _stands(earlier: ConsentEntry, said_at: dt.datetime | None) -> bool:
    """Whether what is in force needs no stop to be added: it is one for sure, or a start that came after the stop."""
    if earlier.state == OPTED_OUT:
        return not earlier.evidence.get("doubtful")
    return said_at is not None and earlier.at > said_at


def record_start(
    uow: UnitOfWork,
    speaker: Speaker,
    *,
    source: str,
    evidence: Record,
    at: dt.datetime,
    states: States,
    restores: Restored | None = None,
) -> bool:
    """Opts the address in, and undoes what its own STOP closed elsewhere; returns whether it was not opted in already.
    `states`: what `hold` gave, widely. `restores`: the opt-out was a mistake, and no opt-in is made of it."""
    if states.get(speaker.key) == OPTED_IN:
        return False
    start = speaker.change(OPTED_IN, source, evidence, restores)
    consent.record_changes(uow, [start, *_undone(uow.session, speaker, source, evidence)], at)
    return True


def entry_behind(session: Session, speaker: Speaker) -> ConsentEntry | None:
    """The entry that the address's state comes from."""
    return _entries_behind(session, [speaker.key]).get(speaker.key)


def _elsewhere(speaker: Speaker, widely: bool) -> list[Key]:
    """The rows on other channels that a STOP closes as well."""
    others = [channel for channel in CONSENT_CHANNELS if channel != speaker.channel]
    clients = speaker.client_ids if widely else ()
    keys = [(channel, consent.client_key(client_id)) for channel in others for client_id in clients]
    if speaker.channel in _NUMBER_CHANNELS and (widely or speaker.called):
        keys += [(channel, consent.address_key(speaker.address)) for channel in others if channel in _NUMBER_CHANNELS]
    return keys


def _widened(
    speaker: Speaker, stop_id: str, source: str, evidence: Record, states: States, *, widely: bool
) -> list[Change]:
    """What the stop with this id closes elsewhere. Each says what it was closed by and what was said before."""
    changes = []
    for channel, key in _elsewhere(speaker, widely):
        before = states.get((channel, key))
        if before != OPTED_OUT:
            proof = {**evidence, "address": speaker.address, "closed_by": stop_id, "before": before}
            changes.append(_of_row(speaker, channel, key, OPTED_OUT, source, proof))
    return changes


def _undone(session: Session, speaker: Speaker, source: str, evidence: Record) -> list[Change]:
    keys = [speaker.key, *_elsewhere(speaker, widely=True)]
    entries = _entries_behind(session, keys)
    stop = entries.get(speaker.key)
    changes = []
    for channel, key in keys[1:]:
        entry = entries.get((channel, key))
        if stop is None or entry is None or entry.evidence.get("closed_by") not in (stop.id, _root(stop)):
            continue
        restored = Restored(entry.evidence.get("before"))
        proof = {**evidence, "address": speaker.address, "undoes": entry.id}
        changes.append(_of_row(speaker, channel, key, OPTED_IN, source, proof, restored))
    return changes


def _root(stop: ConsentEntry) -> str:
    """The first of the opt-outs that each confirm the one before."""
    return str(stop.evidence.get("confirms") or stop.id)


def _of_row(
    speaker: Speaker,
    channel: str,
    key: str,
    state: str,
    source: str,
    evidence: Record,
    restores: Restored | None = None,
) -> Change:
    # Of addresses there is but the speaker's own, and its key says nothing about it.
    client_id = key.removeprefix(consent.client_key(""))
    subject: Record = {"address": speaker.address} if client_id == key else {"client_id": client_id}
    return Change(channel, state, source, evidence, **subject, restores=restores)


def _entries_behind(session: Session, keys: Sequence[Key]) -> dict[Key, ConsentEntry]:
    """The entry that each row's state comes from."""
    wanted = set(keys)
    statement = (
        select(ConsentState.channel, ConsentState.key, ConsentEntry)
        .join(ConsentEntry, ConsentEntry.id == ConsentState.entry_id)
        .where(ConsentState.key.in_(sorted({key for _, key in wanted})))
    )
    rows = session.execute(statement).all()
    return {(channel, key): entry for channel, key, entry in rows if (channel, key) in wanted}


def widen(uow: UnitOfWork, message: InboundMessage, owners: Sequence[str], now: dt.datetime) -> None:
    """Where a STOP ends all channels: also for the `owners` of its address, according to `clients`, whom messaging has
    never written to there. The STOP itself waited for no other service."""
    if message.effect != OPTED_OUT or not stops_all_channels(uow.session):
        return
    speaker = Speaker(message.channel, message.sender, sorted({*owners, *message.client_ids}))
    states = hold(uow, speaker, widely=True)
    stop = entry_behind(uow.session, speaker)
    if stop is None or stop.state != OPTED_OUT or stop.evidence.get("message_id") != message.id:
        return
    proof = {name: value for name, value in stop.evidence.items() if name not in _OF_THE_ADDRESS}
    consent.record_changes(uow, _widened(speaker, stop.id, stop.source, proof, states, widely=True), now)
