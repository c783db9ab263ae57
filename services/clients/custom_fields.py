"""The fields that a firm adds to its clients: their definitions, and the values that a client may have.

- Only defined fields take values; one that is misspelt is refused. An import defines, as text, what it is told to fill
  and nobody has defined (`define_missing`).
- A removed field keeps its stored values, hidden; the same field added again shows them.
- The type of a field with stored values cannot change.
- An option that is taken away stays where it is stored.
- A field made required binds new clients, and the next change that names it.
- The values of a sensitive field lie sealed. One that is made sensitive, or no longer, has its values moved in batches
  in the background; what callers are shown follows the definition from its commit on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.custom_fields import Definition, definition_problems
from chassis.database import Database, UnitOfWork
from chassis.filters.saved import refuse_named_values
from chassis.paging import page
from chassis.value_sets import among
from chassis.words import UnfitText, clean_text
from contracts.clients import CLIENT_FIELD_RESEALING
from contracts.errors import Conflict, Invalid, NotFound, Unavailable
from services.clients.models import Client, ClientField, ClientGroup, SavedFilter

MOST_FIELDS = 200
_SHOWN = ("id", "version", "created_at", "updated_at", "position", "key", "label", "type", "required", "sensitive",
          "options")  # fmt: skip
_SORTS = {"position": ClientField.position, "key": ClientField.key, "label": ClientField.label}
# Made once: to put them together takes longer than to run them.
_ALL = select(ClientField).order_by(ClientField.position, ClientField.id)
_NOT_FOR_ALL = select(ClientField.key, ClientField.removed_at, ClientField.sensitive).where(
    or_(ClientField.removed_at.is_not(None), ClientField.sensitive)
)

Record = dict[str, Any]


def definitions(session: Session) -> Sequence[ClientField]:
    """All fields in order, removed ones included."""
    return session.scalars(_ALL).all()


def held_definitions(session: Session, keys: Collection[str]) -> Sequence[ClientField]:
    """`definitions`; those of the keys, by which values are about to be written, do not change before the end of the
    transaction. After any client's lock."""
    if keys:
        hold_sensitive_keys(session, keys)
    return definitions(session)


def not_for_all(session: Session) -> Sequence[Any]:
    """(`key`, `removed_at`, `sensitive`) of the fields whose values are not shown to everybody."""
    return session.execute(_NOT_FOR_ALL).all()


def hold_sensitive_keys(session: Session, keys: Iterable[str]) -> set[str]:
    """Those of the keys whose fields' values are sealed, removed ones included. Which they are does not change before
    the end of the transaction: a value that is being written would be overlooked where those that are there are
    sealed. After any client's lock."""
    held = (
        select(ClientField.key, ClientField.sensitive)
        .where(among(session, ClientField.key, sorted(set(keys))))
        .order_by(ClientField.key)
        .with_for_update(read=True)
    )
    return {key for key, sensitive in session.execute(held) if sensitive}


def hold_as_read(session: Session, fields: Iterable[Definition]) -> None:
    """None of these fields takes other values before the end of the transaction. After any client's lock. Raises
    Unavailable `client_field_changed` if one does since values were read by it; then they are read again."""
    read = {field.key: _takes(field) for field in fields}
    held = (
        select(ClientField.key, ClientField.type, ClientField.required, ClientField.options)
        .where(among(session, ClientField.key, sorted(read)))
        .order_by(ClientField.key)
        .with_for_update(read=True)
    )
    if read and any(_takes(row) != read[row.key] for row in session.execute(held)):
        raise Unavailable("client_field_changed")


def _takes(field: Any) -> tuple[Any, ...]:
    return field.type, field.required, field.options


def list_client_fields(
    db: Database, *, limit: int = 50, cursor: str | None = None, sort: str | None = None
) -> dict[str, Any]:
    """A page of fields in their order. `sort`: position, key, label."""
    with db.read() as session:
        rows, meta = page(
            session, select(ClientField).where(ClientField.removed_at.is_(None)), model=ClientField, sorts=_SORTS,
            default_sort="position", limit=limit, cursor=cursor, sort=sort,
        )  # fmt: skip
        return {"data": [_record(row) for row in rows], "meta": meta}


def get_client_field(db: Database, *, client_field_id: str) -> Record:
    """Raises NotFound `client_field_not_found`."""
    with db.read() as session:
        return _record(_find(session, client_field_id))


def create_client_field(db: Database, now: dt.datetime, **command: Any) -> Record:
    """The new field; one of that key that was removed comes back, with its values.

    Raises Invalid, Conflict `client_field_exists`, `client_field_in_use` (values of another type are stored under the
    key), `field_in_saved_filter` (it comes back as a sensitive one) or `too_many_client_fields`.
    """
    fields = _checked({"required": False, "sensitive": False, "options": [], **command})
    try:
        with db.unit_of_work() as uow:
            session = uow.session
            known = session.scalar(select(ClientField).where(ClientField.key == fields["key"]).with_for_update())
            if known is not None and known.removed_at is None:
                raise Conflict("client_field_exists", client_field_id=known.id)
            _refuse_too_many(session, 1)
            fields.setdefault("position", _next_position(session))
            if known is None:
                made = ClientField(id=new_id(), created_at=now, updated_at=now, **fields)
                session.add(made)
            else:
                made = known
                made.removed_at = None
                _apply(uow, made, fields, now)
            session.flush()
            return uow.answer(_record(made))
    except IntegrityError as error:
        raise Conflict("client_field_exists") from error


