"""What an index has in the order of dates: the tasks of one status with a date, or without. Slots are made of these."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import ColumnElement, and_, or_

from services.tasks.listing.counting import Moments, Where, in_due_slots
from services.tasks.listing.slots import UNDATED, Clock, Slot
from services.tasks.models import OPEN, CaseTask
from services.tasks.statuses import is_open


@dataclass(frozen=True)
class Stream:
    """Tasks of one stored status, or of both that are open, that are read in the order of an index: those with a date,
    or those without."""

    stored: tuple[str, ...]
    dues: tuple[str, ...]

    @property
    def dated(self) -> bool:
        return self.dues != (UNDATED,)

    def where(self, clock: Clock | Moments) -> Where:
        of_status = is_open() if self.stored == OPEN else CaseTask.status == self.stored[0]
        return [of_status, *self.dates(clock)]

    def dates(self, clock: Clock | Moments) -> Where:
        if not self.dated:
            return [CaseTask.due_at.is_(None)]
        dues = () if self.dues == ("",) else in_due_slots(self.dues, clock)
        return [*dues, CaseTask.due_at.is_not(None)]


def streams(slots: Collection[Slot]) -> list[Stream]:
    """The fewest that hold these slots, of which those of one status follow each other."""
    found: list[Stream] = []
    by_status = {stored: tuple(slot.due for slot in same) for stored, same in groupby(slots, lambda slot: slot.stored)}
    to_do, in_progress = (by_status.get(stored) for stored in OPEN)
    if to_do is not None and to_do == in_progress:
        del by_status[OPEN[0]], by_status[OPEN[1]]
        found += _of_status(OPEN, to_do)
    for stored, dues in by_status.items():
        found += _of_status((stored,), dues)
    return found


def _of_status(stored: tuple[str, ...], dues: tuple[str, ...]) -> Iterator[Stream]:
    if dues == ("",):
        yield Stream(stored, dues)
        yield Stream(stored, (UNDATED,))
        return
    dated = tuple(due for due in dues if due != UNDATED)
    if dated:
        yield Stream(stored, dated)
    if UNDATED in dues:
        yield Stream(stored, (UNDATED,))


def in_slots(slots: Collection[Slot], clock: Clock | Moments) -> ColumnElement[bool]:
    return or_(*(and_(*stream.where(clock)) for stream in streams(slots)))


def open_in_slots(slots: Collection[Slot], clock: Clock | Moments) -> Where:
    """Of open tasks: whatever a partial index of these says already is asked by itself, so that nothing but the index
    is read."""
    found = streams(slots)
    if any(stream.stored != OPEN for stream in found):
        return [is_open(), in_slots(slots, clock)]
    return [is_open(), or_(*(and_(*stream.dates(clock)) for stream in found))]
