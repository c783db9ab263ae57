"""API keys: made once, kept as a hash, resolved to who calls."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update

from chassis.columns import new_id
from chassis.database import Database
from chassis.paging import page
from chassis.telemetry import log_of
from chassis.tokens import hash_token
from chassis.unit_of_work import UnitOfWork
from contracts.accounts import API_KEY_REVOKED
from contracts.errors import Forbidden, NotFound, Unauthorized, Unavailable, invalid_field
from services.accounts.actors import Actor, find_actor
from services.accounts.models import ApiKey, Staff
from services.accounts.permissions import ALL, outranks, permitted

Record = dict[str, Any]

LAST_USE_EVERY = dt.timedelta(minutes=1)
"""How exact a key's last use is: writing it at each request would make every read a write."""
_PREFIX_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # pragma: allowlist secret
_SORTS = {"name": ApiKey.name, "created_at": ApiKey.created_at}

_log = log_of(__name__)


@dataclass(frozen=True)
class NewKey:
    """A key that was just made: the only place where it is whole."""

    key: str
    prefix: str
    key_hash: str


def new_key() -> NewKey:
    """`cw_<prefix>_<secret>`: the prefix tells keys apart and is shown, the secret has 256 random bits."""
    prefix = "cw_" + "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(8))
    key = f"{prefix}_{secrets.token_urlsafe(32)}"
    return NewKey(key, prefix, hash_token(key))


def key_row(key: NewKey, now: dt.datetime, *, staff_id: str, name: str, **values: Any) -> ApiKey:
    """The record of a new key."""
    return ApiKey(
        id=new_id(),
        staff_id=staff_id,
        name=name,
        prefix=key.prefix,
        key_hash=key.key_hash,
        created_at=now,
        updated_at=now,
        **values,
    )


def resolve_api_key(db: Database, now: dt.datetime, key_hash: str) -> Record:
    """Who calls with the key of this hash, and what it may do.

    Raises Unauthorized `invalid_api_key`, one and the same for unknown, expired, revoked, and of inactive staff.
    """
    everywhere = db.across_firms("a credential is looked up before its firm is known")
    statement = (
        select(ApiKey, Staff)
        .join(Staff, (Staff.firm_id == ApiKey.firm_id) & (Staff.id == ApiKey.staff_id))
        .where(ApiKey.key_hash == key_hash)
    )
    with everywhere.read() as session:
        found = session.execute(statement).one_or_none()
    if found is None:
        raise Unauthorized("invalid_api_key")
    key, staff = found
    if not (key.is_valid(now) and staff.active):
        raise Unauthorized("invalid_api_key")
    if key.last_used_at is None or key.last_used_at <= now - LAST_USE_EVERY:
        _record_use(db.for_firm(key.firm_id), now, key.id)
    return {
        "firm_id": key.firm_id,
        "staff_id": staff.id,
        "api_key_id": key.id,
        "role": staff.role,
        "permissions": permitted(staff.role, key.scopes),
        "case_type_ids": staff.case_type_ids,
        "expires_at": key.expires_at,
    }


def list_api_keys(db: Database, **paging: Any) -> Record:
    """The firm's keys, the revoked ones included, without their secrets."""
    with db.read() as session:
        keys, meta = page(session, select(ApiKey), model=ApiKey, sorts=_SORTS, default_sort="-created_at", **paging)
        return {"data": [as_record(key) for key in keys], "meta": meta}


