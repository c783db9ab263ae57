"""Replies that were taken as a revocation without being sure: they block, and a person decides."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.paging import page
from chassis.unit_of_work import UnitOfWork
from contracts.errors import Conflict, NotFound
from services.messaging import consent
from services.messaging.consent import Restored
from services.messaging.consents import stops
from services.messaging.models import ConsentReview

Record = dict[str, Any]
UNDECIDED = "undecided"


def ask_a_person(uow: UnitOfWork, message: Record, rule: str, before: str | None, now: dt.datetime) -> None:
    """Puts the words of an inbound message up for decision. `before`: what the address's state was until then."""
    row = {
        "channel": message["channel"],
        "address": message["sender"],
        "words": message["body"],
        "rule": rule,
        "before": before,
        "created_at": now,
        "updated_at": now,
    }
    uow.insert(ConsentReview, [{"id": new_id(), **row}])


def list_reviews(
    db: Database, *, limit: int, cursor: str | None, sort: str | None, decision: str | None = None
) -> Record:
    """One page, newest first: all of them, or those with a `decision`, or those that wait for one."""
    statement = select(ConsentReview)
    if decision is not None:
        made = None if decision == UNDECIDED else decision
        statement = statement.where(ConsentReview.decision.is_not_distinct_from(made))
    with db.read() as session:
        rows, meta = page(
            session,
            statement,
            model=ConsentReview,
            sorts={"created_at": ConsentReview.created_at},
            default_sort="-created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [_review(row) for row in rows], "meta": meta}


def decide_review(db: Database, *, consent_review_id: str, decision: str, actor_id: str | None) -> Record:
    """Keeps the block, or lifts it because the words meant something else; the ledger says who decided. What the
    address said for sure since then stands, whatever is decided.

    Lifting restores what held before, so that it makes no opt-in where there was none. Raises NotFound, Conflict
    `review_decided`, Conflict `opted_out_since` if the address has opted out once more.
    """
    now = utc_now()
    with db.unit_of_work() as uow:
        statement = select(ConsentReview).where(ConsentReview.id == consent_review_id).with_for_update()
        review = uow.session.scalars(statement).one_or_none()
        if review is None:
            raise NotFound("consent_review_not_found", consent_review_id=consent_review_id)
        if review.decision is not None:
            raise Conflict("review_decided")
        _apply(uow, review, decision, actor_id, now)
        review.decide(decision, actor_id, now)
        uow.session.flush()
        return uow.answer(_review(review))


def _apply(uow: UnitOfWork, review: ConsentReview, decision: str, actor_id: str | None, now: dt.datetime) -> None:
    known = consent.persons_of_address(uow.session, review.address)
    owners = consent.owners_of_addresses(uow.session, [review.address]).get(review.address, [])
    speaker = stops.Speaker(review.channel, review.address, sorted({*known, *owners}))
    states = stops.hold(uow, speaker, widely=True)
    if states.get(speaker.key) != consent.OPTED_OUT:
        return
    said: Record = {
        "source": "staff",
        "evidence": {"actor_id": actor_id, "consent_review_id": review.id, "words": review.words, "rule": review.rule},
        "at": now,
        "states": states,
    }
    if decision == consent.OPTED_OUT:
        stops.record_stop(uow, speaker, **said)
        return
    entry = stops.entry_behind(uow.session, speaker)
    if entry is None or not entry.evidence.get("doubtful") or entry.at != review.created_at:
        raise Conflict("opted_out_since")
    stops.record_start(uow, speaker, **said, restores=Restored(review.before))


def _review(row: ConsentReview) -> Record:
    names = (
        "id", "version", "created_at", "updated_at", "channel", "address", "words", "rule", "decision", "decided_by",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names}
