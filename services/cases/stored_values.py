"""The custom field values of cases as they are written: sealed where they are sensitive, and again in rows by which
filters find them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, delete, or_, select

from chassis.custom_fields import Values
from chassis.database import Database, UnitOfWork
from chassis.sealing import make_ready
from chassis.value_sets import among
from services.cases.case_types import find_case_type
from services.cases.custom_fields import index_rows, sealed_rows, words_of
from services.cases.models import Case, CaseFieldValue, CustomField
from services.cases.sealed_values import SEALING, blind, opened, sealed
from services.cases.type_fields import fields_of

BATCH = 500
AT_ONCE = 1000
SETTLED = dt.timedelta(minutes=1)
"""How long after a change of its type a request may still write by the definition before."""

Changes = Mapping[str, tuple[Sequence[CustomField], Values, Values]]
"""{case id: (fields, before, after)}, the values in clear."""


def keep_values(uow: UnitOfWork, cases: Iterable[Case], changes: Changes) -> None:
    """Writes the values of cases, whose rows are there."""
    for case in cases:
        fields, before, after = changes[case.id]
        case.custom_fields = sealed(uow, fields, case.id, case.custom_fields, before, after)
    rows, stale = [], []
    for case_id, (fields, before, after) in changes.items():
        for field in fields:
            if before.get(field.key) == after.get(field.key):
                continue
            if field.key in before:
                stale.append((case_id, field.key))
            if field.key in after:
                rows += rows_of_value(uow, case_id, field, after[field.key])
    _replace(uow, stale, rows)


def reseal(db: Database, now: dt.datetime) -> bool:
    """Moves the values of fields that became sensitive or are so no longer, of a batch of cases each; whether to go on.

    Callers see them by the definition from its commit on. They have not changed: no version grows. A field that fails
    keeps no other waiting; what it raises is raised in the end.
    """
    waiting = select(CustomField.firm_id, CustomField.case_type_id, CustomField.key).where(CustomField.resealing)
    with db.across_firms("fields of any firm may have become sensitive").read() as session:
        found = session.execute(waiting.order_by(*waiting.selected_columns).limit(AT_ONCE)).all()
    more, failure = False, None
    for firm_id, case_type_id, key in found:
        try:
            more |= _reseal(db.for_firm(firm_id), case_type_id, key, now)
        except Exception as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return more


def _reseal(db: Database, case_type_id: str, key: str, now: dt.datetime) -> bool:
    make_ready(db, SEALING)
    with db.unit_of_work() as uow:
        session = uow.session
        case_type = find_case_type(session, case_type_id, lock=True)
        fields = fields_of(session, [case_type_id])[case_type_id]
        field = next(field for field in fields if field.key == key)
        found = session.scalars(_as_before(field)).all()
        locked = select(Case).where(among(session, Case.id, found)).order_by(Case.id).with_for_update()
        cases = session.scalars(locked).all()
        clear = opened(session, {case.id: case.custom_fields for case in cases})
        rows: list[dict[str, Any]] = []
        for case in cases:
            values = clear[case.id]
            case.custom_fields = sealed(uow, fields, case.id, case.custom_fields, values, values)
            if key in values:
                rows += rows_of_value(uow, case.id, field, values[key])
        _replace(uow, [(case.id, key) for case in cases], rows)
        more = len(found) == BATCH
        if not more and case_type.updated_at <= now - SETTLED:
            field.resealing = False
        return more


def _as_before(field: CustomField) -> Select[str]:
    """The cases whose rows are not as the field's definition has them."""
    in_clear = or_(
        CaseFieldValue.text.is_not(None), CaseFieldValue.number.is_not(None), CaseFieldValue.day.is_not(None)
    )
    return (
        select(CaseFieldValue.case_id)
        .join(Case, Case.id == CaseFieldValue.case_id)
        .where(
            Case.case_type_id == field.case_type_id,
            CaseFieldValue.key == field.key,
            in_clear if field.sensitive else ~in_clear,
        )
        .distinct()
        .order_by(CaseFieldValue.case_id)
        .limit(BATCH)
    )


def rows_of_value(uow: UnitOfWork, case_id: str, field: CustomField, value: Any) -> list[dict[str, Any]]:
    """The rows by which filters find the value of a case's field."""
    words = words_of(field, value)
    made = sealed_rows(blind(uow, field.key, words)) if field.sensitive else index_rows(field, value)
    return [{"case_id": case_id, "key": field.key, **row} for row in made]


def _replace(uow: UnitOfWork, stale: Sequence[tuple[str, str]], rows: Sequence[dict[str, Any]]) -> None:
    """Puts rows in place of those of (case, key), set-based."""
    for key in sorted({key for _, key in stale}):
        of_cases = among(uow.session, CaseFieldValue.case_id, [id_ for id_, stale_key in stale if stale_key == key])
        outdated = delete(CaseFieldValue).where(CaseFieldValue.key == key, of_cases)
        uow.session.execute(outdated, execution_options={"synchronize_session": False})
    uow.insert(CaseFieldValue, rows)
