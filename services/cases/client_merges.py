"""Clients that were merged: the survivor takes the merged one's place on its cases, and gives it back with an undo.

Where both are on one case they become one client of it, who is the primary one if either was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select, update

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.redirects import Following, Moved, Redirect
from chassis.value_sets import among
from services.cases.case_events import emit_changed
from services.cases.models import Case, CaseClient, ClientMerge, ClientMergeMove

_WITHOUT_SYNC = {"synchronize_session": False}
_PLACE = ("role", "label", "position")

Place = dict[str, Any]
"""How a client is on a case: role, label, position."""


class _Places:
    """Clients on cases; `row_id` is the case."""

    name = "case_client"

    def take(self, uow: UnitOfWork, redirect: Redirect) -> Moved:
        places = _places(uow, [redirect.old_id, redirect.new_id])
        moved: dict[str, dict[str, Any] | None] = {}
        rows: list[dict[str, Any]] = []
        for case_id, on_case in places.items():
            merged, survivor = on_case.get(redirect.old_id), on_case.get(redirect.new_id)
            if merged is not None:
                moved[case_id] = {"merged": merged, "survivor": survivor}
                rows.append({"case_id": case_id, "client_id": redirect.new_id, **_together(merged, survivor)})
        _replace(uow, moved, (redirect.old_id, redirect.new_id), rows)
        return moved

    def give_back(self, uow: UnitOfWork, moved: Moved, redirect: Redirect) -> Collection[str]:
        places = _places(uow, [redirect.old_id, redirect.new_id], moved)
        alone: list[str] = []
        rows: list[dict[str, Any]] = []
        for case_id, facts in moved.items():
            on_case = places.get(case_id, {})
            now = on_case.get(redirect.new_id)
            if now is None or redirect.old_id in on_case:
                continue  # taken from the case since, or put there again
            merged, survivor = (facts or {})["merged"], (facts or {})["survivor"]
            if survivor is None:
                alone.append(case_id)
                rows.append({"case_id": case_id, "client_id": redirect.old_id, **now})
                continue
            own, theirs = _apart(merged, survivor, now)
            rows.append({"case_id": case_id, "client_id": redirect.new_id, **own})
            rows.append({"case_id": case_id, "client_id": redirect.old_id, **theirs})
        _replace(uow, {row["case_id"] for row in rows}, (redirect.old_id, redirect.new_id), rows)
        return alone


def _together(merged: Place, survivor: Place | None) -> Place:
    if survivor is None:
        return merged
    role = "primary" if "primary" in (merged["role"], survivor["role"]) else survivor["role"]
    return {**survivor, "role": role, "label": None if role == "primary" else survivor["label"] or merged["label"]}


def _apart(merged: Place, survivor: Place, now: Place) -> tuple[Place, Place]:
    """The places of the survivor and of the merged client. Who was the primary one is so again, unless the primary
    client was changed since."""
    if now["role"] != _together(merged, survivor)["role"]:
        role = "additional" if now["role"] == "primary" else merged["role"]
        return now, {**merged, "role": "additional" if role == "primary" else role}
    return {**survivor, "position": now["position"]}, merged


def _places(
    uow: UnitOfWork, client_ids: list[str], case_ids: Iterable[str] | None = None
) -> dict[str, dict[str, Place]]:
    """{case: {client: place}} of these clients, the cases held in the order of their ids."""
    concerned = select(CaseClient.case_id).where(CaseClient.client_id.in_(client_ids))
    if case_ids is not None:
        concerned = concerned.where(among(uow.session, CaseClient.case_id, case_ids))
    uow.session.execute(select(Case.id).where(Case.id.in_(concerned)).order_by(Case.id).with_for_update())
    columns = (CaseClient.case_id, CaseClient.client_id, *(getattr(CaseClient, name) for name in _PLACE))
    statement = select(*columns).where(CaseClient.client_id.in_(client_ids))
    if case_ids is not None:
        statement = statement.where(among(uow.session, CaseClient.case_id, case_ids))
    places: dict[str, dict[str, Place]] = {}
    for row in uow.session.execute(statement.order_by(CaseClient.case_id)):
        places.setdefault(row.case_id, {})[row.client_id] = {name: getattr(row, name) for name in _PLACE}
    return places


def _replace(
    uow: UnitOfWork, case_ids: Collection[str], client_ids: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    if not case_ids:
        return
    outdated = delete(CaseClient).where(
        among(uow.session, CaseClient.case_id, case_ids), CaseClient.client_id.in_(client_ids)
    )
    uow.session.execute(outdated, execution_options=_WITHOUT_SYNC)
    uow.insert(CaseClient, rows)


following = Following(ClientMerge, ClientMergeMove, [_Places()])


def follow_merges(db: Database, events: Sequence[ReceivedEvent], *, now: dt.datetime) -> None:
    """`clients.merged.v1`"""
    with db.unit_of_work(once=events) as uow:
        before = _cases_of(uow, uow.fresh)
        following.follow(uow, map(_redirect, uow.fresh))
        _tell(uow, before, _cases_of(uow, uow.fresh), now)


def follow_undone_merges(db: Database, events: Sequence[ReceivedEvent], *, now: dt.datetime) -> None:
    """`clients.unmerged.v1`"""
    with db.unit_of_work(once=events) as uow:
        before = _cases_of(uow, uow.fresh)
        following.part(uow, map(_redirect, uow.fresh))
        _tell(uow, before, _cases_of(uow, uow.fresh), now)


def _redirect(event: ReceivedEvent) -> Redirect:
    return Redirect(event.data["merge_id"], event.data["merged_id"], event.data["surviving_id"])


def _cases_of(uow: UnitOfWork, events: Sequence[ReceivedEvent]) -> set[tuple[str, str, str]]:
    """(case, client, role) of all clients that these events may concern."""
    named = {event.data[name] for event in events for name in ("merged_id", "surviving_id")}
    known = {*named, *following.current(uow.session, named).values()}
    statement = select(CaseClient.case_id, CaseClient.client_id, CaseClient.role).where(
        among(uow.session, CaseClient.client_id, sorted(known))
    )
    return {(row.case_id, row.client_id, row.role) for row in uow.session.execute(statement)}


def _tell(
    uow: UnitOfWork, before: set[tuple[str, str, str]], after: set[tuple[str, str, str]], now: dt.datetime
) -> None:
    changed = sorted({case_id for case_id, _, _ in before ^ after})
    if not changed:
        return
    touched = (
        update(Case)
        .where(among(uow.session, Case.id, changed))
        .values(version=Case.version + 1, updated_at=now)
        .returning(Case.id, Case.state)
    )
    rows = uow.session.execute(touched, execution_options=_WITHOUT_SYNC).all()
    # A pending case has not been told of yet.
    emit_changed(uow, {row.id: ["clients"] for row in rows if row.state != "pending"})


def survivors(uow: UnitOfWork, client_ids: Iterable[str]) -> dict[str, str]:
    """{merged client: who it is now} of those of the clients that were merged, as far as it was heard."""
    return following.current(uow.session, client_ids)


def as_survivors(clients: Iterable[dict[str, Any]], merged: Mapping[str, str]) -> list[dict[str, Any]]:
    """The clients of a case ({client_id, role, label}), with `survivors` in place of those who were merged: each once,
    and the primary one if either was."""
    found: dict[str, dict[str, Any]] = {}
    for entry in clients:
        client_id = merged.get(entry["client_id"], entry["client_id"])
        there = found.setdefault(client_id, {**entry, "client_id": client_id})
        if entry["role"] == "primary":
            there |= {"role": "primary", "label": entry["label"]}
    return list(found.values())