def update_client_field(
    db: Database,
    now: dt.datetime,
    *,
    client_field_id: str,
    changes: dict[str, Any],
    expected_version: int | None = None,
) -> Record:
    """The field with its changes. Raises Invalid, NotFound `client_field_not_found`, Conflict `stale_version`,
    `client_field_in_use`, or `field_in_saved_filter` of one that becomes sensitive."""
    with db.unit_of_work() as uow:
        found = _find(uow.session, client_field_id, lock=True)
        found.expect_version(expected_version)
        before = {name: getattr(found, name) for name in ("label", "type", "options")}
        _apply(uow, found, _checked({**before, **changes}), now)
        uow.session.flush()
        return uow.answer(_record(found))


def delete_client_field(db: Database, now: dt.datetime, *, client_field_id: str) -> None:
    """Its values stay stored, and are hidden. Raises NotFound `client_field_not_found`."""
    with db.unit_of_work() as uow:
        found = _find(uow.session, client_field_id, lock=True)
        found.removed_at, found.updated_at, found.version = now, now, found.version + 1


def define_missing(uow: UnitOfWork, keys: Iterable[str], now: dt.datetime) -> None:
    """Defines, as texts, the fields that an import fills and nobody has defined. Raises Conflict
    `too_many_client_fields`."""
    wanted = list(dict.fromkeys(keys))
    known = {field.key: field for field in definitions(uow.session)}
    new = [key for key in wanted if key not in known]
    back = [known[key] for key in wanted if key in known and known[key].removed_at is not None]
    if new or back:
        _refuse_too_many(uow.session, len(new) + len(back))
    for field in back:
        field.removed_at, field.updated_at, field.version = None, now, field.version + 1
    first = _next_position(uow.session)
    rows = [
        {"position": first + at, "key": key, "label": key.replace("_", " ").capitalize(), "type": "text",
         "created_at": now, "updated_at": now}
        for at, key in enumerate(new)
    ]  # fmt: skip
    uow.insert(ClientField, rows, ignore_conflicts=True)


def _checked(fields: Record) -> Record:
    problems = definition_problems(fields)
    for name, value in [
        ("label", fields["label"]),
        *((f"options.{at}", it) for at, it in enumerate(fields["options"])),
    ]:
        try:
            if clean_text(value) != value and (name != "label" or clean_text(value) is None):
                problems.append({"field": name, "message": "Blank, or with spaces at its ends."})
        except UnfitText as error:
            problems.append({"field": name, "message": str(error)})
    if problems:
        raise Invalid("invalid_input", fields=problems)
    return {**fields, "label": clean_text(fields["label"])}


def _apply(uow: UnitOfWork, field: ClientField, fields: Record, now: dt.datetime) -> None:
    if fields["type"] != field.type and has_values(uow.session, field.key):
        message = "Clients have values of its present type."
        named = [{"field": "type", "message": message}]
        raise Conflict("client_field_in_use", fields=named, key=field.key)
    if fields.get("sensitive", field.sensitive) != field.sensitive:
        if not field.sensitive:
            refuse_named_values(uow.session, {field.key: "sensitive"}, SavedFilter, ClientGroup)
        data = {"client_field_id": field.id, "after": None}
        uow.emit(CLIENT_FIELD_RESEALING, field.id, data)
    for name, value in fields.items():
        setattr(field, name, value)
    field.touch(now)


def has_values(session: Session, key: str) -> bool:
    """Whether any client, archived ones included, has a value of a field."""
    return bool(session.scalar(select(exists(select(1).where(holds(session, key)).select_from(Client)))))


def holds(session: Session, key: str) -> ColumnElement[bool]:
    """Whether a client has a value of a field, sealed or not."""
    if session.get_bind().dialect.name == "postgresql":
        found: ColumnElement[bool] = func.jsonb_exists(Client.custom_fields, key)
        return found
    return func.json_type(Client.custom_fields, f'$."{key}"').is_not(None)


def _refuse_too_many(session: Session, more: int) -> None:
    count = select(func.count()).select_from(ClientField).where(ClientField.removed_at.is_(None))
    if session.scalars(count).one() + more > MOST_FIELDS:
        raise Conflict("too_many_client_fields", most=MOST_FIELDS)


def _next_position(session: Session) -> int:
    return int(session.scalars(select(func.coalesce(func.max(ClientField.position) + 1, 0))).one())


def _find(session: Session, client_field_id: str, *, lock: bool = False) -> ClientField:
    statement = select(ClientField).where(ClientField.id == client_field_id, ClientField.removed_at.is_(None))
    found: ClientField | None = session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("client_field_not_found", client_field_id=client_field_id)
    return found


def _record(field: ClientField) -> Record:
    return {name: getattr(field, name) for name in _SHOWN}
