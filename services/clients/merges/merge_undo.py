"""Taking a merge back, also after the survivor was changed: what is in doubt is asked about, not lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.custom_fields import given_back
from chassis.database import Database, UnitOfWork
from contracts.clients import CLIENTS_UNMERGED
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import activity, cards, contact_ties
from services.clients.checking import Record
from services.clients.clashes import external_id_clash
from services.clients.custom_fields import definitions, held_definitions
from services.clients.erasures import legal_holds
from services.clients.merges import merge_fields, merge_history, merge_images, merge_moves
from services.clients.merges.merge_images import wire
from services.clients.merging import actor_id, answer, as_seen
from services.clients.models import Client, ClientMerge, FormerExternalId
from services.clients.records import Change, announce_changes

_EXTERNAL = ("external_source", "external_source_id")
_DUPLICATES_ID = "duplicate.external_source_id"
"""What a conflict is called where another client has the merged one's external id by now."""
ExternalId = tuple[str | None, str | None]


def get_merge(db: Database, *, merge_id: str) -> Record:
    """One merge, with the conflicts that an undo would meet now. Raises NotFound `merge_not_found`."""
    with db.read() as session:
        merge = _find(session, merge_id)
        survivor = cards.load(session, [merge.surviving_id]).get(merge.surviving_id)
        conflicts: list[Record] = []
        if merge.undone_at is None and merge.before is not None and survivor is not None:
            conflicts = _parted(session, merge, survivor, {})[1]
        return as_seen(session, _record(merge, survivor, conflicts))


def undo_merge(db: Database, now: dt.datetime, *, merge_id: str, resolve: Mapping[str, str]) -> Record:
    """The merge, undone: both clients are there again, each with what was its own. What was changed on the survivor
    since stays, and so does what came since; legal holds since then hold both.

    Raises NotFound `merge_not_found`, Invalid that names what cannot be resolved, Conflict: `merge_undone`,
    `merge_too_old`, `survivor_deleted`, `survivor_merged` with the `merge_id` to be undone first, `merge_conflicts`
    that names each field that `resolve` must speak of, `client_has_contacts` of a survivor that was no business and has
    contacts since, or `external_id_taken` by another client at this moment.
    """
    with external_id_clash(), db.unit_of_work() as uow:
        _hold_merges_beside(uow.session, merge_id)
        merge = _find(uow.session, merge_id, lock=True)
        merge.demand_undoable(now)
        ids = (merge.surviving_id, merge.merged_id)
        survivor = cards.load(uow.session, ids, lock=True).get(merge.surviving_id)
        if survivor is None:
            raise _survivor_absent(uow.session, merge.surviving_id)
        restored, conflicts = _parted(uow.session, merge, survivor, resolve, lock=True)
        if conflicts:
            fields = [{"field": entry["field"], "message": "Changed since the merge."} for entry in conflicts]
            raise Conflict("merge_conflicts", fields=fields, merge_id=merge_id)
        _hand_over(uow, merge, restored)
        merge.undo(actor_id(), now)
        uow.session.flush()
        changed = cards.save(uow, [(survivor, restored)], now).get(merge.surviving_id, [])
        again = _bring_back(uow, merge, now, without_id=resolve.get(_DUPLICATES_ID) == merge_fields.NOW)
        merge_moves.part(uow, merge.id, *ids, now)
        if survivor["kind"] == "business" and restored["kind"] != "business":
            contact_ties.refuse_with_contacts(uow.session, merge.surviving_id)
        legal_holds.hold_as_well(uow, merge.merged_id, merge.surviving_id, merge.at, now)
        _announce(uow, merge, restored, changed, again, now)
        return answer(uow, _record(merge, restored, []))


def _find(session: Session, merge_id: str, *, lock: bool = False) -> ClientMerge:
    statement = select(ClientMerge).where(ClientMerge.id == merge_id)
    merge = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if merge is None:
        raise NotFound("merge_not_found", merge_id=merge_id)
    return merge


