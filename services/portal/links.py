"""Secure links: made for a client, opened by whoever holds the token, ended by time or by revocation."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database
from chassis.value_sets import among
from contracts.errors import Gone, Invalid, NotFound, invalid_field
from contracts.portal import LINK_REVOKED, LINK_USED
from services.portal.models import Link, live

Record = dict[str, Any]

_MATTERS = ("client_id", "contact_id", "kind", "case_task_id", "case_form_id", "case_ids", "delivery_id")
_NAMED_BY = {"task": "case_task_id", "form": "case_form_id"}
_USED = ("client_id", "contact_id", "case_task_id", "channel")
_REGISTERED = ("id", "token_hash", "expires_at")


def register_links(db: Database, now: dt.datetime, *, links: list[Record], link_days: int) -> Record:
    """Many links in one transaction, set-based: {"links": [{link_id, token_hash, expires_at}]} in the order asked.

    A link that is registered again stays as it is. A link of a delivery replaces the delivery's earlier ones.
    Raises Invalid that names the link, e.g. `links.3.scope.case_task_id`.
    """
    rows = [_row(link, now, link_days, f"links.{position}.") for position, link in enumerate(links)]
    hashes = [row["token_hash"] for row in rows]
    with db.unit_of_work() as uow:
        made = uow.insert_returning(Link, rows, *_REGISTERED, ignore_conflicts=True)
        known: dict[str, Any] = {link.token_hash: link for link in made}
        if len(known) < len(rows):
            known = _stored(uow.session, rows)
        deliveries = [row["delivery_id"] for row in rows if row["delivery_id"] is not None]
        if deliveries:
            stays = among(uow.session, Link.id, [link.id for link in known.values()])
            replaced = (
                update(Link)
                .where(among(uow.session, Link.delivery_id, deliveries), ~stays, Link.revoked_at.is_(None))
                .values(revoked_at=now, revoked_for="replaced", version=Link.version + 1, updated_at=now)
            )
            uow.session.execute(replaced, execution_options={"synchronize_session": False})
        return uow.answer({"links": [_registered(known[token_hash]) for token_hash in hashes]})


def _stored(session: Session, rows: list[Record]) -> dict[str, Any]:
    """The links of these rows, some of which were there before. Raises Invalid for one that stands for another."""
    found = session.scalars(select(Link).where(Link.token_hash.in_([row["token_hash"] for row in rows]))).all()
    known = {link.token_hash: link for link in found}
    for position, row in enumerate(rows):
        link = known.get(row["token_hash"])
        if link is None or any(getattr(link, name) != row[name] for name in _MATTERS):
            raise invalid_field(f"links.{position}.token_hash", "Stands for another link.", "token_hash_taken")
    return known


def create_link(db: Database, now: dt.datetime, *, link: Record, link_days: int) -> Record:
    """One link, as `register_links`: {link_id, token_hash, expires_at}. Raises Invalid, also where the token stands for
    a link that has ended: its address, which an old idempotency key gives again, would open nothing."""
    row = _row(link, now, link_days, "")
    with db.unit_of_work() as uow:
        uow.insert(Link, [row], ignore_conflicts=True)
        found = uow.session.scalars(select(Link).where(Link.token_hash == row["token_hash"])).one_or_none()
        if found is None or not found.is_live(now) or any(getattr(found, name) != row[name] for name in _MATTERS):
            raise invalid_field("token_hash", "Stands for another link.", "token_hash_taken")
        return uow.answer(_registered(found))


def get_link(db: Database, link_id: str) -> Record:
    """One link, live or not. Raises NotFound `link_not_found`."""
    with db.read() as session:
        link = session.scalars(select(Link).where(Link.id == link_id)).one_or_none()
        if link is None:
            raise NotFound("link_not_found", link_id=link_id)
        return as_record(link)


def revoke_link(db: Database, now: dt.datetime, link_id: str) -> Record:
    """Ends a link at once; one that was ended stays as it is. Raises NotFound `link_not_found`."""
    with db.unit_of_work() as uow:
        statement = select(Link).where(Link.id == link_id).with_for_update()
        link = uow.session.scalars(statement).one_or_none()
        if link is None:
            raise NotFound("link_not_found", link_id=link_id)
        if link.revoke("staff", now):
            data = {"link_id": link.id, "client_id": link.client_id}
            uow.emit(LINK_REVOKED, link.id, data, aggregate_version=link.version)
        return uow.answer(as_record(link))


def open_link(db: Database, now: dt.datetime, token_hash: str) -> Record:
    """{link_id, firm_id} of the live link of this token. Writes nothing, since previews and scanners open links.

    Raises Gone `link_gone`, one and the same for wrong, expired and revoked.
    """
    everywhere = db.across_firms("a link is opened before its firm is known")
    with everywhere.read() as session:
        link = session.scalars(select(Link).where(Link.token_hash == token_hash, live(now))).one_or_none()
    if link is None:
        raise Gone("link_gone")
    return {"link_id": link.id, "firm_id": link.firm_id}


def live_link(db: Database, now: dt.datetime, link_id: str) -> Link:
    """The live link behind a signed cookie. Raises Gone `link_gone`."""
    everywhere = db.across_firms("a page is shown before its firm is known: the link tells it")
    with everywhere.read() as session:
        link = session.scalars(select(Link).where(Link.id == link_id, live(now))).one_or_none()
    if link is None:
        raise Gone("link_gone")
    return link


def record_use(db: Database, now: dt.datetime, link_id: str) -> None:
    """Notes that something came in through the link, and tells of the first time. Raises Gone `link_gone` if it ended
    meanwhile."""
    with db.unit_of_work() as uow:
        statement = select(Link).where(Link.id == link_id, live(now)).with_for_update()
        link = uow.session.scalars(statement).one_or_none()
        if link is None:
            raise Gone("link_gone")
        if link.last_used_at is None:
            uow.emit(LINK_USED, link.id, {name: getattr(link, name) for name in _USED} | {"link_id": link.id})
        link.last_used_at = now


def as_record(link: Link) -> Record:
    """The link as the contract describes it: without the token's hash."""
    return {
        "id": link.id,
        "version": link.version,
        "created_at": link.created_at,
        "updated_at": link.updated_at,
        "client_id": link.client_id,
        "contact_id": link.contact_id,
        "scope": link.scope,
        "channel": link.channel,
        "expires_at": link.expires_at,
        "revoked_at": link.revoked_at,
        "last_used_at": link.last_used_at,
    }


