"""The forms that every case of a type gets when it becomes open."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.telemetry import log_of
from contracts.errors import Invalid, Unavailable
from services.tasks import known_cases
from services.tasks.due_dates import Calendar
from services.tasks.firms import Calendars
from services.tasks.form_assigning import add
from services.tasks.freezing import freeze
from services.tasks.models import Form

_log = log_of(__name__)


def follow_created_cases(
    db: Database, calls: Any, firms: Calendars, events: Sequence[ReceivedEvent], now: dt.datetime
) -> None:
    """`case.created.v1`, which names the default forms that the type of the case had then. Each case gets each once,
    whatever comes twice. A form that is out of use since is left out and logged.

    Raises Unavailable, DeadlineExceeded; then it is done later.
    """
    if not any(_forms_of(event) for event in events):
        known_cases.follow_cases(db, calls, events)
        return
    calendar = firms.get(str(db.firm_id), calls)
    if calendar is None:
        raise Unavailable("calendar_unavailable")
    known_cases.follow_cases(db, calls, events, lambda uow: _assign(uow, uow.fresh, calendar, now))


def _assign(uow: UnitOfWork, events: Sequence[ReceivedEvent], calendar: Calendar, now: dt.datetime) -> None:
    together: dict[str, list[str]] = defaultdict(list)
    for event in events:
        for form_id in _forms_of(event):
            together[form_id].append(event.data["case_id"])
    in_use = select(Form.id).where(Form.id.in_(together), Form.archived.is_(False))
    known = set(uow.session.scalars(in_use)) if together else set()
    for form_id, case_ids in sorted(together.items()):
        if form_id not in known:
            _log.warning("default_form_not_in_use", form_id=form_id, cases=len(case_ids))
            continue
        try:
            frozen = freeze(uow.session, [form_id], [], calendar=calendar, now=now)
        except Invalid as refused:
            _log.warning("default_form_not_assigned", form_id=form_id, code=refused.code, cases=len(case_ids))
            continue
        add(uow, frozen, list(dict.fromkeys(case_ids)), once=True, now=now)


def _forms_of(event: ReceivedEvent) -> list[str]:
    data = event.data
    return list(data.get("default_form_ids") or ()) if data["state"] == "open" else []
