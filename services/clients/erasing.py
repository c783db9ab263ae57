"""Erasing clients: decided under a lock, written into the journal, then done, set-based, and told to every service.

A decided erasure always comes to its end: what is interrupted goes on with the event that asked for it, or with the
timer that asks again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from chassis.columns import new_id
from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.files import Files
from chassis.forgetting import forget_deleted
from chassis.going_on import firm_by_firm
from contracts.clients import CLIENT_DELETED, CLIENT_ERASED, ERASURE_REQUESTED, OWNER
from contracts.errors import Conflict
from services.clients import cards
from services.clients.archiving import KEPT
from services.clients.erasures import (
    erased_addresses,
    erased_files,
    erased_rows,
    erasure_journal,
    erasure_reports,
    legal_holds,
)
from services.clients.merges import merge_history
from services.clients.models import (
    Client,
    ClientMerge,
    ErasedClient,
    Erasure,
)

Record = dict[str, Any]

TIMER = "clients: erasures"
AT_ONCE = 100
"""Clients that are erased in one transaction."""


def erase_client(db: Database, now: dt.datetime, *, client_id: str, actor_id: str | None = None) -> Record:
    """Decides to erase a client, deleted or not, and returns the erasure, which goes on by itself. One that was decided
    before is returned as it is.

    Raises NotFound `client_not_found`, Gone `client_erased` or `client_merged`, Conflict `legal_hold` with
    `legal_hold_id`.
    """
    with db.unit_of_work() as uow:
        row = legal_holds.lock_client(uow, client_id)
        theirs = [client_id, *merge_history.merged_into(uow.session, client_id)]
        if holds := legal_holds.held(uow.session, theirs):
            raise Conflict("legal_hold", client_id=client_id, legal_hold_id=min(holds.values()))
        _begin(uow, {client_id: row}, now, cause="asked", actor_id=actor_id)
        erasure = uow.session.scalars(select(Erasure).where(Erasure.client_id == client_id)).one()
        return uow.answer(erasure_reports.view(uow.session, [erasure])[0])


def begin_due(db: Database, now: dt.datetime) -> bool:
    """Across firms: decides to erase those that were deleted 30 days ago and nothing holds, the oldest first; whether
    there may be more. A firm that fails keeps no other one waiting; what it raises is raised in the end."""
    due = (
        select(Client.firm_id, Client.id)
        .where(
            Client.archived_at <= now - KEPT,
            # What was merged is not deleted: it goes with its survivor.
            ~exists().where(ClientMerge.merged_id == Client.id, ClientMerge.undone_at.is_(None)),
            ~legal_holds.any_held(Client.id),
            ~exists().where(Erasure.client_id == Client.id, Erasure.firm_id == Client.firm_id),
        )
        .order_by(Client.archived_at)
    )

    def begin(own: Database, client_ids: Sequence[str]) -> int:
        with own.unit_of_work() as uow:
            rows = legal_holds.lock_clients(uow, client_ids)
            # Looked at once more, under the lock: a hold, or a restore, may have come in between.
            held = set(
                uow.session.scalars(select(Client.id).where(Client.id.in_(rows), legal_holds.any_held(Client.id)))
            )
            still = {
                id_: row
                for id_, row in rows.items()
                if id_ not in held and row.archived_at is not None and row.archived_at <= now - KEPT
            }
            _begin(uow, still, now, cause="archived", actor_id=None)
        return len(client_ids)

    return firm_by_firm(db.across_firms("the thirty days end in every firm"), due, AT_ONCE, begin)


def _begin(uow: UnitOfWork, rows: dict[str, Any], now: dt.datetime, *, cause: str, actor_id: str | None) -> None:
    """Decides for clients that are locked: from here on they are found nowhere, and cannot be taken back or held."""
    present = [row for row in rows.values() if row.archived_at is None]
    gone = [{"id": row.id, "archived_at": now, "updated_at": now, "version": row.version + 1} for row in present]
    uow.update_each(Client, gone)
    for row in gone:
        data = {"client_id": row["id"], "version": row["version"]}
        uow.emit(CLIENT_DELETED, row["id"], data, aggregate_version=row["version"])
    merged = merge_history.merged_into_each(uow.session, rows)
    decided = uow.insert_returning(
        Erasure,
        [
            {
                "id": new_id(),
                "client_id": row.id,
                "client_ids": [row.id, *merged[row.id]],
                "client_version": row.version + 2,
                "cause": cause,
                "asked_by": actor_id,
                "ask_at": now + erasure_reports.PATIENCE,
                "created_at": now,
                "updated_at": now,
            }
            for row in rows.values()
        ],
        "id",
        ignore_conflicts=True,
    )
    uow.emit_many(ERASURE_REQUESTED, [(row.id, {"erasure_id": row.id}) for row in decided])


def continue_erasures(
    db: Database, calls: Any, files: Files, events: Sequence[ReceivedEvent], now: dt.datetime
) -> None:
    """`erasure.requested.v1`: brings decided erasures of one firm to where only other services' reports are missing.

    Raises Unavailable, DeadlineExceeded; then it goes on later where it was.
    """
    ids = sorted({event.data["erasure_id"] for event in events})
    decided = _of_state(db, ids, "begun")
    if decided:
        # Before the first row is gone: a backup that is restored later must not bring the person back for good.
        key = erasure_journal.write(files, str(db.firm_id), decided, now)
        people = erased_addresses.people(db, decided)
        if people:
            calls.messaging.forget_addresses(people=people)
        for some in erased_files.people_in_lists(db, decided):
            after = calls.cases.forget_lists(people=some)["after"]
            while after is not None:
                after = calls.cases.forget_lists(people=some, after=after)["after"]
        listed = erased_files.lists_with(db, files, decided)
        with db.unit_of_work() as uow:
            _scrub(uow, [erasure.id for erasure in decided], key, listed, now)
            forget_deleted(uow, db)
    running = _of_state(db, ids, "running")
    with db.read() as session:
        waiting = erased_files.still_read(session, {key for erasure in running for key in erasure.file_keys})
    for erasure in running:
        for file_key in set(erasure.file_keys) - waiting:
            files.delete(file_key)
    with db.unit_of_work(once=events) as uow:
        for erasure in _locked(uow.session, [erasure.id for erasure in running]):
            erasure.file_keys = sorted(set(erasure.file_keys) & waiting)
        uow.session.flush()
        erasure_reports.record(uow, [_own_report(erasure, waiting) for erasure in running], now)


def _own_report(erasure: Erasure, waiting: Collection[str]) -> Record:
    """`held`: a list that the client came in with is still being taken in."""
    outcome = "held" if set(erasure.file_keys) & set(waiting) else "done"
    return {"erasure_id": erasure.id, "service": OWNER, "outcome": outcome, "counts": erasure.counts}


def _of_state(db: Database, ids: Collection[str], state: str) -> Sequence[Erasure]:
    with db.read() as session:
        statement = select(Erasure).where(Erasure.id.in_(ids), Erasure.state == state).order_by(Erasure.id)
        return session.scalars(statement).all()


def _locked(session: Session, ids: Collection[str]) -> Sequence[Erasure]:
    statement = select(Erasure).where(Erasure.id.in_(ids)).order_by(Erasure.id).with_for_update()
    return session.scalars(statement).all()


def _scrub(
    uow: UnitOfWork, ids: Collection[str], journal_key: str, listed: erased_files.Lists, now: dt.datetime
) -> None:
    erasures = [erasure for erasure in _locked(uow.session, ids) if erasure.state == "begun"]
    client_ids = sorted({client_id for erasure in erasures for client_id in erasure.client_ids})
    people = cards.load(uow.session, client_ids, archived=True)
    erased_files.scrub_imports(uow.session, people.values(), listed)
    files = erased_files.files_of(uow.session, client_ids, erased_rows.tables_of_clients(), listed)
    counts = erased_rows.scrub_clients(uow, client_ids)
    uow.insert(
        ErasedClient,
        [
            {"client_id": client_id, "erasure_id": erasure.id, "erased_at": now}
            for erasure in erasures
            for client_id in erasure.client_ids
        ],
        ignore_conflicts=True,
    )
    for erasure in erasures:
        erasure.journal_key = journal_key
        erasure.file_keys = sorted({key for client_id in erasure.client_ids for key in files.get(client_id, ())})
        erasure.counts = counts.get(erasure.client_id, {}) | {"files": len(erasure.file_keys)}
        erasure.record_scrubbed(now, now + erasure_reports.PATIENCE)
        tell(uow, erasure)


def tell(uow: UnitOfWork, erasure: Erasure) -> None:
    """Tells every service to forget the person."""
    data = {
        "client_id": erasure.client_id,
        "erasure_id": erasure.id,
        "version": erasure.client_version,
        "client_ids": erasure.client_ids,
    }
    uow.emit(CLIENT_ERASED, erasure.client_id, data, aggregate_version=erasure.client_version)


def ask_again(db: Database, now: dt.datetime) -> bool:
    """Across firms: tells once more about erasures that not every service has reported; whether there may be more."""
    waiting = select(Erasure.firm_id, Erasure.id).where(Erasure.state != "done", Erasure.ask_at <= now)

    def ask(own: Database, ids: Sequence[str]) -> int:
        with own.unit_of_work() as uow:
            missing = erasure_reports.missing(uow.session, ids)
            for erasure in _locked(uow.session, ids):
                if erasure.state == "done":
                    continue
                if erasure.state == "begun" or OWNER in missing[erasure.id]:
                    uow.emit(ERASURE_REQUESTED, erasure.id, {"erasure_id": erasure.id})
                else:
                    tell(uow, erasure)
                erasure.asked_again(now, now + erasure_reports.patience(erasure.times_asked))
        return len(ids)

    everywhere = db.across_firms("services are asked again for every firm")
    return firm_by_firm(everywhere, waiting.order_by(Erasure.ask_at), AT_ONCE, ask)
