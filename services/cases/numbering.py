"""The series of case numbers: the firm's own, and those of types of case that have a beginning of their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from chassis.database import Database, UnitOfWork
from chassis.scoping import EVERY_KIND
from chassis.value_sets import among
from contracts.errors import Conflict
from services.cases.case_types import find_case_type
from services.cases.models import Case, CaseType, NumberSeries
from services.cases.uniqueness import NUMBER_TAKEN

Written = TypeVar("Written")

MOST_AT_ONCE = 10_000
"""Numbers that are looked for at once."""


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
    """The next number of a series, passing over those that were given by hand."""
    return next_numbers(uow, case_type, today, 1)[0]


def next_numbers(
    uow: UnitOfWork, case_type: CaseType, today: dt.date, count: int, *, besides: Collection[str] = ()
) -> list[str]:
    """The next numbers of a series, passing over those that were given by hand, and `besides`. A firm that brought its
    cases along has given thousands by hand, so that more are looked for at once each time.

    The series' row stays locked until the transaction ends, so no two cases get one number.
    """
    start = (case_type.number_prefix or "") + (f"{today:%Y}-" if case_type.number_yearly else "")
    uow.insert(NumberSeries, [{"key": start, "last": 0}], ignore_conflicts=True)
    series = update(NumberSeries).where(NumberSeries.key == start)
    counted = series.values(last=NumberSeries.last + 1).returning(NumberSeries.last)
    first = at = uow.session.execute(counted).scalar_one()
    found: list[str] = []
    looked_for = count
    while True:
        candidates = {f"{start}{each:0{case_type.number_digits}}": each for each in range(at, at + looked_for)}
        given = select(Case.number).where(among(uow.session, Case.number, candidates))
        taken = {*besides, *uow.session.scalars(given, execution_options=EVERY_KIND)}
        for number, each in candidates.items():
            if number not in taken:
                found.append(number)
            if len(found) == count:
                if each != first:
                    uow.session.execute(series.values(last=each))
                return found
        at += looked_for
        looked_for = min(looked_for * 10, MOST_AT_ONCE)


def day_of_many(calls: Any, case_types: Iterable[CaseType], now: dt.datetime) -> dt.date:
    """As `day_of_numbers`, where cases may be of several types."""
    if any(case_type.number_yearly for case_type in case_types):
        return now.astimezone(ZoneInfo(calls.accounts.get_firm()["time_zone"])).date()
    return now.date()


def with_a_number(command: dict[str, Any], write: Callable[[], Written]) -> Written:
    """What `write` returns, which writes a new case in a transaction of its own: again, if another case was given this
    one's next number by hand at the same moment."""
    while True:
        try:
            return write()
        except Conflict as refused:
            if refused.code != NUMBER_TAKEN or command.get("number"):
                raise
