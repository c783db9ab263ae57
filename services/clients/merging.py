"""Merging two clients that are one: what comes of it, and doing it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.context import current
from chassis.database import Database, UnitOfWork
from chassis.paging import page
from contracts.clients import CLIENTS_MERGED
from contracts.errors import CasewireError, Conflict, invalid_field
from contracts.messaging import CONSENT_CHANNELS
from services.clients import activity, cards, showing
from services.clients.addresses import reached
from services.clients.checking import Record
from services.clients.merges import merge_fields, merge_history, merge_images, merge_moves
from services.clients.merges.merge_images import wire
from services.clients.models import Client, ClientMerge, FormerExternalId
from services.clients.records import Change, announce_changes

TOLD_AGAIN_AFTER = (dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1))
"""After a merge, its event is told again: what another service was just writing for the merged client, when it heard of
the merge first, follows then."""


def merge_clients(
    db: Database,
    calls: Any,
    now: dt.datetime,
    *,
    client_id: str,
    duplicate_id: str,
    keep: Mapping[str, str],
    dry_run: bool,
) -> Record:
    """`contracts.clients.ClientMerge`: `duplicate_id` becomes part of `client_id` and stands for it from now on.

    Raises Invalid that names what cannot be chosen or joined, Forbidden that names what is sensitive, NotFound
    `client_not_found`, Gone `client_merged` if `client_id` was merged itself, Gone `client_erased`, Conflict
    `already_merged` or `duplicate_merged` with `surviving_id`, Unavailable if nobody can say what was consented to.
    """
    if client_id == duplicate_id:
        raise invalid_field("duplicate_id", "A client is no duplicate of itself.", "same_client")
    if dry_run:
        with db.read() as session:
            this, duplicate = _both(session, client_id, duplicate_id)
            moves = merge_moves.count(session, client_id, duplicate_id)
            after = _joined(session, this, duplicate, keep)
            shown = as_seen(session, _outcome(this, duplicate, after, keep, now))
        consent = _consent(calls, this, duplicate, after)
        return {**shown, "dry_run": True, "moves": moves, "consent": consent}
    with db.read() as session:
        this, duplicate = _both(session, client_id, duplicate_id)
        after = _joined(session, this, duplicate, keep)
    # Before the merge, so that there is no moment in which the one is written to where the other one said stop.
    calls.messaging.join_consents(**_sides(this, duplicate, after))
    with db.unit_of_work() as uow:
        this, duplicate = _both(uow.session, client_id, duplicate_id, lock=True)
        after = _joined(uow.session, this, duplicate, keep)
        merge_id = new_id()
        _archive(uow, duplicate, now)
        _remember_external_id(uow, merge_id, this, duplicate, after)
        changed = cards.save(uow, [(this, after)], now).get(client_id, [])
        _keep_last_activity(uow, duplicate, after)
        shown = _outcome(this, duplicate, after, keep, now)
        row = {name: shown[name] for name in ("surviving_id", "merged_id", "at", "by", "keep")}
        images = merge_images.sealed(uow, merge_id, this, after)
        uow.insert(
            ClientMerge,
            [{"id": merge_id, **row, **images, "version": after["version"], "tell_at": now + TOLD_AGAIN_AFTER[0]}],
        )
        moves = merge_moves.join(uow, merge_id, client_id, duplicate_id, now)
        _announce(uow, merge_id, shown, after, changed, now)
        return answer(uow, {**shown, "id": merge_id, "moves": moves})


def _both(session: Session, client_id: str, duplicate_id: str, *, lock: bool = False) -> tuple[Record, Record]:
    """The two records; under a lock they are taken in the order of their ids, whichever survives."""
    found = cards.load(session, [client_id, duplicate_id], lock=lock)
    if client_id not in found:
        raise merge_history.absent(session, client_id)
    if duplicate_id not in found:
        raise _duplicate_absent(session, client_id, duplicate_id)
    return found[client_id], found[duplicate_id]


def _duplicate_absent(session: Session, client_id: str, duplicate_id: str) -> CasewireError:
    error = merge_history.absent(session, duplicate_id)
    surviving_id = error.meta.get("surviving_id")
    if surviving_id is None:
        return error
    code = "already_merged" if surviving_id == client_id else "duplicate_merged"
    return Conflict(code, client_id=duplicate_id, surviving_id=surviving_id)


def _joined(session: Session, this: Record, duplicate: Record, keep: Mapping[str, str]) -> Record:
    merge_fields.check_keep(keep, this, duplicate)
    own = {name: whose for name, whose in keep.items() if "." not in name}
    custom = {name.partition(".")[2]: whose for name, whose in keep.items() if "." in name}
    showing.refuse_sensitive_changes(session, {**own, "custom_fields": custom})
    after = merge_fields.joined(this, duplicate, keep)
    merge_moves.refuse_lost_business(session, after, duplicate["id"])
    return after


def answer(uow: UnitOfWork, merge: Record) -> Record:
    """A merge as the caller may see it. What is kept to answer a repeat of the request holds nothing sensitive."""
    return uow.answer(as_seen(uow.session, merge), kept=lambda: as_seen(uow.session, merge, to_all=True))


def as_seen(session: Session, merge: Record, *, to_all: bool = False) -> Record:
    """A merge as the caller may see it, or as anybody may (`to_all`): values that are sensitive are null."""
    client = merge["client"]
    hidden = showing.hidden_fields(session, to_all=to_all)
    nothing = {"this": None, "duplicate": None}
    return {
        **merge,
        "client": client and showing.shown(session, [client], to_all=to_all)[0],
        "differences": [{**entry, **nothing} if entry["field"] in hidden else entry for entry in merge["differences"]],
        "conflicts": [
            {**entry, "now": None, "then": None} if entry["field"] in hidden else entry for entry in merge["conflicts"]
        ],
    }


def _archive(uow: UnitOfWork, duplicate: Record, now: dt.datetime) -> None:
    """Takes the duplicate out of sight. Its record stays as it is: what is archived nobody changes."""
    version = duplicate["version"] + 1
    uow.update_each(Client, [{"id": duplicate["id"], "archived_at": now, "updated_at": now, "version": version}])


def _keep_last_activity(uow: UnitOfWork, duplicate: Record, after: Record) -> None:
    """What happened last to the duplicate has happened to the survivor."""
    at = duplicate["last_activity_at"]
    if at is not None:
        after["last_activity_at"] = max(at, after["last_activity_at"] or at)
        activity.touch(uow, {after["id"]: at})


def _remember_external_id(uow: UnitOfWork, merge_id: str, this: Record, duplicate: Record, after: Record) -> None:
    """Keeps the external id of the two that the survivor does not show: a later import may name either."""
    names = ("external_source", "external_source_id")
    for record in (this, duplicate):
        external = {name: record[name] for name in names}
        if external["external_source_id"] is not None and external != {name: after[name] for name in names}:
            uow.insert(FormerExternalId, [{"merge_id": merge_id, "merged_id": duplicate["id"], **external}])


def _announce(
    uow: UnitOfWork, merge_id: str, shown: Record, after: Record, changed: list[str], now: dt.datetime
) -> None:
    if changed:
        change = Change(after, changed, {**activity.by_actor(), "merge_id": merge_id}, merge_id=merge_id)
        announce_changes(uow, [change], now)
    tell_merged(uow, merge_id, shown, after["version"])
    facts = {"merge_id": merge_id, "merged_id": shown["merged_id"], **activity.by_actor()}
    activity.add(uow, after["id"], now, CLIENTS_MERGED.name, facts)


def tell_merged(uow: UnitOfWork, merge_id: str, merge: Mapping[str, Any], version: int) -> None:
    """Emits `clients.merged.v1`, for the first time or again."""
    data = {name: merge[name] for name in ("surviving_id", "merged_id", "at")}
    uow.emit(
        CLIENTS_MERGED, merge["surviving_id"], {**data, "merge_id": merge_id, "version": version},
        aggregate_version=version,
    )  # fmt: skip


def actor_id() -> str | None:
    """Who asks for it."""
    context = current()
    return context.actor_id if context is not None else None


def _outcome(this: Record, duplicate: Record, after: Record, keep: Mapping[str, str], now: dt.datetime) -> Record:
    shown: Record = {
        "id": None,
        "surviving_id": this["id"],
        "merged_id": duplicate["id"],
        "at": now,
        "by": actor_id(),
        "undone_at": None,
        "dry_run": False,
        "keep": dict(keep),
        "client": after,
        "consent": None,
        "conflicts": [],
    }
    undo_until = ClientMerge(at=now).undo_until
    differences = merge_fields.differences(wire(this), wire(duplicate), keep, wire(after))
    return {**shown, "undo_until": undo_until, "differences": differences}


def _consent(calls: Any, this: Record, duplicate: Record, after: Record) -> list[Record]:
    """What holds for each on each channel, and for the survivor afterwards."""
    asked = [calls.messaging.get_preferences.start(client_id=record["id"]) for record in (this, duplicate)]
    joined = calls.messaging.join_consents.start(**_sides(this, duplicate, after), dry_run=True)
    own, others = (reply.result() for reply in asked)
    stopped = joined.result()["opted_out"]
    return [
        {
            "channel": name,
            "this": own[name],
            "duplicate": others[name],
            "after": "opted_out" if name in stopped else own[name],
        }
        for name in CONSENT_CHANNELS
    ]


def _sides(this: Record, duplicate: Record, after: Record) -> Record:
    """`contracts.messaging.JoinConsents`"""
    sides = (("surviving", this), ("merged", duplicate), ("joined", after))
    addresses = {name: reached(record["phones"], record["emails"]) for name, record in sides}
    return {"surviving_id": this["id"], "merged_id": duplicate["id"], "addresses": addresses}


def list_merges(
    db: Database,
    *,
    client_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    sort: str | None = None,
) -> Record:
    """A page of merges, the newest first. Raises Invalid as `page` does."""
    statement = select(ClientMerge)
    if client_id is not None:
        statement = statement.where((ClientMerge.surviving_id == client_id) | (ClientMerge.merged_id == client_id))
    with db.read() as session:
        rows, meta = page(
            session, statement, model=ClientMerge, sorts={"at": ClientMerge.at}, default_sort="-at", limit=limit,
            cursor=cursor, sort=sort,
        )  # fmt: skip
    names = ("id", "surviving_id", "merged_id", "at", "by", "undo_until", "undone_at")
    return {"data": [{name: getattr(row, name) for name in names} for row in rows], "meta": meta}
