"""Rules whose filters name a value of a field that becomes sensitive. The value is taken out, as everybody reads a
rule, and the rule is switched off: without the value it would be about other cases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from chassis.database import UnitOfWork
from chassis.filters.fields import CUSTOM
from chassis.filters.parsing import mentions
from services.tasks.models import AutomationRule

Node = dict[str, Any]


def switch_off_naming(uow: UnitOfWork, fields: Collection[str], now: dt.datetime) -> None:
    """Switches off the rules that name a value of one of these custom fields of cases."""
    filtering = select(AutomationRule).where(AutomationRule.filter.is_not(None)).order_by(AutomationRule.id)
    for rule in uow.session.scalars(filtering.with_for_update()):
        if rule.filter is not None and mentions(rule.filter).valued.intersection(fields):
            rule.filter = _without_values(rule.filter, {f"{CUSTOM}{field}" for field in fields})
            rule.switch_off("sensitive_value")
            rule.touch(now)


def _without_values(node: Node, names: Collection[str]) -> Node:
    """The filter, which nobody takes as it is: null is no value."""
    for word in ("and", "or"):
        if isinstance(node.get(word), list):
            return {word: [_without_values(part, names) for part in node[word]]}
    if isinstance(node.get("not"), dict):
        return {"not": _without_values(node["not"], names)}
    return {**node, "value": None} if node.get("field") in names and node.get("value") is not None else node
