"""Consent of clients that were merged: the strictest opt-out wins, and no undo loosens it.

An address keeps what was said from it, whoever has it. Of what was said of the clients themselves, the survivor takes
over an opt-out of the merged one; an opt-in it does not, for that is said anew where a firm demands one. After an undo
an opt-out of the survivor holds for both: nobody knows any more which of them said it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import select

from chassis.database import Database
from chassis.redirects import Redirect
from chassis.unit_of_work import UnitOfWork
from contracts.messaging import CONSENT_CHANNELS
from services.messaging import consent
from services.messaging.consent import OPTED_OUT, Change, Key
from services.messaging.models import ConsentEntry, ConsentState


def join_consents(db: Database, *, surviving_id: str, merged_id: str, now: dt.datetime) -> dict[str, list[str]]:
    """Asked before two clients become one, so that there is no moment in which the survivor is written to although the
    merged one said stop: {"opted_out": the channels of which the survivor has an opt-out since then}."""
    with db.unit_of_work() as uow:
        inherited = _tighten(uow, merged_id, surviving_id, {"merged_client_id": merged_id}, now)
        return uow.answer({"opted_out": inherited})


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
) -> list[str]:
    """Gives the opt-outs of one client to another; returns the channels of those that were new to it."""
    given, taking = consent.client_key(from_id), consent.client_key(to_id)
    stopped = [
        channel
        for (channel, _), state in sorted(
            consent.read_states(uow.session, [(channel, given) for channel in CONSENT_CHANNELS]).items()
        )
        if state == OPTED_OUT
    ]
    if not stopped:
        return []
    keys: list[Key] = [(channel, taking) for channel in stopped]
    states = consent.hold_rows(uow, keys)
    said_since = _said_since(uow, taking, since) if since is not None else set()
    new = [channel for channel, _ in keys if states[channel, taking] != OPTED_OUT and channel not in said_since]
    consent.record_changes(
        uow, [Change(channel, OPTED_OUT, "merge", evidence, client_id=to_id) for channel in new], now
    )
    return new


def _said_since(uow: UnitOfWork, key: str, since: dt.datetime) -> set[str]:
    """The channels of which a client said something later than that."""
    statement = (
        select(ConsentState.channel)
        .join(ConsentEntry, ConsentEntry.id == ConsentState.entry_id)
        .where(ConsentState.key == key, ConsentEntry.at > since)
    )
    return set(uow.session.scalars(statement))
