"""The work of a bulk assignment: page after page of its cases gets what it lacks.

Every page is a transaction that also keeps where the next one begins, so that a restart goes on where it ended.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from chassis.asking_again import ask_again
from chassis.columns import utc_now
from chassis.context import limited_to, use
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.precedence import precedence
from chassis.telemetry import log_of
from contracts.errors import Invalid, NotFound
from contracts.tasks import BULK_ASSIGNMENT_REQUESTED
from services.tasks import bulk_left_out, form_assigning
from services.tasks.bulk_assigning import load, tell_end
from services.tasks.freezing import Frozen
from services.tasks.models import BulkAssignment

PAGE_OF_CASES = 1_000
PAGE_OF_TASKS = 5_000
"""A page is one transaction: at most so many cases, and about so many tasks where a case gets several."""
_SMALLER = 10
TURN_SECONDS = 20.0
"""How long one handler works before it hands on to the next: well under a minute."""

_log = log_of(__name__)


def continue_bulk_assignment(
    db: Database, raw_calls: Any, event: ReceivedEvent, *, turn_seconds: float = TURN_SECONDS
) -> None:
    """Assigns page after page until all are done, or the turn is over and the next event takes over.

    Every page commits with its cursor, so that a repeat of the event after a crash resumes there. The event counts as
    received with the last page of its turn.

    An event that came before does one small page: what kills its process again, or keeps another service away again,
    must not meet the same event so often that it is parked, although the work got on each time.
    """
    turn_ends = time.monotonic() + (0.0 if event.came_before else turn_seconds)
    record = _read(db, event.data["bulk_assignment_id"], with_assigned=True)
    if record.state != "running":
        return
    frozen = Frozen.of_json(record.assigned)
    most = max(1, min(PAGE_OF_CASES, PAGE_OF_TASKS // frozen.tasks_per_case))
    size = max(1, most // _SMALLER) if event.came_before else most
    pages = _Pages(raw_calls, record.selector, record.sees_only, size)
    while record.state == "running":
        try:
            page = pages.at(record.cursor)
        except (Invalid, NotFound) as error:
            # What the selector names is gone: no repeat will find it.
            _fail(db, event, record.id, error.code)
            return
        next_cursor = page["meta"]["next_cursor"]
        is_last = next_cursor is None or time.monotonic() > turn_ends
        if not is_last:
            pages.ask(next_cursor)
        try:
            with db.unit_of_work(once=event if is_last else None) as uow:
                record = _locked(uow.session, record)
                case_ids = [case["case_id"] for case in page["data"]]
                done = form_assigning.add(uow, frozen, case_ids, once=True, now=utc_now())
                bulk_left_out.note(uow, record, frozen, done.left_out, cases=len(case_ids), added=done.added)
                record.cursor = next_cursor
                if next_cursor is None:
                    record.finish(utc_now())
                    tell_end(uow, record)
                elif is_last:
                    uow.emit(BULK_ASSIGNMENT_REQUESTED, record.id, {"bulk_assignment_id": record.id})
        except _Overtaken:
            record = _read(db, record.id)
            continue
        if is_last:
            return
        precedence.step_aside()


def ask_for_running(db: Database, now: dt.datetime) -> bool:
    """Across firms: asks for those once more that run and do not get on; whether there may be more."""

    def ask(uow: UnitOfWork, running: Sequence[BulkAssignment]) -> None:
        for record in running:
            _log.warning("bulk_assignment_stood_still", bulk_assignment_id=record.id)
            uow.emit(BULK_ASSIGNMENT_REQUESTED, record.id, {"bulk_assignment_id": record.id})

    return ask_again(db, BulkAssignment, ["running"], ask, now)


class _Pages:
    """Pages of the selected cases by cursor; the next one can be asked for while a page is worked off. `sees_only`: the
    types of cases that who asked for the work is limited to. Only what is selected depends on it."""

    def __init__(
        self, raw_calls: Any, selector: dict[str, Any], sees_only: Sequence[str] | None, limit: int
    ) -> None:  # fmt: skip
        self._select = raw_calls.cases.select_cases
        self._sees_only = sees_only
        self._query = {"selector": selector, "limit": limit}
        self._asked: dict[str | None, Any] = {}

    def ask(self, cursor: str) -> None:
        """Asks for a page, and waits later."""
        with use(limited_to(self._sees_only)):
            self._asked = {cursor: self._select.start(**self._query, cursor=cursor)}

    def at(self, cursor: str | None) -> dict[str, Any]:
        """A page. Raises what `cases.select_cases` does."""
        asked = self._asked.pop(cursor, None)
        with use(limited_to(self._sees_only)):
            page: dict[str, Any] = self._select(**self._query, cursor=cursor) if asked is None else asked.result()
        return page


class _Overtaken(Exception):
    """The event is handled twice and the other has done this page, or it was cancelled: this transaction must leave no
    trace."""


def _locked(session: Session, seen: BulkAssignment) -> BulkAssignment:
    record = load(session, seen.id, lock=True)
    if record.cursor != seen.cursor or record.state != "running":
        raise _Overtaken
    return record


def _fail(db: Database, event: ReceivedEvent, bulk_assignment_id: str, code: str) -> None:
    with db.unit_of_work(once=event) as uow:
        record = load(uow.session, bulk_assignment_id, lock=True)
        if record.state == "running":
            record.fail(code, utc_now())
            tell_end(uow, record)


def _read(db: Database, bulk_assignment_id: str, *, with_assigned: bool = False) -> BulkAssignment:
    with db.read() as session:
        return load(session, bulk_assignment_id, with_assigned=with_assigned)