def _hold_merges_beside(session: Session, merge_id: str) -> None:
    """Holds all merges into its survivor, so that of two undos one waits for the other: see `_hand_over`."""
    whose = select(ClientMerge.surviving_id).where(ClientMerge.id == merge_id).scalar_subquery()
    beside = select(ClientMerge.id).where(ClientMerge.surviving_id == whose, ClientMerge.undone_at.is_(None))
    session.execute(beside.order_by(ClientMerge.id).with_for_update()).all()


def _hand_over(uow: UnitOfWork, merge: ClientMerge, restored: Record) -> None:
    """What stays with the survivor because another that is still merged has it too, the other's undo takes away."""
    images = merge_images.opened(uow.session, merge)
    beside = select(ClientMerge).where(
        ClientMerge.surviving_id == merge.surviving_id, ClientMerge.id != merge.id, ClientMerge.before.is_not(None)
    )
    others = uow.session.scalars(beside.order_by(ClientMerge.at, ClientMerge.id)).all()
    records = cards.load(uow.session, [other.merged_id for other in others], archived=True)
    for other in others:
        its = merge_images.opened(uow.session, other)
        if images is None or its is None or other.merged_id not in records:
            continue
        sides = merge_fields.handed_over(images, restored, records[other.merged_id], its)
        for side, text in merge_images.sealed(uow, other.id, *sides).items():
            setattr(other, side, text)


def _survivor_absent(session: Session, surviving_id: str) -> Conflict:
    later = select(ClientMerge.id).where(ClientMerge.merged_id == surviving_id, ClientMerge.undone_at.is_(None))
    merge_id = session.scalar(later)
    if merge_id is None:
        return Conflict("survivor_deleted", client_id=surviving_id)
    return Conflict("survivor_merged", client_id=surviving_id, merge_id=merge_id)


def _parted(
    session: Session, merge: ClientMerge, survivor: Record, resolve: Mapping[str, str], *, lock: bool = False
) -> tuple[Record, list[Record]]:
    """The survivor's record without the merge, and what is in doubt. Raises Invalid that names what is not. With
    `lock`, fields whose values come back take the same until the commit."""
    images = merge_images.opened(session, merge)
    if images is None:
        raise Conflict("merge_too_old", undo_until=merge.undo_until.isoformat())
    before, after = images
    known = merge_fields.conflict_fields(before, after, survivor) | {_DUPLICATES_ID}
    if unknown := sorted(resolve.keys() - known):
        message = "No field of these clients."
        raise Invalid("invalid_input", fields=[{"field": f"resolve.{name}", "message": message} for name in unknown])
    apart = {merge.merged_id, *merge_history.merged_into(session, merge.merged_id)}
    others = set(merge_history.merged_into(session, merge.surviving_id)) - apart
    still_merged = list(cards.load(session, others, archived=True).values())
    restored, conflicts = merge_fields.parted(before, after, survivor, resolve, still_merged)
    shown = [
        {"field": entry["field"], **{name: _wire_value(entry["field"], entry[name]) for name in ("now", "then")}}
        for entry in conflicts
    ]
    shown += _unfit_values(session, survivor, restored, resolve, lock=lock)
    own, now = _external_id(restored), _external_id(survivor)
    if own != now and _is_held(session, own, merge):
        if merge_fields.NOW in (resolve.get(name) for name in _EXTERNAL):
            restored.update(zip(_EXTERNAL, now, strict=True))
        else:
            shown.append({"field": "external_source_id", "now": now[1], "then": own[1]})
    if resolve.get(_DUPLICATES_ID) != merge_fields.NOW and (taken := _external_id_taken(session, merge, restored)):
        shown.append({"field": _DUPLICATES_ID, "now": None, "then": taken})
    return restored, shown


