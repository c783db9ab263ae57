"""One client's record: create, get, change, delete."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database, UnitOfWork
from chassis.value_sets import Statement
from contracts.clients import CLIENT_CHANGED, CLIENT_CREATED, CLIENT_DELETED
from contracts.errors import Conflict
from services.clients import activity, assignment, cards, contact_ties, duplicates
from services.clients.checking import Record, checked_fields, default_kind
from services.clients.clashes import external_id_clash
from services.clients.custom_fields import held_definitions
from services.clients.merges import merge_history
from services.clients.models import Activity, Client
from services.clients.showing import refuse_sensitive_changes, shown


def create_client(
    db: Database,
    now: dt.datetime,
    *,
    calls: Any = None,
    client_id: str | None = None,
    skip_duplicate_check: bool = False,
    **fields: Any,
) -> Record:
    """The new client. Under a `client_id` that exists already: that client as it is, or the one it was merged into.

    `fields` are those of `contracts.clients.ClientFields`; a status nobody stated is `active`. With `calls`,
    accounts is asked for the assigned staff member.
    Raises Invalid naming the fields at fault, Conflict `duplicate_client` with `candidates`, `external_id_taken` with
    `client_id`, `client_deleted` if the id was a deleted client's, or `client_id_taken`.
    """
    if client_id is not None and (existing := _existing(db, client_id)):
        return existing
    if calls is not None:
        assignment.demand_staff(calls, fields)
    with db.unit_of_work() as uow:
        own_fields = held_definitions(uow.session, fields.get("custom_fields", ()))
        record = cards.new_record(client_id or new_id(), checked_fields(fields, now, fields=own_fields), now)
        if "kind" not in fields:
            record["kind"] = default_kind(record)
        if not skip_duplicate_check:
            duplicates.refuse_duplicates(uow.session, record)
        if not cards.insert(uow, [record]):
            # The same call a moment ago, or another client with the external id.
            return answer(uow, _stored_instead(uow, record))
        uow.emit(CLIENT_CREATED, record["id"], _event(record, []), aggregate_version=1)
        activity.add(uow, record["id"], now, CLIENT_CREATED.name, activity.by_actor())
        return answer(uow, record)


def answer(uow: UnitOfWork, record: Record) -> Record:
    """The record as the caller may see it. What is kept to answer a repeat of the request holds nothing sensitive."""
    session = uow.session
    return uow.answer(shown(session, [record])[0], kept=lambda: shown(session, [record], to_all=True)[0])


def _existing(db: Database, client_id: str) -> Record | None:
    with db.read() as session:
        found = cards.load(session, [client_id]).get(client_id)
        if found is None and (surviving_id := merge_history.survivors(session, [client_id]).get(client_id)):
            found = cards.load(session, [surviving_id]).get(surviving_id)
        elif found is None and _is_deleted(session, client_id):
            raise Conflict("client_deleted", client_id=client_id)
        return None if found is None else shown(session, [found])[0]


def _is_deleted(session: Session, client_id: str) -> bool:
    known = session.scalar(select(Client.id).where(Client.id == client_id)) is not None
    return known or bool(merge_history.erased(session, client_id))


def _stored_instead(uow: UnitOfWork, record: Record) -> Record:
    if found := cards.load(uow.session, [record["id"]]).get(record["id"]):
        return found
    taken = _external_id_taken(uow, record)
    # Whose the id is instead is not told: it may be another firm's.
    raise taken if taken.meta["client_id"] else Conflict("client_id_taken")


def _external_id_taken(uow: UnitOfWork, record: Record) -> Conflict:
    holder = select(Client.id).where(
        Client.external_source == record["external_source"],
        Client.external_source_id == record["external_source_id"],
        Client.archived_at.is_(None),
    )
    return Conflict("external_id_taken", client_id=uow.session.scalar(holder) or "")


def get_client(db: Database, client_id: str) -> Record:
    """The record as the caller may see it. Raises NotFound `client_not_found`, Gone `client_merged` with
    `surviving_id`, Gone `client_erased`."""
    with db.read() as session:
        return record_of(session, client_id)


def record_of(session: Session, client_id: str, statement: Callable[[Session], Statement] = cards.whole) -> Record:
    """`get_client`, in a session; with what `statement` has beside it, as `cards.load`."""
    found = cards.load(session, [client_id], statement=statement).get(client_id)
    if found is None:
        raise merge_history.absent(session, client_id)
    return shown(session, [found])[0]


def update_client(
    db: Database,
    now: dt.datetime,
    *,
    calls: Any = None,
    client_id: str,
    changes: dict[str, Any],
    expected_version: int | None = None,
) -> Record:
    """The client with its changes. A list that is given takes the place of the one before; custom fields are set one by
    one, and null takes one away.

    Raises Invalid, NotFound `client_not_found`, Gone `client_merged`, Forbidden `permission_denied` for a sensitive
    field that the caller may not see, Conflict `stale_version`, `external_id_taken`, or `client_has_contacts` for a
    business that is to be none.
    """
    if calls is not None:
        assignment.demand_staff(calls, changes)
    with external_id_clash(), db.unit_of_work() as uow:
        before = _locked(uow, client_id)
        refuse_sensitive_changes(uow.session, changes)
        if expected_version is not None and expected_version != before["version"]:
            raise Conflict("stale_version", version=before["version"])
        named = changes.get("custom_fields")
        own_fields = () if named is None else held_definitions(uow.session, named)
        after = {**before, **checked_fields(changes, now, before, own_fields)}
        if _external_id(after) != _external_id(before) and _holds_external_id(uow, after):
            raise _external_id_taken(uow, after)
        if before["kind"] == "business" and after["kind"] != "business":
            contact_ties.refuse_with_contacts(uow.session, client_id)
        changed = cards.save(uow, [(before, after)], now).get(client_id)
        if changed:
            cause = {**activity.by_actor(), **assignment.facts_of(before, after)}
            announce_changes(uow, [Change(after, changed, cause)], now)
        return answer(uow, after)


def _external_id(record: Record) -> tuple[str | None, str | None]:
    return record["external_source"], record["external_source_id"]


def _holds_external_id(uow: UnitOfWork, record: Record) -> bool:
    taken = select(Client.id).where(
        Client.external_source == record["external_source"],
        Client.external_source_id == record["external_source_id"],
        Client.id != record["id"],
        Client.archived_at.is_(None),
    )
    return uow.session.scalar(taken) is not None


@dataclass(frozen=True)
class Change:
    """A change that was saved: the record as it is now, the changed fields, and who or what caused it, as facts."""

    record: Record
    fields: list[str]
    cause: dict[str, Any]
    case_task_id: str | None = None
    merge_id: str | None = None


def announce_changes(uow: UnitOfWork, changes: Sequence[Change], now: dt.datetime) -> None:
    """What follows from changes that were saved: an event and an entry of activity for each."""
    entries = []
    for change in changes:
        record = change.record
        data = {**_event(record, change.fields, change.case_task_id), "merge_id": change.merge_id}
        uow.emit(CLIENT_CHANGED, record["id"], data, aggregate_version=record["version"])
        facts = {"changed": change.fields, **change.cause}
        entries.append(activity.entry(record["id"], now, CLIENT_CHANGED.name, facts))
    uow.insert(Activity, entries)


def delete_client(db: Database, now: dt.datetime, *, client_id: str) -> None:
    """Archives a client: it is nowhere found any more. Raises NotFound `client_not_found`, Gone `client_merged`."""
    with db.unit_of_work() as uow:
        record = _locked(uow, client_id)
        version = record["version"] + 1
        uow.update_each(Client, [{"id": client_id, "archived_at": now, "updated_at": now, "version": version}])
        uow.emit(CLIENT_DELETED, client_id, {"client_id": client_id, "version": version}, aggregate_version=version)
        activity.add(uow, client_id, now, CLIENT_DELETED.name, activity.by_actor())


def _locked(uow: UnitOfWork, client_id: str) -> Record:
    found = cards.load(uow.session, [client_id], lock=True).get(client_id)
    if found is None:
        raise merge_history.absent(uow.session, client_id)
    return found


def facts_of(record: Record) -> dict[str, Any]:
    """What other services may keep of a client (`contracts.clients.ClientFacts`)."""
    return {
        "client_id": record["id"],
        "status": record["status"],
        "tags": record["tags"],
        "language": record["language"],
        "version": record["version"],
    }


def _event(record: Record, changed: list[str], case_task_id: str | None = None) -> dict[str, Any]:
    return {**facts_of(record), "changed": changed, "case_task_id": case_task_id}
