"""The series of case numbers: the firm's own, and those of types of case that have a beginning of their own."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from chassis.database import Database, UnitOfWork
from services.cases.case_types import find_case_type
from services.cases.models import Case, CaseType, NumberSeries


def day_of_numbers(db: Database, calls: Any, command: dict[str, Any], *, now: dt.datetime) -> dt.date:
    """The day on which a new case gets its number: in the firm's zone, which its owner is asked for, if numbers of its
    type say the year. Not inside a transaction.

    Raises NotFound `case_type_not_found`, and Unavailable if accounts cannot say.
    """
    if not command.get("number"):
        with db.read() as session:
            yearly = find_case_type(session, command["case_type_id"]).number_yearly
        if yearly:
            return now.astimezone(ZoneInfo(calls.accounts.get_firm()["time_zone"])).date()
    return now.date()


def next_number(uow: UnitOfWork, case_type: CaseType, today: dt.date) -> str:
    """The next number of a series, passing over those that were given by hand.

    The series' row stays locked until the transaction ends, so no two cases get one number.
    """
    start = (case_type.number_prefix or "") + (f"{today:%Y}-" if case_type.number_yearly else "")
    uow.insert(NumberSeries, [{"key": start, "last": 0}], ignore_conflicts=True)
    counted = update(NumberSeries).where(NumberSeries.key == start).values(last=NumberSeries.last + 1)
    while True:
        last = uow.session.execute(counted.returning(NumberSeries.last)).scalar_one()
        number = f"{start}{last:0{case_type.number_digits}}"
        if uow.session.scalar(select(Case.id).where(Case.number == number)) is None:
            return number
