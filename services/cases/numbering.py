"""The firm's series of case numbers."""

from __future__ import annotations

from sqlalchemy import select, update

from chassis.database import UnitOfWork
from services.cases.models import Case, NumberSeries

DIGITS = 6
"""So that numbers sort as texts do, up to the millionth case."""


def next_number(uow: UnitOfWork) -> str:
    """The next number of the firm's series, passing over those that were given by hand.

    The series' row stays locked until the transaction ends, so no two cases get one number.
    """
    uow.insert(NumberSeries, [{"last": 0}], ignore_conflicts=True)
    while True:
        statement = update(NumberSeries).values(last=NumberSeries.last + 1).returning(NumberSeries.last)
        number = f"{uow.session.execute(statement).scalar_one():0{DIGITS}}"
        if uow.session.scalar(select(Case.id).where(Case.number == number)) is None:
            return number
