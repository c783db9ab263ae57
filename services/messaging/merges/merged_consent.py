"""Consent of clients that were merged: the strictest opt-out wins, and no undo loosens it.

What was said of the clients themselves, each takes over from the other where it is an opt-out; an opt-in it does not,
for that is said anew where a firm demands one. An address keeps what was said from it, whoever has it. But of a client
that could not be written to because its address had opted out, the survivor is opted out too: nobody who said stop is
written to because somebody found that they are known twice. After an undo an opt-out of the survivor holds for both:
nobody knows any more which of them said it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from sqlalchemy import select

from chassis.database import Database
from chassis.redirects import Redirect
from chassis.unit_of_work import UnitOfWork
from contracts.messaging import CONSENT_CHANNELS
from services.messaging import consent
from services.messaging.consent import OPTED_OUT, Change, Key, States
from services.messaging.models import ConsentEntry, ConsentState

Addresses = Mapping[str, Mapping[str, str | None]]
"""`contracts.messaging.ReachedOfBoth`"""


def join_consents(
    db: Database,
    *,
    surviving_id: str,
    merged_id: str,
    addresses: Addresses | None = None,
    dry_run: bool = False,
    now: dt.datetime,
) -> dict[str, list[str]]:
    """Asked before two clients become one, so that there is no moment in which the one is written to although the other
    said stop: {"opted_out": the channels of which the survivor has an opt-out since then, or would have}.

    The merged client takes over the survivor's, too: what waits for it may be sent until the merge is heard of.
    """
    own = {"surviving": consent.client_key(surviving_id), "merged": consent.client_key(merged_id)}
    at = _address_keys(addresses or {})
    keys: list[Key] = [(channel, key) for channel in CONSENT_CHANNELS for key in own.values()] + sorted(at.values())
    if dry_run:
        with db.read() as session:
            return {"opted_out": _to_surviving(consent.read_states(session, keys), own, at)}
    with db.unit_of_work() as uow:
        states = consent.hold_rows(uow, keys)
        inherited, returned = _to_surviving(states, own, at), _to_merged(states, own, at)
        changes = [
            Change(channel, OPTED_OUT, "merge", {"merged_client_id": merged_id}, client_id=surviving_id)
            for channel in inherited
        ] + [
            Change(channel, OPTED_OUT, "merge", {"surviving_client_id": surviving_id}, client_id=merged_id)
            for channel in returned
        ]
        consent.record_changes(uow, changes, now)
        # No answer is kept for a repeat of the request: what was said since the first time counts as well.
        return {"opted_out": inherited}


def _address_keys(addresses: Addresses) -> dict[tuple[str, str], Key]:
    """{(whose, channel): the consent row of the address}"""
    return {
        (whose, channel): (channel, consent.address_key(address))
        for whose, reached in addresses.items()
        for channel in CONSENT_CHANNELS
        if (address := reached.get(channel))
    }


def _to_surviving(states: States, own: Mapping[str, str], at: Mapping[tuple[str, str], Key]) -> list[str]:
    """The channels of which the survivor must be opted out and is not: those of which either cannot be written to now.
    Where its own address and the one that it will have both say so, nothing has to be added."""
    channels = []
    for channel in sorted(CONSENT_CHANNELS):
        said = {whose: states.get((channel, key)) == OPTED_OUT for whose, key in own.items()}
        closed = {whose for (whose, of), key in at.items() if of == channel and states.get(key) == OPTED_OUT}
        by_address = bool(closed & {"surviving", "merged"}) and not closed >= {"surviving", "joined"}
        if not said["surviving"] and (said["merged"] or by_address):
            channels.append(channel)
    return channels


def _to_merged(states: States, own: Mapping[str, str], at: Mapping[tuple[str, str], Key]) -> list[str]:
    """The channels of which the merged client must be opted out and is not."""
    channels = []
    for channel in sorted(CONSENT_CHANNELS):
        said = {whose: states.get((channel, key)) == OPTED_OUT for whose, key in own.items()}
        closed = {whose for (whose, of), key in at.items() if of == channel and states.get(key) == OPTED_OUT}
        by_address = "surviving" in closed and "merged" not in closed
        if not said["merged"] and (said["surviving"] or by_address):
            channels.append(channel)
    return channels


def join(uow: UnitOfWork, redirects: Iterable[Redirect], since: dt.datetime, now: dt.datetime) -> None:
    """The same when the merge is heard of. What the survivor said after it (`since`) stands."""
    for redirect in redirects:
        evidence = {"merge_id": redirect.cause_id, "merged_client_id": redirect.old_id}
        _tighten(uow, redirect.old_id, redirect.new_id, evidence, now, since=since)


def part(uow: UnitOfWork, redirect: Redirect, now: dt.datetime) -> None:
    """What the survivor opted out of, before or since, the client that is parted from it has opted out of as well."""
    evidence = {"undone_merge_id": redirect.cause_id, "surviving_client_id": redirect.new_id}
    _tighten(uow, redirect.new_id, redirect.old_id, evidence, now)


def _tighten(
    uow: UnitOfWork,
    from_id: str,
    to_id: str,
    evidence: dict[str, str],
    now: dt.datetime,
    *,
    since: dt.datetime | None = None,
) -> None:
    """Gives the opt-outs of one client to another. Both are held: what is just being said of the one waits, and then
    knows of the merge."""
    given, taking = consent.client_key(from_id), consent.client_key(to_id)
    states = consent.hold_rows(uow, [(channel, key) for channel in CONSENT_CHANNELS for key in (given, taking)])
    stopped = [channel for channel in sorted(CONSENT_CHANNELS) if states[channel, given] == OPTED_OUT]
    said_since = _said_since(uow, taking, since) if since is not None else set()
    new = [channel for channel in stopped if states[channel, taking] != OPTED_OUT and channel not in said_since]
    consent.record_changes(
        uow, [Change(channel, OPTED_OUT, "merge", evidence, client_id=to_id) for channel in new], now
    )


def _said_since(uow: UnitOfWork, key: str, since: dt.datetime) -> set[str]:
    """The channels of which a client said something later than that."""
    statement = (
        select(ConsentState.channel)
        .join(ConsentEntry, ConsentEntry.id == ConsentState.entry_id)
        .where(ConsentState.key == key, ConsentEntry.at > since)
    )
    return set(uow.session.scalars(statement))
