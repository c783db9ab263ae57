"""What came of calls to providers: recorded in sets, and settled for those whose fate is unknown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from chassis.value_sets import among
from services.messaging import consent
from services.messaging.adapters.base import Accepted, Called, Deferred, NotBegun, Refused, Result, Unknown
from services.messaging.adapters.codes import Meaning, meaning_of
from services.messaging.consents import stops
from services.messaging.deliveries import ITS_CALL, SETTLED, STATUSES, may_follow, move, move_each
from services.messaging.dispatching import not_begun, postponing, prices
from services.messaging.dispatching.doorbell import ring
from services.messaging.firm_rules import stops_all_channels
from services.messaging.models import Attempt, Delivery
from services.messaging.setwise import update_rows


def record(db: Database, called: Sequence[Called], now: dt.datetime, *, provider: str, ask_after: float) -> None:
    """Records calls of one firm to one provider. `ask_after`: seconds until it is asked about what is unknown."""
    with db.unit_of_work() as uow:
        late = [item for item in called if isinstance(item.result, NotBegun)]
        if late:
            not_begun.give_back(uow, late, provider, now)
            uow.after_commit(lambda: ring(db.url))
            called = [item for item in called if item not in late]
        _record_opt_outs(uow, called, now)
        _record_accepted(uow, [item for item in called if isinstance(item.result, Accepted)], provider, now)
        later = [item for item in called if postponing.postpones(item)]
        refused = [item for item in called if isinstance(item.result, Refused) and item not in later]
        _record_refused(uow, refused, now)
        if later:
            postponing.postpone(uow, later, provider, now)
        unknown = [item.key for item in called if isinstance(item.result, Unknown)]
        if unknown:
            move_each(uow, "unknown", now, unknown, key=ITS_CALL, due_at=now + dt.timedelta(seconds=ask_after))
        update_rows(
            uow.session,
            Attempt,
            [{"delivery_id": item.delivery_id, "number": item.number, **_attempt(item.result)} for item in called],
            key=("delivery_id", "number"),
            also={"ended_at": now},
        )


def _attempt(result: Result) -> dict[str, Any]:
    if isinstance(result, Accepted):
        return {"outcome": "sent", "provider_id": result.provider_id, "code": None}
    if isinstance(result, Refused):
        outcome = "deferred" if meaning_of(result.code).postpones else "refused"
        return {"outcome": outcome, "provider_id": None, "code": result.code}
    if isinstance(result, Unknown):
        return {"outcome": "unknown", "provider_id": None, "code": result.code}
    return {
        "outcome": "deferred" if isinstance(result, Deferred) else "not_connected",
        "provider_id": None,
        "code": None,
    }


def _record_accepted(uow: UnitOfWork, items: Sequence[Called], provider: str, now: dt.datetime) -> None:
    rows = [
        {
            "id": item.delivery_id,
            "provider_id": item.result.provider_id,
            "provider_status": item.result.status,
            "provider_segments": item.result.segments,
            "price": item.result.price,
            "currency": item.result.currency,
            **prices.due_after_acceptance(provider, now, item.result.price),
        }
        for item in items
        if isinstance(item.result, Accepted)
    ]
    # Whichever call it was, the message was taken. One that has the same id by now was dropped since: it waits again.
    ids = [str(row["provider_id"]) for row in rows]
    unheard_of = or_(Delivery.provider_id.is_(None), ~among(uow.session, Delivery.provider_id, ids))
    moved = set(move_each(uow, "sent", now, rows, where=[unheard_of], sent_at=now))
    # A callback that came before us has moved these further: only what it did not know is added.
    overtaken = [
        {**item.key, "provider_id": item.result.provider_id, "sent_at": now}
        for item in items
        if isinstance(item.result, Accepted) and item.delivery_id not in moved
    ]
    update_rows(
        uow.session, Delivery, overtaken, key=ITS_CALL, where=(Delivery.sent_at.is_(None), Delivery.state.in_(SETTLED))
    )


def _record_refused(uow: UnitOfWork, items: Sequence[Called], now: dt.datetime) -> None:
    by_outcome: dict[tuple[str, str], list[Called]] = {}
    for item in items:
        assert isinstance(item.result, Refused)
        by_outcome.setdefault(_refusal(item.result.code), []).append(item)
    for (state, reason), refused in sorted(by_outcome.items(), key=lambda outcome: outcome[0]):
        open_ = (Delivery.state.in_(("sending", "unknown")),)
        move_each(uow, state, now, [item.key for item in refused], where=open_, key=ITS_CALL, reason=reason)


def _refusal(code: str) -> tuple[str, str]:
    """(state, reason) of a message that the provider refused."""
    meaning = meaning_of(code)
    if meaning is Meaning.OPTED_OUT:
        return "suppressed", "opted_out"
    if meaning is Meaning.BAD_ADDRESS:
        return "suppressed", "invalid_address"
    return "failed", code[:60]


def _record_opt_outs(uow: UnitOfWork, called: Sequence[Called], now: dt.datetime) -> None:
    refused = [
        (item, item.result.code)
        for item in called
        if isinstance(item.result, Refused) and meaning_of(item.result.code) is Meaning.OPTED_OUT
    ]
    if not refused:
        return
    begun = _begun_at(uow.session, [item for item, _ in refused])
    said_at = {item: begun.get((item.delivery_id, item.number), now) for item, _ in refused}
    latest = {(item.channel, item.address): (item, code) for item, code in sorted(refused, key=lambda r: said_at[r[0]])}
    speakers = {
        why: stops.Speaker(channel, address, consent.persons_of_address(uow.session, address))
        for (channel, address), why in latest.items()
    }
    states = stops.hold(uow, *speakers.values(), widely=stops_all_channels(uow.session))
    for (item, code), speaker in speakers.items():
        evidence = {"delivery_id": item.delivery_id, "code": code}
        # Where it is recorded late, a start may have come since.
        at = said_at[item]
        stops.record_stop(uow, speaker, source="provider", evidence=evidence, at=now, said_at=at, states=states)


def _begun_at(session: Session, items: Sequence[Called]) -> dict[tuple[str, int], dt.datetime]:
    """When the calls began, by delivery and number."""
    ids = {item.delivery_id for item in items}
    columns = (Attempt.delivery_id, Attempt.number, Attempt.begun_at)
    rows = session.execute(select(*columns).where(among(session, Attempt.delivery_id, ids)))
    return {(row.delivery_id, row.number): row.begun_at for row in rows}


# Status callbacks


def record_status(
    db: Database,
    *,
    provider_id: str,
    status: str,
    error_code: str | None,
    delivery_id: str,
    now: dt.datetime,
    figures: Mapping[str, Any] | None = None,
) -> bool:
    """Applies a provider's word on a delivery, unless it is older than what is known. Returns whether it did.
    `figures`: the provider's own, by the names of a delivery's attributes; None where it gave none."""
    with db.unit_of_work() as uow:
        return apply_status(
            uow,
            provider_id=provider_id,
            status=status,
            error_code=error_code,
            delivery_id=delivery_id,
            now=now,
            figures=figures,
        )


def apply_status(
    uow: UnitOfWork,
    *,
    provider_id: str,
    status: str,
    error_code: str | None,
    delivery_id: str,
    now: dt.datetime,
    figures: Mapping[str, Any] | None = None,
) -> bool:
    """`record_status`, in a transaction that does more."""
    delivery = uow.session.scalars(select(Delivery).where(Delivery.id == delivery_id).with_for_update()).one_or_none()
    if delivery is None:
        return False
    before, known_id = delivery.provider_status, delivery.provider_id
    if known_id not in (None, provider_id):
        if _is_earlier(uow, delivery_id, provider_id):
            return False
        before, known_id = None, None
    if not may_follow(status, before):
        return False
    meaning = meaning_of(error_code)
    if meaning is Meaning.OPTED_OUT and delivery.address:
        # The provider's own refusal is what it is: the person has said stop, to the provider.
        client_ids = consent.persons_of_address(uow.session, delivery.address)
        speaker = stops.Speaker(delivery.channel, delivery.address, client_ids)
        evidence = {"delivery_id": delivery_id, "code": error_code, "provider_id": provider_id}
        stops.record_stop(uow, speaker, source="provider", evidence=evidence, at=now, said_at=delivery.begun_at)
    state, reason = STATUSES[status].state, None
    if state in ("failed", "undelivered"):
        reason = (error_code or status.replace("-", "_"))[:60]
        if meaning is Meaning.OPTED_OUT:
            state, reason = "failed", "opted_out"
        elif error_code is not None and postponing.may_be_sent_again(delivery, error_code):
            said = {"status": status, "code": error_code, "provider_id": provider_id}
            return postponing.send_again(uow, delivery, now=now, **said)
    changes: dict[str, Any] = {"provider_status": status, "provider_id": known_id or provider_id}
    changes |= {name: value for name, value in (figures or {}).items() if value is not None}
    if delivery.sent_at is None and state in ("sent", "delivered"):
        changes["sent_at"] = now
    if delivery.state == state:
        return bool(update_rows(uow.session, Delivery, [{"id": delivery_id, **changes}], returning=[Delivery.id]))
    changes |= prices.due_after(state, now, changes.get("price"))
    return bool(move(uow, state, now, where=[Delivery.id == delivery_id], reason=reason, **changes))


def _is_earlier(uow: UnitOfWork, delivery_id: str, provider_id: str) -> bool:
    """Whether a provider's id is that of an attempt that another one has followed."""
    of_attempt = select(Attempt.number).where(Attempt.delivery_id == delivery_id, Attempt.provider_id == provider_id)
    return uow.session.scalar(of_attempt.limit(1)) is not None
