"""What an import made, and what it changed of cases that there were: their values before and after it, for an undo.

The values are sealed with the case's own key, and go with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from chassis.database import UnitOfWork
from chassis.imports.kept_values import KeptValues
from chassis.imports.undoing import CUSTOM, Values
from services.cases.imports.loading import PLAIN
from services.cases.imports.rows import Record
from services.cases.models import CaseImportChange
from services.cases.sealed_values import SEALING

COMPARED = (
    *(name for name in PLAIN if name != "case_type_id"), "archived", "clients", "staff_ids", "key_dates",
)  # fmt: skip
KEPT = KeptValues(SEALING, CaseImportChange)


def record_made(uow: UnitOfWork, import_id: str, case_ids: Iterable[str]) -> None:
    """Notes the cases that an import made."""
    rows = [{"import_id": import_id, "case_id": case_id, "version": 1, "made": True} for case_id in case_ids]
    uow.insert(CaseImportChange, rows)


def record_changes(
    uow: UnitOfWork, import_id: str, pairs: Sequence[tuple[Record, Record]], versions: dict[str, int]
) -> None:
    """Keeps what differs in records that were changed (before, after), with the version that each has now. Of one that
    the import changed before, what it was at first; of one that it made, its version alone."""
    if not pairs:
        return
    ids = sorted(versions)
    stored = select(CaseImportChange).where(CaseImportChange.import_id == import_id, CaseImportChange.case_id.in_(ids))
    known = uow.session.scalars(stored).all()
    made = {change.case_id for change in known if change.made}
    first = KEPT.by_owner(uow.session, known)
    keys = SEALING.keys_to_seal(uow, [id_ for id_ in ids if id_ not in made])
    rows = []
    for before, after in sorted(pairs, key=lambda pair: str(pair[0]["id"])):
        case_id = before["id"]
        row: dict[str, Any] = {"import_id": import_id, "case_id": case_id, "version": versions[case_id], "values": None}
        if case_id not in made:
            row["values"] = KEPT.sealed(keys, case_id, first.get(case_id, {}), differences(before, after))
        rows.append(row)
    uow.upsert(CaseImportChange, rows, key=("import_id", "case_id"), change=("version", "values"))


def differences(before: Record, after: Record) -> Values:
    """What differs in two records of a case."""
    values: Values = {
        name: (plain_value(before[name]), plain_value(after[name])) for name in COMPARED if before[name] != after[name]
    }
    old, new = before["custom_fields"], after["custom_fields"]
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            values[CUSTOM + key] = (old.get(key), new.get(key))
    return values


def changes_to(before: Record, after: Record) -> Record:
    """What differs as `records.apply_changes` takes it, without `archived`; a custom field that goes is null."""
    changes: Record = {name: after[name] for name in COMPARED if before[name] != after[name] and name != "archived"}
    old, new = before["custom_fields"], after["custom_fields"]
    custom = {key: new.get(key) for key in sorted({*old, *new}) if old.get(key) != new.get(key)}
    return changes | ({"custom_fields": custom} if custom else {})


def plain_value(value: Any) -> Any:
    """A field's value as JSON has it."""
    if isinstance(value, list):
        return [plain_value(entry) for entry in value]
    if isinstance(value, dict):
        return {name: plain_value(entry) for name, entry in value.items()}
    if isinstance(value, dt.date):
        return value.isoformat()
    return f"{value:.2f}" if isinstance(value, Decimal) else value


def python_value(name: str, value: Any) -> Any:
    """A field's value as records have it."""
    if name == "key_dates":
        return [{**entry, "day": dt.date.fromisoformat(entry["day"])} for entry in value]
    return Decimal(value) if name == "value" and value is not None else value
