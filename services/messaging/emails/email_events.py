"""What becomes of an email after it was sent, as its provider says: delivered, bounced, complained about.

A complaint takes the address off email. So does a hard bounce: the ledger has both as an opt-out by the provider, but a
later message to an address that does not exist is suppressed as `invalid_address`, not as `opted_out`. A soft bounce
says nothing about the address.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from email.utils import parseaddr
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.columns import utc_now
from chassis.database import Database
from chassis.unit_of_work import UnitOfWork
from services.messaging import consent
from services.messaging.consents import stops
from services.messaging.dispatching.results import apply_status
from services.messaging.models import Delivery, ProviderEvent, Sender
from services.messaging.statuses import as_delivery_id

Record = dict[str, Any]

KEPT = dt.timedelta(days=40)
"""How long an event is known again. The gateway takes no notification that is older than 30 days."""
_STATUSES = {"sent": "sent", "delivered": "delivered", "complained": "complained", "rejected": "rejected"}


@dataclass(frozen=True)
class _Meant:
    """What an event means for one firm: the addresses that end here with the other side's code, and the delivery with
    its new status where it is known. `erased`: it has no address any more."""

    firm_id: str
    ended: dict[str, str | None]
    delivery_id: str | None = None
    status: str | None = None
    erased: bool = False


def record_email_event(
    db: Database,
    *,
    provider: str,
    event_id: str,
    kind: str,
    provider_id: str,
    token: str | None = None,
    recipients: Sequence[Record] = (),
    at: dt.datetime | None = None,
    now: dt.datetime | None = None,
) -> Record:
    """{"applied"}: false for a repeat and for what says nothing new. Where the delivery is not known, a complaint and a
    hard bounce still count for the address, with every firm that wrote to it."""
    now = now or utc_now()
    evidence = {"kind": kind, "provider": provider, "provider_id": provider_id, "said_at": (at or now).isoformat()}
    code = next((entry.get("code") for entry in recipients), None)
    applied = False
    for meant in _who_is_meant(db, kind, as_delivery_id(token), recipients):
        with db.for_firm(meant.firm_id).unit_of_work() as uow:
            mark = {"provider": provider, "event_id": f"{event_id}:{meant.firm_id}", "at": now}
            if not uow.insert(ProviderEvent, [mark], ignore_conflicts=True):
                continue
            proof = evidence if meant.delivery_id is None else {**evidence, "delivery_id": meant.delivery_id}
            # Consent first, as in a claim: two that want the same rows wait for each other, and do not deadlock.
            for address, said in sorted(meant.ended.items()):
                applied |= _end(uow, kind, address, {**proof, "code": said}, now, erased=meant.erased)
            if meant.delivery_id is not None and meant.status is not None:
                applied |= apply_status(
                    uow,
                    provider_id=provider_id,
                    status=meant.status,
                    error_code=code,
                    delivery_id=meant.delivery_id,
                    now=now,
                )
    return {"applied": applied}


def forget_old_events(db: Database, now: dt.datetime) -> bool:
    """Deletes the marks of events that no notification can repeat any more. Returns False: it is done."""
    with db.across_firms("events belong to the installation").unit_of_work() as uow:
        uow.session.execute(delete(ProviderEvent).where(ProviderEvent.at < now - KEPT))
    return False


def _who_is_meant(db: Database, kind: str, delivery_id: str | None, recipients: Sequence[Record]) -> list[_Meant]:
    ended = {entry["address"].strip().lower(): entry.get("code") for entry in recipients if _ends(kind, entry)}
    with db.across_firms("a notification names its delivery, and the delivery its firm").read() as session:
        statement = select(Delivery.firm_id, Delivery.address).where(Delivery.id == delivery_id)
        known = session.execute(statement).one_or_none() if delivery_id else None
        if known is None:
            return [_Meant(firm_id, ended) for firm_id in _firms_that_wrote_to(session, ended)]
    status = _STATUSES.get(kind)
    if kind == "bounced":
        status = "bounced" if ended else "soft_bounced"
    # A message of ours has one recipient: that address is meant, however the other side writes it.
    if known.address:
        own = {known.address: next(iter(ended.values()))} if ended else {}
        return [_Meant(known.firm_id, own, delivery_id, status)]
    told = {plain: code for address, code in ended.items() if "@" in (plain := parseaddr(address)[1])}
    return [_Meant(known.firm_id, told, delivery_id, status, erased=True)]


def _ends(kind: str, recipient: Record) -> bool:
    return kind == "complained" or (kind == "bounced" and bool(recipient.get("hard")))


def _firms_that_wrote_to(session: Session, addresses: Iterable[str]) -> list[str]:
    """By way of the firms' senders, so that each firm costs one look into an index."""
    wrote = select(Delivery.id).where(Delivery.firm_id == Sender.firm_id, Delivery.address.in_(sorted(addresses)))
    statement = select(Sender.firm_id).where(Sender.channel == "email", wrote.exists()).distinct()
    return sorted(session.scalars(statement)) if addresses else []


def _end(uow: UnitOfWork, kind: str, address: str, evidence: Record, now: dt.datetime, *, erased: bool) -> bool:
    """Takes an address off email. Returns whether that is new. `erased`: nobody's whom we know, unless it was somebody
    else's as well."""
    persons = consent.persons_of_address(uow.session, address)
    speaker = stops.Speaker("email", address, persons, forgotten=erased and not persons)
    if kind == "complained":
        return stops.record_stop(uow, speaker, source="provider", evidence=evidence, at=now) is not None
    states = stops.hold(uow, speaker, widely=False)
    if states.get(speaker.key) in (consent.OPTED_OUT, consent.UNREACHABLE):
        return False
    bounce = replace(speaker.change(consent.OPTED_OUT, "provider", evidence), unreachable=True)
    consent.record_changes(uow, [bounce], now)
    return True
