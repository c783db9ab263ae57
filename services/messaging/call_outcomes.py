"""What came of the calls that we made, for those who read a conversation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.messaging.models import ConsentEntry, Delivery
from services.messaging.setwise import among

Record = dict[str, Any]

_OUTCOMES = {
    "in-progress": "answered",
    "completed": "answered",
    "no-answer": "no_answer",
    "busy": "busy",
    "failed": "failed",
    "canceled": "failed",
}
"""By the provider's word for a call."""


def call_outcomes(session: Session, rows: Iterable[Delivery]) -> dict[str, Record]:
    """By delivery, of the calls among these that were made: {"outcome", "key"}. In a call in which a key was pressed
    somebody answered, whatever the provider has told by now."""
    calls = [row for row in rows if row.channel == "phone" and row.begun_at is not None]
    keys = _keys(session, calls)
    return {
        row.id: {
            "outcome": "answered" if row.id in keys else _OUTCOMES.get(row.provider_status or ""),
            "key": keys.get(row.id),
        }
        for row in calls
    }


def _keys(session: Session, calls: Iterable[Delivery]) -> dict[str, str]:
    """The key that ended our calls, by the delivery in which it was pressed: the ledger has it as evidence."""
    addresses = sorted({str(row.address) for row in calls})
    if not addresses:
        return {}
    statement = select(ConsentEntry.evidence).where(
        among(session, ConsentEntry.address, addresses), ConsentEntry.channel == "phone"
    )
    proofs = [proof for proof in session.scalars(statement) if "digits" in proof and "delivery_id" in proof]
    return {proof["delivery_id"]: proof["digits"] for proof in proofs}
