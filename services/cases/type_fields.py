"""The custom fields of a case type, and how they change while cases exist.

A removed field keeps its stored values, hidden; the same field added again shows them. The type of a field with stored
values cannot change. An option that is taken away stays where it is stored. A field made required binds the next change
that names it. The values of one that becomes sensitive, or is so no longer, are moved in the background.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, exists, or_, select
from sqlalchemy.orm import Session

from chassis.database import UnitOfWork
from chassis.filters.saved import refuse_named_values
from chassis.value_sets import among
from contracts.cases import FIELD_BECAME_SENSITIVE
from contracts.errors import Conflict
from services.cases.models import Case, CaseFieldValue, CaseList, CustomField, SavedFilter

Record = dict[str, Any]

_FIELDS = (
    select(CustomField)
    .where(CustomField.case_type_id.in_(bindparam("case_type_ids", expanding=True)))
    .order_by(CustomField.position)
)


def fields_of(session: Session, case_type_ids: Iterable[str]) -> dict[str, list[CustomField]]:
    """The custom fields of case types in order, removed ones included."""
    wanted = sorted(set(case_type_ids))
    found: dict[str, list[CustomField]] = {case_type_id: [] for case_type_id in wanted}
    if not wanted:
        return found
    for field in session.scalars(_FIELDS, {"case_type_ids": wanted}):
        found[field.case_type_id].append(field)
    return found


def hold_fields(session: Session, case_type_ids: Iterable[str], keys: Iterable[str]) -> None:
    """Before values of these fields are written, and after any case's lock: how the fields are defined does not change
    before the end of the transaction."""
    held = (
        select(CustomField.key)
        .where(
            CustomField.case_type_id.in_(sorted(set(case_type_ids))), among(session, CustomField.key, sorted(set(keys)))
        )
        .order_by(CustomField.case_type_id, CustomField.key)
        .with_for_update(read=True)
    )
    session.execute(held)


def _field_values(field: Record) -> Record:
    return {
        "key": field["key"],
        "label": field["label"],
        "type": field["type"],
        "required": field.get("required", False),
        "sensitive": field.get("sensitive", False),
        "options": list(field.get("options") or []),
    }


def replace_fields(uow: UnitOfWork, case_type_id: str, wanted: Sequence[Record], now: dt.datetime) -> None:
    """Makes `wanted` the custom fields of the type, in this order, and tells which become sensitive. Raises Conflict
    `custom_field_in_use`, and `field_in_saved_filter` of one that becomes sensitive."""
    session = uow.session
    becoming = _becoming_sensitive(session, case_type_id, wanted)
    # A value that is being written is seen below, and a filter that is being kept, whatever type's field it means.
    theirs = select(CustomField.key).where(
        or_(CustomField.case_type_id == case_type_id, CustomField.key.in_(sorted(becoming)))
    )
    session.execute(theirs.order_by(CustomField.case_type_id, CustomField.key).with_for_update())
    refuse_named_values(session, becoming, SavedFilter, CaseList)
    for key in becoming:
        uow.emit(FIELD_BECAME_SENSITIVE, case_type_id, {"case_type_id": case_type_id, "field": key})
    present = {field.key: field for field in fields_of(session, [case_type_id])[case_type_id]}
    for position, entry in enumerate(wanted):
        field = present.pop(entry["key"], None)
        if field is None:
            session.add(CustomField(case_type_id=case_type_id, position=position, **_field_values(entry)))
            continue
        if field.type != entry["type"] and _has_values(session, case_type_id, field.key):
            message = f"The field {field.key} has values of its present type."
            fields = [{"field": f"custom_fields.{position}.type", "message": message}]
            raise Conflict("custom_field_in_use", fields=fields, key=field.key)
        if field.sensitive != entry.get("sensitive", False):
            field.resealing = True
        for name, value in _field_values(entry).items():
            setattr(field, name, value)
        field.position = position
        field.removed_at = None
    for field in present.values():
        field.removed_at = field.removed_at or now


def _becoming_sensitive(session: Session, case_type_id: str, wanted: Sequence[Record]) -> dict[str, str]:
    """By key, the places in `wanted` of what is sensitive and was not, or was not there. (The type is locked: nobody
    else changes what its fields are.)"""
    sensitive = select(CustomField.key).where(
        CustomField.case_type_id == case_type_id, CustomField.removed_at.is_(None), CustomField.sensitive
    )
    present = set(session.scalars(sensitive))
    return {
        entry["key"]: f"custom_fields.{position}.sensitive"
        for position, entry in enumerate(wanted)
        if entry.get("sensitive", False) and entry["key"] not in present
    }


def _has_values(session: Session, case_type_id: str, key: str) -> bool:
    of_type = select(1).where(
        CaseFieldValue.key == key, Case.id == CaseFieldValue.case_id, Case.case_type_id == case_type_id
    )
    return bool(session.scalar(select(exists(of_type))))