def _registered(link: Any) -> Record:
    return {"link_id": link.id, "token_hash": link.token_hash, "expires_at": link.expires_at}


def _row(link: Record, now: dt.datetime, link_days: int, at: str) -> Record:
    scope = link["scope"]
    case_ids = scope.get("case_ids") or []
    for kind, name in _NAMED_BY.items():
        if scope["kind"] == kind and scope.get(name) is None:
            raise _invalid(at, f"scope.{name}", f"A link to one {kind} names it.")
        if scope["kind"] != kind and scope.get(name) is not None:
            raise _invalid(at, f"scope.{name}", f"Only for a link to one {kind}.")
    if scope["kind"] != "tasks" and case_ids:
        raise _invalid(at, "scope.case_ids", "Only for a link to a client's open tasks.")
    expires_at = link.get("expires_at") or now + dt.timedelta(days=link_days)
    if expires_at <= now:
        raise _invalid(at, "expires_at", "Must be in the future.")
    return {
        "id": new_id(),
        "token_hash": link["token_hash"],
        "client_id": link["client_id"],
        "contact_id": link.get("contact_id"),
        "kind": scope["kind"],
        **{name: scope.get(name) for name in _NAMED_BY.values()},
        "case_ids": case_ids,
        "channel": link.get("channel") or "copy",
        "delivery_id": link.get("delivery_id"),
        "expires_at": expires_at,
        "created_at": now,
        "updated_at": now,
    }


def _invalid(at: str, field: str, message: str) -> Invalid:
    return invalid_field(at + field, message)
