"""How tests state consents, ask for them, and set a STOP's scope."""

from __future__ import annotations

from typing import Any

from chassis.testing import received
from contracts import accounts
from services.messaging import consent, firm_rules
from services.messaging.consents import consent_ledger, consent_reviews, preferences, stated_consents
from tests.service.messaging_desk import Desk

PAGE: dict[str, Any] = {"limit": 50, "cursor": None, "sort": None}
NUMBER = "+12125558000"


def ledger(desk: Desk, **filters: Any) -> list[dict[str, Any]]:
    """The entries that the filters leave, oldest first."""
    return list(consent_ledger.list_consents(desk.db, desk.calls, **filters, limit=200, sort="at")["data"])


def told(desk: Desk, **filters: Any) -> list[tuple[str, str, str]]:
    return [(entry["channel"], entry["state"], entry["source"]) for entry in ledger(desk, **filters)]


def wants(desk: Desk, client_id: str) -> tuple[Any, ...]:
    found = preferences.get_preferences(desk.db, desk.calls, client_id=client_id)
    return tuple(found[channel] for channel in ("sms", "email", "phone"))


def set_wants(desk: Desk, client_id: str, source: str = "staff", **said: str) -> dict[str, Any]:
    return preferences.set_preferences(
        desk.db, desk.calls, client_id=client_id, source=source, actor_id=desk.staff_id, **said
    )


def state(desk: Desk, channel: str, key: str) -> str | None:
    with desk.db.read() as session:
        return consent.read_states(session, [(channel, key)]).get((channel, key))


def record(desk: Desk, *entries: dict[str, Any], source: str = "staff") -> dict[str, int]:
    return stated_consents.record_consents(
        desk.db, desk.calls, source=source, entries=list(entries), actor_id=desk.staff_id
    )


def says(address: str = NUMBER, state: str = "opted_out", channel: str = "sms", **given: Any) -> dict[str, Any]:
    return {"channel": channel, "address": address, "client_id": None, "state": state, **given}


def scope(desk: Desk, value: str, version: int = 2) -> None:
    """The firm sets what a STOP ends, and messaging hears of it."""
    desk.firm |= {"opt_out_scope": value, "version": version}
    data = {"firm_id": desk.firm_id, "changed": ["opt_out_scope"], "version": version}
    firm_rules.refresh(
        desk.db, desk.calls, received(accounts.FIRM_CHANGED, data, firm_id=desk.firm_id, subscription="rules")
    )


def known_by(desk: Desk, number: str = NUMBER) -> str:
    """A client who was written to at a number."""
    person = desk.person(number, email="ann@example.com", phone=number)
    desk.ask([desk.item(person)])
    desk.run()
    return person


def decide(desk: Desk, review: dict[str, Any], decision: str) -> dict[str, Any]:
    return consent_reviews.decide_review(
        desk.db, consent_review_id=review["id"], decision=decision, actor_id=desk.staff_id
    )
