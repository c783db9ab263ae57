"""The days that matter in a case, in the order they were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.custom_fields import repeated
from chassis.database import UnitOfWork
from chassis.texts import fold
from chassis.value_sets import Statement, among_parameter, made_once
from contracts.errors import Invalid
from services.cases.models import KeyDate

Dates = list[dict[str, Any]]
"""[{label, day}]"""


def check_key_dates(values: Mapping[str, Any]) -> None:
    """Raises Invalid that names a date that is there twice, or is called nothing."""
    dates = values.get("key_dates") or []
    twice = repeated([f"{entry['day']} {entry['label']}" for entry in dates])
    problems = [{"field": f"key_dates.{index}", "message": "Named twice."} for index in twice]
    blank = [index for index, entry in enumerate(dates) if not entry["label"].strip()]
    problems += [{"field": f"key_dates.{index}.label", "message": "Blank."} for index in blank]
    if problems:
        raise Invalid("invalid_input", fields=problems)


def set_key_dates(uow: UnitOfWork, case_id: str, dates: Dates) -> bool:
    """Makes `dates` those of the case; False if they were."""
    before = key_dates_of(uow.session, [case_id])[case_id]
    if before == dates:
        return False
    if before:
        uow.session.execute(delete(KeyDate).where(KeyDate.case_id == case_id))
    uow.insert(
        KeyDate, [{"case_id": case_id, "position": position, **date_row(entry)} for position, entry in enumerate(dates)]
    )
    return True


def date_row(date: Mapping[str, Any]) -> dict[str, Any]:
    """A date as its row has it, without the case and its position."""
    return {**date, "label_folded": label_key(date["label"])}


def label_key(label: str) -> str:
    """What labels that mean the same have in common: case and outer blanks do not count."""
    return fold(label.strip())


def key_dates_of(session: Session, case_ids: Sequence[str]) -> dict[str, Dates]:
    """The key dates of each case, in one query."""
    found: dict[str, Dates] = {case_id: [] for case_id in case_ids}
    for case_id, label, day in session.execute(_dates_of(session), {"case_ids": list(case_ids)}):
        found[case_id].append({"label": label, "day": day})
    return found


@made_once
def _dates_of(dialect: str) -> Statement:
    return (
        select(KeyDate.case_id, KeyDate.label, KeyDate.day)
        .where(among_parameter(dialect, KeyDate.case_id, "case_ids"))
        .order_by(KeyDate.case_id, KeyDate.position)
    )
