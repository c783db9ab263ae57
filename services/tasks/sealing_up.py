"""Templates that become sensitive, or are so no longer, and the answers to them, which are kept otherwise then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from chassis.context import Context, use
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.scoping import BY_ID
from chassis.sealing import make_ready
from chassis.timers import wake
from contracts.errors import Invalid, NotFound
from services.tasks.automation.sensitive_filters import forget_in_selectors, switch_off_naming
from services.tasks.models import CaseTask, TaskTemplate
from services.tasks.sealed_answers import SEALING, open_up, seal_up
from services.tasks.templates import load_template

TIMER = "tasks: seal answers"
BATCH = 200
TEMPLATES_AT_ONCE = 100
SETTLED = dt.timedelta(minutes=1)
"""How long after a change of the template a request may still write as before it."""


def follow_sensitive_fields(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`custom_field.became_sensitive.v1`: so are the templates that are mapped to the field, from the commit on, and no
    rule goes on naming a value of it, nor the selector of what was done by then."""
    with db.unit_of_work(once=events) as uow:
        fields = sorted({event.data["field"] for event in uow.fresh})
        mapped = select(TaskTemplate).where(
            TaskTemplate.mapping_target == "case", TaskTemplate.mapping_field.in_(fields)
        )
        for template in uow.session.scalars(mapped.order_by(TaskTemplate.id).with_for_update()):
            if not template.sensitive:
                template.sensitive = template.resealing = True
                template.touch(now)
        switch_off_naming(uow, fields, now)
        forget_in_selectors(uow, fields)
        uow.after_commit(lambda: wake(TIMER))


def keep_as_defined(db: Database, calls: Any, now: dt.datetime) -> bool:
    """Seals, or opens, a batch of answers of each template that asks for it; whether to go on.

    Of a template that is mapped to a case's field, and was not sensitive so far, it is asked whether that field is. The
    tasks have not changed: no version grows. A template that fails keeps no other waiting; what it raises, Unavailable
    or DeadlineExceeded say, is raised in the end.
    """
    waiting = select(TaskTemplate.firm_id, TaskTemplate.id).where(TaskTemplate.resealing)
    with db.across_firms("templates of any firm may have become sensitive").read() as session:
        found = session.execute(waiting.order_by(*waiting.selected_columns).limit(TEMPLATES_AT_ONCE)).all()
    more, failure = False, None
    for firm_id, template_id in found:
        with use(Context(firm_id=firm_id)):
            try:
                more |= _keep(db.for_firm(firm_id), calls, template_id, now)
            except Exception as error:
                failure = failure or error
    if failure is not None:
        raise failure
    return more


def _keep(db: Database, calls: Any, template_id: str, now: dt.datetime) -> bool:
    with db.read() as session:
        before = load_template(session, template_id)
    sensitive = before.sensitive or _is_field_sensitive(calls, before)
    make_ready(db, SEALING)
    with db.unit_of_work() as uow:
        template = load_template(uow.session, template_id, lock=True)
        if template.version != before.version:
            return True
        if template.sensitive is not sensitive:
            template.sensitive = sensitive
            template.touch(now)
        found = _otherwise(uow, template)
        for task in found:
            (seal_up if sensitive else open_up)(uow, task)
        more = len(found) == BATCH
        if not more and template.updated_at <= now - SETTLED:
            template.resealing = False
        return more


def _is_field_sensitive(calls: Any, template: TaskTemplate) -> bool:
    if template.mapping_target != "case":
        return False
    try:
        # Not with its options: a field that has lost one of them takes the others.
        asked = calls.cases.check_mapping(field=template.mapping_field, question_kind=template.kind)
        return bool(asked["sensitive"])
    except (Invalid, NotFound):
        # It was removed since: what is answered goes nowhere.
        return False


def _otherwise(uow: UnitOfWork, template: TaskTemplate) -> list[CaseTask]:
    """Tasks that hold something and do not keep it as the template has it, locked in the order of their ids."""
    statement = (
        select(CaseTask)
        .where(
            CaseTask.template_id == template.id,
            CaseTask.sealed.is_not(template.sensitive),
            or_(CaseTask.answer_version > 0, CaseTask.draft_at.is_not(None)),
        )
        .options(joinedload(CaseTask.template))
        .order_by(CaseTask.id)
        .limit(BATCH)
        .with_for_update(of=CaseTask)
        .execution_options(**BY_ID)
    )
    return list(uow.session.scalars(statement))
