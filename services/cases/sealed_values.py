"""The values of sensitive custom fields: sealed with a key of each case's own, found by blind indexes.

In `cases.custom_fields` such a value is {"sealed": text}, in `case_field_value` a keyed hash, by which a filter finds
equal ones and nothing else. A case that is emptied loses its key: what is left of it, in a backup say, nobody can read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, delete, exists, false
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import Select

from chassis.context import current
from chassis.custom_fields import Values, visible
from chassis.database import UnitOfWork
from chassis.filters.fields import Reading
from chassis.sealing import OwnerKeys, Sealing
from chassis.value_sets import among
from contracts.errors import Forbidden
from services.cases.models import Case, CaseFieldValue, CaseKey, CustomField, FirmKey

SEALING = Sealing(FirmKey, CaseKey, "case_id")
PERMISSION = "clients.read_sensitive"
SEALED = "sealed"
"""What a sealed value is kept under."""
_TABLE = Case.__tablename__


def opened(session: Session, stored: Mapping[str, Values]) -> dict[str, Values]:
    """The values of cases in clear: {case id: values}. What nobody can read any more is left out."""
    holding = [case_id for case_id, values in stored.items() if any(map(is_sealed, values.values()))]
    keys = SEALING.keys_of(session, holding) if holding else None
    return {
        case_id: _opened(keys, case_id, values) if keys is not None and case_id in holding else dict(values)
        for case_id, values in stored.items()
    }


def sealed(
    uow: UnitOfWork, fields: Iterable[CustomField], case_id: str, stored: Values, before: Values, after: Values
) -> Values:
    """The values of a case, whose row is there, as it will keep them. `stored`: as it does now, `before`: in clear."""
    sensitive = {field.key for field in fields if field.sensitive} & after.keys()
    kept = {key: stored[key] for key in sensitive if is_sealed(stored.get(key)) and before.get(key) == after[key]}
    new = sensitive - kept.keys()
    if new:
        keys = SEALING.keys_to_seal(uow, [case_id])
        kept |= {key: {SEALED: keys.seal(case_id, _text(after[key]), *_place(case_id, key))} for key in new}
    return {key: kept.get(key, value) for key, value in after.items()}


def seal_new(
    uow: UnitOfWork, cases: Mapping[str, tuple[Iterable[CustomField], Values]]
) -> tuple[dict[str, Values], Any]:
    """The values of new cases, {case id: (fields, values)}, as they will be kept, and what stores their keys once the
    rows of the cases are there."""
    sensitive = {
        case_id: {field.key for field in fields if field.sensitive} & values.keys()
        for case_id, (fields, values) in cases.items()
    }
    holding = sorted(case_id for case_id, keys in sensitive.items() if keys)
    if not holding:
        return {case_id: dict(values) for case_id, (_, values) in cases.items()}, lambda: None
    keys = SEALING.keys_to_seal(uow, holding, new=True)
    kept = {
        case_id: {
            key: {SEALED: keys.seal(case_id, _text(value), *_place(case_id, key))}
            if key in sensitive[case_id]
            else value
            for key, value in values.items()
        }
        for case_id, (_, values) in cases.items()
    }
    return kept, lambda: SEALING.store_new(uow, keys, holding)


def blind(uow: UnitOfWork, key: str, words: Iterable[Any]) -> list[str]:
    """The blind indexes of the words of a sensitive field, each once."""
    keys = SEALING.keys_to_seal(uow, [])
    return list(dict.fromkeys(keys.blind(_column(key), _word(word)) for word in words))


def destroy_keys(uow: UnitOfWork, case_ids: Collection[str]) -> None:
    """Nobody can read from now on what is sealed of these cases."""
    theirs = delete(CaseKey).where(among(uow.session, CaseKey.case_id, case_ids))
    uow.session.execute(theirs, execution_options={"synchronize_session": False})


@dataclass(frozen=True, eq=False)
class SealedRows:
    """How a filter comes to a sensitive field: by equality only. `rows`: those of the case under the key."""

    session: Session
    key: str
    rows: Select[Any]
    within: ColumnElement[bool]

    def test(self, reading: Reading, now: dt.datetime) -> ColumnElement[bool]:
        if reading.test == "any":
            return and_(self.within, exists(self.rows))
        hashes = [SEALING.blind(self.session, _column(self.key), _word(value)) for value in reading.values]
        wanted = [entry for entry in hashes if entry is not None]
        # A firm that has sealed nothing yet has nothing to be found.
        return and_(self.within, exists(self.rows.where(CaseFieldValue.start.in_(wanted)))) if wanted else false()


def sees_sensitive() -> bool:
    """Whether the caller may see and change what is sensitive. Code that runs for nobody may."""
    context = current()
    return context is None or context.sees_sensitive


def may_look_for_sensitive() -> bool:
    """Whether a filter may name what is sensitive: by who may see it, and by the system's own work."""
    context = current()
    return sees_sensitive() or (context is not None and context.actor_kind == "system")


def shown(fields: Iterable[CustomField], values: Values, *, to_all: bool = False) -> tuple[Values, list[str]]:
    """What of the values in clear the caller may see, or anybody may (`to_all`), and the names of what is hidden."""
    defined = list(fields)
    seen = visible(defined, values)
    if not to_all and sees_sensitive():
        return seen, []
    sensitive = {field.key for field in defined if field.sensitive}
    return (
        {key: value for key, value in seen.items() if key not in sensitive},
        [f"custom_fields.{key}" for key in seen if key in sensitive],
    )


def refuse_sensitive_changes(fields: Iterable[CustomField], given: Collection[str]) -> None:
    """Raises Forbidden `permission_denied`, naming the fields, if the caller may not change one of them."""
    if sees_sensitive():
        return
    # Removed ones too: a value that is there already would be taken again, which tells what it is.
    sensitive = {field.key for field in fields if field.sensitive}
    named = [
        {"field": f"custom_fields.{key}", "message": "Sensitive: needs another permission."}
        for key in sorted(sensitive.intersection(given))
    ]
    if named:
        raise Forbidden("permission_denied", fields=named, permission=PERMISSION)


def is_sealed(value: Any) -> bool:
    """Whether a stored value is."""
    return isinstance(value, dict)


def _opened(keys: OwnerKeys, case_id: str, values: Values) -> Values:
    result: Values = {}
    for key, value in values.items():
        if not is_sealed(value):
            result[key] = value
        elif (text := keys.unseal(case_id, value[SEALED], *_place(case_id, key))) is not None:
            result[key] = orjson.loads(text)
    return result


def _place(case_id: str, key: str) -> tuple[str, str, str]:
    return _TABLE, _column(key), case_id


def _column(key: str) -> str:
    return f"custom_fields.{key}"


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _word(value: Any) -> str:
    """What equal values have in common, as they are kept and as a filter has them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return f"{Decimal(str(value)).normalize():f}"
    return value.isoformat() if isinstance(value, dt.date) else str(value)
