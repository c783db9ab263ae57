"""Rounds over what is left behind: calls of unknown fate, batches that are done, batches half cancelled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import eventlet

from chassis.context import Context, use
from chassis.database import Database
from chassis.telemetry import log_of, log_unexpected
from contracts.errors import DeadlineExceeded, Unavailable
from services.messaging import batches
from services.messaging.adapters.base import Finding, Provider
from services.messaging.dispatching import doubts
from services.messaging.dispatching.rounds import guarded

log = log_of(__name__)


def settle_round(db: Database, providers: Mapping[str, Provider], owner: str, now: Callable[[], dt.datetime]) -> bool:
    """Finds calls that nobody reported on, and asks providers about what is unknown. Returns whether there was any."""
    across = db.across_firms("a dispatcher settles the calls of every firm")
    moment = now()
    doubts.sweep_abandoned(across, moment, {name: provider.ask_after[0] for name, provider in providers.items()})
    reserved = doubts.reserve_doubts(across, owner, moment)
    groups: dict[tuple[str, str], list[doubts.Doubt]] = {}
    for doubt in reserved:
        groups.setdefault((doubt.firm_id, doubt.provider), []).append(doubt)
    for (firm_id, name), of_firm in groups.items():
        guarded(_settle, db.for_firm(firm_id), firm_id, providers.get(name), of_firm, owner, now)
    return bool(reserved)


def _settle(
    db: Database,
    firm_id: str,
    provider: Provider | None,
    of_firm: Sequence[doubts.Doubt],
    owner: str,
    now: Callable[[], dt.datetime],
) -> int:
    """Where the provider is not set up any more there is nobody to ask, and the day ends it."""
    found: list[tuple[doubts.Doubt, Finding]] = [(doubt, None) for doubt in of_firm]
    if provider is not None:
        asking = [(doubt, eventlet.spawn(_ask, provider, doubt)) for doubt in of_firm]
        found = [(doubt, question.wait()) for doubt, question in asking]
    with use(Context(firm_id=firm_id)):
        return _record(db, owner, found, now, provider.ask_after if provider else ())


def _record(
    db: Database,
    owner: str,
    found: Sequence[tuple[doubts.Doubt, Finding]],
    now: Callable[[], dt.datetime],
    pauses: Sequence[float],
) -> int:
    """Records what was found, and returns how much of it; if that is refused, in halves, so that a single bad finding
    leaves no other in doubt: it is taken for none, as without an answer."""
    try:
        doubts.settle(db, owner, found, now(), pauses)
    except (Unavailable, DeadlineExceeded):
        raise
    except Exception as error:
        if len(found) > 1:
            half = len(found) // 2
            return sum(guarded(_record, db, owner, part, now, pauses) for part in (found[:half], found[half:]))
        ((doubt, finding),) = found
        log_unexpected(log, error, event="finding_not_recorded")
        return _record(db, owner, [(doubt, None)], now, pauses) if finding is not None else 0
    return len(found)


def finish_round(db: Database) -> None:
    """Marks batches that are done, and sweeps what a cancel left: of a large batch, or where it was killed."""
    with db.across_firms("a dispatcher finishes the batches of every firm").read() as session:
        done = session.execute(batches.unfinished()).all()
        half = session.execute(batches.unswept()).all()
    for firm_id, batch_id in done:
        guarded(_finish, db, firm_id, batch_id)
    for firm_id, batch_id in half:
        guarded(_sweep, db, firm_id, batch_id)


def _finish(db: Database, firm_id: str, batch_id: str) -> int:
    with use(Context(firm_id=firm_id)):
        batches.finish_batch(db.for_firm(firm_id), batch_id)
    return 1


def _sweep(db: Database, firm_id: str, batch_id: str) -> int:
    with use(Context(firm_id=firm_id)):
        return batches.sweep_cancelled(db.for_firm(firm_id), batch_id)


def _ask(provider: Provider, doubt: doubts.Doubt) -> Finding:
    try:
        with eventlet.Timeout(doubts.ASKING_FOR.total_seconds() / 2):
            return provider.find(doubt.question)
    except eventlet.Timeout:
        return None
    except Exception as error:
        # What one provider says of one message must not leave all others in doubt.
        log_unexpected(log, error, event="provider_not_asked", provider=provider.name)
        return None
