"""Automation rules, which are checked when they are saved: what they name is there, and their filter can be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis import paging
from chassis.database import Database, violates
from contracts.errors import Conflict, NotFound
from contracts.tasks import AutomationRuleFields
from services.tasks.automation.checks import check_names, check_records, check_shape
from services.tasks.automation.renaming import named_statuses
from services.tasks.limits import demand_no_limit
from services.tasks.models import AutomationRule

Record = dict[str, Any]

_schema = AutomationRuleFields()
_SHOWN = ("id", "version", "created_at", "updated_at", "name", "active", "inactive_because", "trigger", "filter",
          "actions")  # fmt: skip


def create_rule(db: Database, calls: Any, now: dt.datetime, **given: Any) -> Record:
    """A new rule. Raises Invalid or NotFound for what it names and there is not, Conflict `name_taken`, Unavailable,
    and Forbidden `limited_to_case_types`: a rule acts on cases of all types."""
    demand_no_limit()
    wire = _checked(calls, given)
    with _typed_clashes(), db.unit_of_work() as uow:
        check_records(uow.session, given)
        rule = AutomationRule(created_at=now, updated_at=now, **wire)
        uow.session.add(rule)
        uow.session.flush()
        return uow.answer(rule_view(rule))


def get_rule(db: Database, automation_rule_id: str) -> Record:
    """Raises NotFound `automation_rule_not_found`."""
    with db.read() as session:
        return rule_view(load_rule(session, automation_rule_id))


def list_rules(db: Database, *, active: bool | None, limit: int, cursor: str | None, sort: str | None) -> Record:
    """A page of rules. `sort`: name (the default), created_at."""
    statement = select(AutomationRule)
    if active is not None:
        statement = statement.where(AutomationRule.active.is_(active))
    with db.read() as session:
        rows, meta = paging.page(
            session,
            statement,
            model=AutomationRule,
            sorts={"name": AutomationRule.name, "created_at": AutomationRule.created_at},
            default_sort="name",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": [rule_view(row) for row in rows], "meta": meta}


def update_rule(
    db: Database,
    calls: Any,
    now: dt.datetime,
    *,
    automation_rule_id: str,
    changes: Record,
    expected_version: int | None,
) -> Record:
    """Changes a rule, which is checked as a whole unless only its name or `active: false` is set: one that names what
    is gone can still be stopped. Raises what `create_rule` does, and Conflict `stale_version`."""
    demand_no_limit()
    with db.read() as session:
        before = load_rule(session, automation_rule_id)
        before.expect_version(expected_version)
    given = {**_loaded(before), **changes}
    whole = bool(changes.keys() - {"name", "active"}) or changes.get("active") is True
    wire = _checked(calls, given) if whole else _wire(given)
    with _typed_clashes(), db.unit_of_work() as uow:
        rule = load_rule(uow.session, automation_rule_id, lock=True)
        # What was checked together must still be together.
        rule.expect_version(before.version)
        if whole:
            check_records(uow.session, given)
        # What is named anew is named as it is called now.
        stay = named_statuses(rule.trigger, rule.actions) & named_statuses(wire["trigger"], wire["actions"])
        rule.status_names = {
            case_type_id: {said: called for said, called in names.items() if said in stay}
            for case_type_id, names in rule.status_names.items()
        }
        if "active" in changes:
            rule.inactive_because = None
        for name, value in wire.items():
            setattr(rule, name, value)
        if changes:
            rule.touch(now)
        uow.session.flush()
        return uow.answer(rule_view(rule))


def load_rule(session: Session, automation_rule_id: str, *, lock: bool = False) -> AutomationRule:
    """Raises NotFound `automation_rule_not_found`."""
    statement = select(AutomationRule).where(AutomationRule.id == automation_rule_id)
    rule = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if rule is None:
        raise NotFound("automation_rule_not_found", automation_rule_id=automation_rule_id)
    return rule


def rule_view(rule: AutomationRule) -> Record:
    """Python values of the contract's AutomationRule."""
    return {**{name: getattr(rule, name) for name in _SHOWN}, **_loaded(rule)}


def _loaded(rule: AutomationRule) -> Record:
    kept = {name: getattr(rule, name) for name in ("name", "active", "trigger", "filter", "actions")}
    loaded: Record = _schema.load(kept)
    return loaded


def _checked(calls: Any, given: Record) -> Record:
    """A rule's columns, checked but for its templates and forms."""
    check_shape(given)
    check_names(calls, given)
    return _wire(given)


def _wire(given: Record) -> Record:
    wire: Record = _schema.dump(given)
    return {**wire, "trigger_kind": given["trigger"]["kind"]}


@contextmanager
def _typed_clashes() -> Iterator[None]:
    (unique,) = (entry for entry in AutomationRule.__table__.constraints if isinstance(entry, UniqueConstraint))
    try:
        yield
    except IntegrityError as error:
        if not violates(error, unique):
            raise
        raise Conflict("name_taken", fields=[{"field": "name", "message": "Taken already."}]) from error
