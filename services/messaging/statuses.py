"""Status callbacks: which delivery they are about, and what they change."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from chassis.columns import utc_now
from chassis.database import Database
from services.messaging.dispatching.results import record_status
from services.messaging.models import Delivery


def record_delivery_status(
    db: Database,
    *,
    provider: str,
    provider_id: str,
    status: str,
    error_code: str | None = None,
    token: str | None = None,
    segments: int | None = None,
    price: Decimal | None = None,
    currency: str | None = None,
) -> dict[str, Any]:
    """{"applied"}: false for a repeat, a status that would go back, or a delivery that is not known.

    `segments`, `price` and `currency` are kept where the provider names them. The token finds the delivery even where
    the callback comes before the answer to our request is recorded.
    """
    delivery_id = as_delivery_id(token)
    if delivery_id is None:
        return {"applied": False}
    everyone = db.across_firms("a callback names its delivery, and the delivery its firm")
    with everyone.read() as session:
        firm_id = session.scalar(select(Delivery.firm_id).where(Delivery.id == delivery_id))
    if firm_id is None:
        return {"applied": False}
    applied = record_status(
        db.for_firm(firm_id),
        provider_id=provider_id,
        status=status.lower(),
        error_code=error_code,
        delivery_id=delivery_id,
        # Twilio's price is what is taken off the account.
        figures={"provider_segments": segments, "price": None if price is None else abs(price), "currency": currency},
        now=utc_now(),
    )
    return {"applied": applied}


def as_delivery_id(token: str | None) -> str | None:
    """The delivery that a token names: the token is its id. None for what cannot be one."""
    try:
        return str(uuid.UUID(token))
    except (TypeError, ValueError):
        return None