def _unfit_values(
    session: Session, survivor: Record, restored: Record, resolve: Mapping[str, str], *, lock: bool
) -> list[Record]:
    """What is in doubt of the values that come back into `restored`: those that their fields take no more. They stay as
    they are."""
    present, earlier = survivor["custom_fields"], restored["custom_fields"]
    keys = {key for key, value in earlier.items() if present.get(key) != value}
    if not keys:
        return []
    fields = held_definitions(session, keys) if lock else definitions(session)
    restored["custom_fields"], unfit = given_back(fields, present, earlier)
    return [
        {"field": field, "now": present.get(key), "then": value}
        for key, value in sorted(unfit.items())
        if resolve.get(field := f"custom_fields.{key}") != merge_fields.NOW
    ]


def _wire_value(field: str, value: Any) -> Any:
    return value if "." in field else wire({field: value})[field]


def _external_id_taken(session: Session, merge: ClientMerge, restored: Record) -> str | None:
    """The merged client's external id, if it is somebody else's by now: the survivor's, or another client's."""
    kept = select(Client.external_source, Client.external_source_id).where(Client.id == merge.merged_id)
    row = session.execute(kept).one_or_none()
    its = (row.external_source, row.external_source_id) if row is not None else (None, None)
    return its[1] if its == _external_id(restored) or _is_held(session, its, merge) else None


def _external_id(record: Record) -> ExternalId:
    return record["external_source"], record["external_source_id"]


def _is_held(session: Session, external_id: ExternalId, merge: ClientMerge) -> bool:
    """Whether a client that is not part of the merge has this external id."""
    if external_id[1] is None:
        return False
    other = select(Client.id).where(
        Client.external_source == external_id[0],
        Client.external_source_id == external_id[1],
        Client.archived_at.is_(None),
        Client.id != merge.surviving_id,
    )
    return session.scalar(other) is not None


def _bring_back(uow: UnitOfWork, merge: ClientMerge, now: dt.datetime, *, without_id: bool) -> Record:
    """The merged client, as it was; `without_id`, without its external id if that is somebody else's by now."""
    kept = cards.load(uow.session, [merge.merged_id], archived=True)[merge.merged_id]
    values = {"id": merge.merged_id, "archived_at": None, "updated_at": now, "version": kept["version"] + 1}
    # Given up only by choice: if another client took it since the conflicts were read, the constraint refuses.
    if without_id:
        survivor = cards.load(uow.session, [merge.surviving_id])[merge.surviving_id]
        without_id = _external_id_taken(uow.session, merge, survivor) is not None
    if without_id:
        values |= {"external_source": None, "external_source_id": None}
    uow.update_each(Client, [values])
    uow.session.execute(delete(FormerExternalId).where(FormerExternalId.merge_id == merge.id))
    return {**kept, "version": values["version"]}


def _announce(
    uow: UnitOfWork, merge: ClientMerge, restored: Record, changed: list[str], again: Record, now: dt.datetime
) -> None:
    cause = {**activity.by_actor(), "merge_id": merge.id}
    changes = [
        Change(record, fields, cause, merge_id=merge.id) for record, fields in ((restored, changed), (again, []))
    ]
    announce_changes(uow, [change for change in changes if change.fields or change.record is again], now)
    data = {"merge_id": merge.id, "surviving_id": merge.surviving_id, "merged_id": merge.merged_id, "at": now}
    data["merged_at"] = merge.at
    version = restored["version"]
    uow.emit(CLIENTS_UNMERGED, merge.surviving_id, {**data, "version": version}, aggregate_version=version)
    facts = {"merge_id": merge.id, "merged_id": merge.merged_id, **activity.by_actor()}
    activity.add(uow, merge.surviving_id, now, CLIENTS_UNMERGED.name, facts)


def _record(merge: ClientMerge, client: Record | None, conflicts: list[Record]) -> Record:
    names = ("id", "surviving_id", "merged_id", "at", "by", "undo_until", "undone_at", "keep")
    same = {name: getattr(merge, name) for name in names}
    return {
        **same, "dry_run": False, "differences": [], "moves": {}, "consent": None, "client": client,
        "conflicts": conflicts,
    }  # fmt: skip
