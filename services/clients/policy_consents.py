"""Consent to data collection: who accepted which version of the firm's privacy policy, when, and where that was said.

What was said is kept row by row; the record shows the newest (`data_consent`).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select

from chassis.columns import new_id
from chassis.database import Database
from chassis.paging import page
from chassis.words import UnfitText, clean_text
from contracts.errors import invalid_field
from services.clients import activity, cards
from services.clients.merges import merge_history
from services.clients.merges.merge_history import demand_client
from services.clients.merges.moved_rows import MovedRows
from services.clients.models import ClientPolicyConsent
from services.clients.records import Change, announce_changes

_SHOWN = ("id", "client_id", "given", "policy_version", "source", "at", "recorded_by", "created_at")
_LEEWAY = dt.timedelta(minutes=5)
"""By how much the clock of who tells may be ahead."""

Record = dict[str, Any]


def list_policy_consents(
    db: Database, *, client_id: str, limit: int = 50, cursor: str | None = None, sort: str | None = None
) -> dict[str, Any]:
    """A page of what a client accepted and withdrew, the newest first. Raises as `demand_client` does, and
    Invalid as `page` does."""
    with db.read() as session:
        demand_client(session, client_id)
        rows, meta = page(
            session, select(ClientPolicyConsent).where(ClientPolicyConsent.client_id == client_id),
            model=ClientPolicyConsent, sorts={"at": ClientPolicyConsent.at}, default_sort="-at", limit=limit,
            cursor=cursor, sort=sort,
        )  # fmt: skip
        return {"data": [_record(row) for row in rows], "meta": meta}


def record_policy_consent(
    db: Database,
    now: dt.datetime,
    *,
    client_id: str,
    given: bool,
    policy_version: str,
    source: str,
    at: dt.datetime | None = None,
) -> Record:
    """Keeps it, and shows it in the record unless something newer was said. Raises Invalid, and as
    `demand_client` does."""
    if at is not None and at > now + _LEEWAY:
        raise invalid_field("at", "Lies in the future.")
    try:
        version = clean_text(policy_version)
    except UnfitText as error:
        raise invalid_field("policy_version", str(error)) from error
    if version is None:
        raise invalid_field("policy_version", "Blank.")
    with db.unit_of_work() as uow:
        before = cards.load(uow.session, [client_id], lock=True).get(client_id)
        if before is None:
            raise merge_history.absent(uow.session, client_id)
        made = ClientPolicyConsent(
            id=new_id(), client_id=client_id, given=given, policy_version=version, source=source, at=at or now,
            recorded_by=activity.staff_id(), created_at=now,
        )  # fmt: skip
        uow.session.add(made)
        uow.session.flush()
        known = before["data_consent"]
        if known is None or known["at"] <= made.at:
            after = {**before, "data_consent": {name: getattr(made, name) for name in _NEWEST}}
            if changed := cards.save(uow, [(before, after)], now).get(client_id):
                announce_changes(uow, [Change(after, changed, activity.by_actor())], now)
        return uow.answer(_record(made))


_NEWEST = ("given", "policy_version", "at", "source")


def _record(row: ClientPolicyConsent) -> Record:
    return {name: getattr(row, name) for name in _SHOWN}


class PolicyConsentsMover(MovedRows):
    """What a client that is merged accepted becomes the survivor's. Which of the two is shown, `merge_fields` says."""

    kind = "policy_consents"
    model = ClientPolicyConsent
