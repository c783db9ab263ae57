"""Changes that automations of tasks ask for."""

from __future__ import annotations

import datetime as dt

from chassis.database import Database
from chassis.envelope import ReceivedEvent
from contracts.cases import CASE_CHANGE_REJECTED, CASE_CHANGED
from contracts.errors import Conflict, Invalid, NotFound
from services.cases.case_events import emit_case
from services.cases.reading import find_case
from services.cases.records import change_status, demand_changeable
from services.cases.status_names import present_name


def change_case(db: Database, event: ReceivedEvent, now: dt.datetime) -> None:
    """`case_change.requested.v1`. What a person could not do is answered with `case_change.rejected.v1`; a case that is
    in the status already stays as it is."""
    asked = event.data
    try:
        with db.unit_of_work(once=event) as uow:
            case = find_case(uow.session, asked["case_id"], lock=True)
            demand_changeable(case)
            before = case.status
            # The rule may know the status by the name that it had.
            wanted = present_name(uow.session, case.case_type_id, asked["status"])
            if change_status(uow, case, wanted, None, now):
                case.touch(now)
                uow.session.flush()
                emit_case(uow, CASE_CHANGED, case, ["status"], previous_status=before)
    except (NotFound, Conflict, Invalid) as refused:
        with db.unit_of_work(once=event) as uow:
            answer = {name: asked[name] for name in ("automation_run_id", "case_id")}
            uow.emit(CASE_CHANGE_REJECTED, asked["case_id"], {**answer, "code": refused.code})
