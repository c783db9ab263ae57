"""What came of the calls that we made, for those who read a conversation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.value_sets import among
from services.messaging.models import ConsentEntry, Delivery
from services.messaging.spoken import OPT_OUT_KEY

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
    """By delivery, of the calls among these that were made: {"outcome", "key", "keys"}. In a call in which a key was
    pressed somebody answered, whatever the provider has told by now."""
    calls = [row for row in rows if row.channel == "phone" and row.begun_at is not None]
    proven = _proven_keys(session, [row for row in calls if OPT_OUT_KEY not in (row.keys or "")])
    return {row.id: _outcome(row, (row.keys or "") + proven.get(row.id, "")) for row in calls}


def _outcome(row: Delivery, keys: str) -> Record:
    return {
        "outcome": "answered" if keys else _OUTCOMES.get(row.provider_status or ""),
        "key": OPT_OUT_KEY if OPT_OUT_KEY in keys else None,
        "keys": keys or None,
    }


def _proven_keys(session: Session, calls: Iterable[Delivery]) -> dict[str, str]:
    """The key that ended our calls, by the delivery in which it was pressed: of calls that do not keep it, from before
    they did, the ledger has it as evidence."""
    addresses = sorted({str(row.address) for row in calls})
    if not addresses:
        return {}
    statement = select(ConsentEntry.evidence).where(
        among(session, ConsentEntry.address, addresses), ConsentEntry.channel == "phone"
    )
    proofs = [proof for proof in session.scalars(statement) if "digits" in proof and "delivery_id" in proof]
    return {proof["delivery_id"]: proof["digits"] for proof in proofs}
