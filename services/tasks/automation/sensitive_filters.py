"""Filters that name a value of a field which becomes sensitive. It is taken out of rules, as everybody reads them, and
they are switched off: without the value they would be about other cases. Of bulk notifications, whose selector is
kept, it is taken out alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import Text, cast, or_, select, true

from chassis.database import UnitOfWork
from chassis.filters.fields import CUSTOM
from chassis.filters.parsing import mentions
from services.tasks.models import AutomationRule, BulkAssignment, NotificationRequest

Node = dict[str, Any]


def switch_off_naming(uow: UnitOfWork, fields: Collection[str], now: dt.datetime) -> None:
    """Switches off the rules that name a value of one of these custom fields of cases."""
    filtering = select(AutomationRule).where(AutomationRule.filter.is_not(None)).order_by(AutomationRule.id)
    for rule in uow.session.scalars(filtering.with_for_update()):
        if rule.filter is not None and mentions(rule.filter).valued.intersection(fields):
            rule.filter = _without_values(rule.filter, {f"{CUSTOM}{field}" for field in fields})
            rule.switch_off("sensitive_value")
            rule.touch(now)


def forget_in_selectors(uow: UnitOfWork, fields: Collection[str]) -> None:
    """Takes values of these custom fields out of the selectors of bulk notifications, and of bulk assignments that the
    release before has ended. One that runs asks for the next page by its own, and keeps none when it ends."""
    names = {f"{CUSTOM}{field}" for field in fields}
    for model, ended in ((NotificationRequest, true()), (BulkAssignment, BulkAssignment.state != "running")):
        text = cast(model.selector, Text)
        naming = or_(*(text.contains(f'"{name}"', autoescape=True) for name in sorted(names)))
        found = uow.session.execute(select(model.id, model.selector).where(ended, naming)).all() if names else []
        rows = [
            {"id": id_, "selector": {**selector, "case_filter": _without_values(selector["case_filter"], names)}}
            for id_, selector in found
            if selector.get("case_filter")
        ]
        uow.update_each(model, rows)


def _without_values(node: Node, names: Collection[str]) -> Node:
    """The filter, which nobody takes as it is: null is no value."""
    for word in ("and", "or"):
        if isinstance(node.get(word), list):
            return {word: [_without_values(part, names) for part in node[word]]}
    if isinstance(node.get("not"), dict):
        return {"not": _without_values(node["not"], names)}
    return {**node, "value": None} if node.get("field") in names and node.get("value") is not None else node