def create_api_key(
    db: Database,
    now: dt.datetime,
    key: NewKey,
    *,
    name: str,
    staff_id: str | None = None,
    scopes: list[str] | None = None,
    expires_at: dt.datetime | None = None,
    by_api_key_id: str | None = None,
) -> Record:
    """A key for the caller, or for a staff member who is not above the caller, at most as wide as the caller's own, and
    good for no longer.

    Raises Invalid, NotFound `staff_not_found`, or Forbidden `role_escalation`, `scope_escalation`,
    `case_type_escalation` or `expiry_escalation`. The key is in this answer only: a repetition under the same
    idempotency key gets the record without it.
    """
    scopes = sorted(set(scopes or []))
    for position, scope in enumerate(scopes):
        if scope not in ALL:
            raise invalid_field(f"scopes.{position}", "Not a permission.", code="unknown_scope")
    if expires_at is not None and expires_at <= now:
        raise invalid_field("expires_at", "Must be in the future.")
    with db.unit_of_work() as uow:
        actor = find_actor(uow.session, db.context, by_api_key_id)
        staff = _holder(uow, actor, staff_id)
        _refuse_wider(actor, staff, scopes, expires_at)
        row = key_row(key, now, staff_id=staff.id, name=name, scopes=scopes, expires_at=expires_at)
        uow.session.add(row)
        uow.session.flush()
        record = as_record(row)
        # What is stored for a repetition must not hold the secret.
        uow.answer(record)
    return {**record, "key": key.key}


def revoke_api_key(db: Database, now: dt.datetime, api_key_id: str) -> Record:
    """Ends a key at once; one that has ended stays as it is. Raises NotFound `api_key_not_found`."""
    with db.unit_of_work() as uow:
        statement = select(ApiKey).where(ApiKey.id == api_key_id).with_for_update()
        key = uow.session.scalars(statement).one_or_none()
        if key is None:
            raise NotFound("api_key_not_found", api_key_id=api_key_id)
        _revoke(uow, key, now)
        return uow.answer(as_record(key))


def revoke_keys_of(uow: UnitOfWork, staff_id: str, now: dt.datetime) -> None:
    """Ends every key of a staff member who left, in the transaction that says so."""
    statement = select(ApiKey).where(ApiKey.staff_id == staff_id, ApiKey.revoked_at.is_(None)).with_for_update()
    for key in uow.session.scalars(statement).all():
        _revoke(uow, key, now)


def as_record(key: ApiKey) -> Record:
    """The key as the contract describes it: without the secret and its hash."""
    return {
        "id": key.id,
        "version": key.version,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "name": key.name,
        "prefix": key.prefix,
        "staff_id": key.staff_id,
        "scopes": key.scopes,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _holder(uow: UnitOfWork, actor: Actor, staff_id: str | None) -> Staff:
    wanted = staff_id or actor.staff_id
    if wanted is None:
        raise invalid_field("staff_id", "Name whose key it is.")
    statement = select(Staff).where(Staff.id == wanted, Staff.active).with_for_update()
    staff = uow.session.scalars(statement).one_or_none()
    if staff is None:
        raise NotFound("staff_not_found", staff_id=wanted)
    return staff


def _refuse_wider(actor: Actor, staff: Staff, scopes: list[str], expires_at: dt.datetime | None) -> None:
    if actor.role is not None and outranks(staff.role, actor.role):
        raise Forbidden("role_escalation", role=staff.role)
    if actor.scopes and not set(permitted(staff.role, scopes)) <= set(actor.scopes):
        raise Forbidden("scope_escalation")
    if not actor.covers(staff.case_type_ids):
        raise Forbidden("case_type_escalation")
    if actor.key_ends is not None and (expires_at is None or expires_at > actor.key_ends):
        raise Forbidden("expiry_escalation")


def _revoke(uow: UnitOfWork, key: ApiKey, now: dt.datetime) -> None:
    if key.revoke(now):
        data = {"api_key_id": key.id, "key_hash": key.key_hash}
        uow.emit(API_KEY_REVOKED, key.id, data, aggregate_version=key.version)


def _record_use(db: Database, now: dt.datetime, api_key_id: str) -> None:
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - LAST_USE_EVERY)
    statement = update(ApiKey).where(ApiKey.id == api_key_id, stale).values(last_used_at=now)
    try:
        with db.unit_of_work() as uow:
            uow.session.execute(statement, execution_options={"synchronize_session": False})
    except Unavailable as error:
        # A database that cannot be written just now is no reason to refuse a read.
        _log.warning("last_use_not_recorded", api_key_id=api_key_id, code=error.code)
