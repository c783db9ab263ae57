"""Rules that tasks name, by their ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.value_sets import among
from contracts.errors import invalid_field
from services.tasks.models import AutomationRule


def active_among(session: Session, rule_ids: Collection[str]) -> set[str]:
    """Those of the rules that are there and active."""
    if not rule_ids:
        return set()
    known = among(session, AutomationRule.id, sorted(rule_ids))
    return set(session.scalars(select(AutomationRule.id).where(known, AutomationRule.active)))


def demand_rules(session: Session, rule_ids: Sequence[str], field: str) -> None:
    """Raises Invalid `unknown_rule` that names the place."""
    if not rule_ids:
        return
    there = set(session.scalars(select(AutomationRule.id).where(among(session, AutomationRule.id, rule_ids))))
    for number, rule_id in enumerate(rule_ids):
        if rule_id not in there:
            raise invalid_field(f"{field}.{number}", "There is no such rule.", "unknown_rule")
