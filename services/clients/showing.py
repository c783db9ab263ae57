"""What of a record is shown to who asks: not the values of removed fields, and what is sensitive only to those who may
see it (permission `clients.read_sensitive`, which the context carries)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from chassis.context import current
from contracts.errors import Forbidden
from services.clients.checking import Record
from services.clients.custom_fields import definitions, not_for_all

SENSITIVE = ("date_of_birth", "government_ids")
PERMISSION = "clients.read_sensitive"


def sees_sensitive() -> bool:
    """Whether the caller may see and change what is sensitive. Code that runs for nobody may."""
    context = current()
    return context is None or context.sees_sensitive


def shown(session: Session, records: Iterable[Record], *, to_all: bool = False) -> list[Record]:
    """The records as the caller may see them, or as anybody may (`to_all`). `hidden` names what is there and is not
    shown."""
    given = list(records)
    fields = not_for_all(session) if any(record["custom_fields"] for record in given) else ()
    removed = {field.key for field in fields if field.removed_at is not None}
    hiding = to_all or not sees_sensitive()
    sensitive = {field.key for field in fields if field.sensitive}
    return [_shown(record, removed, sensitive if hiding else set(), hiding) for record in given]


def _shown(record: Record, removed: set[str], sensitive: set[str], hiding: bool) -> Record:
    result: Record = {**record, "hidden": []}
    if removed or sensitive:
        custom: dict[str, Any] = {key: value for key, value in record["custom_fields"].items() if key not in removed}
        result["hidden"] = [f"custom_fields.{key}" for key in custom if key in sensitive]
        result["custom_fields"] = {key: value for key, value in custom.items() if key not in sensitive}
    if hiding:
        there = [name for name in SENSITIVE if record[name]]
        result["hidden"] = [*there, *result["hidden"]]
        result.update(dict.fromkeys(there))
    return result


def hidden_fields(session: Session, *, to_all: bool = False) -> set[str]:
    """The names of the fields that the caller may not see, or that not everybody may (`to_all`)."""
    if not to_all and sees_sensitive():
        return set()
    return {*SENSITIVE, *(f"custom_fields.{field.key}" for field in definitions(session) if field.sensitive)}


def refuse_sensitive_changes(session: Session, changes: Record) -> None:
    """Raises Forbidden `permission_denied`, naming the fields, if the caller may not change one of them."""
    if sees_sensitive():
        return
    keys = list(changes.get("custom_fields") or ())
    sensitive = {field.key for field in definitions(session) if field.sensitive} if keys else set()
    names = [name for name in SENSITIVE if name in changes]
    names += [f"custom_fields.{key}" for key in keys if key in sensitive]
    if names:
        named = [{"field": name, "message": "Sensitive: needs another permission."} for name in names]
        raise Forbidden("permission_denied", fields=named, permission=PERMISSION)
