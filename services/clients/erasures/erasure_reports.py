"""What every service says about an erasure, collected and shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chassis.database import Database, UnitOfWork
from chassis.envelope import ReceivedEvent
from chassis.paging import page
from chassis.value_sets import among
from contracts.clients import ERASING_SERVICES
from contracts.errors import NotFound
from services.clients.models import Activity, Erasure, ErasureReport, LastActivity

Record = dict[str, Any]

PATIENCE = dt.timedelta(minutes=1)
"""How long a service may take before it is asked again, the first time; then twice as long each time."""
_LONGEST = dt.timedelta(hours=6)
_SHOWN = (
    "id", "version", "created_at", "updated_at", "client_id", "state", "cause", "asked_by", "erased_at", "finished_at",
    "times_asked",
)  # fmt: skip


def patience(times_asked: int) -> dt.timedelta:
    """How long to wait for the reports after having asked so often."""
    return min(PATIENCE * 2 ** min(times_asked, 20), _LONGEST)


def record_reports(db: Database, events: Sequence[ReceivedEvent], now: dt.datetime) -> None:
    """`erasure.reported.v1` of any service. The last that one said stands, but nothing undoes a `done`."""
    with db.unit_of_work(once=events) as uow:
        names = ("erasure_id", "service", "outcome", "counts")
        record(uow, [{name: event.data[name] for name in names} for event in uow.fresh], now)


def record(uow: UnitOfWork, reports: Sequence[Record], now: dt.datetime) -> None:
    """Keeps reports [{erasure_id, service, outcome, counts}], and ends the erasures that are complete by them."""
    # Locked before anything is looked at: of two services that report at once, the second sees the first one's report.
    wanted = {report["erasure_id"] for report in reports}
    statement = select(Erasure).where(Erasure.id.in_(sorted(wanted))).order_by(Erasure.id).with_for_update()
    erasures = {erasure.id: erasure for erasure in uow.session.scalars(statement)}
    said = _said(uow.session, erasures)
    rows: dict[tuple[str, str], Record] = {}
    for report in reports:
        key = (report["erasure_id"], report["service"])
        known = rows.get(key) or said.get(key)
        if report["erasure_id"] not in erasures or (known and known["outcome"] == "done"):
            continue
        rows[key] = {**report, "reported_at": now}
    uow.upsert(
        ErasureReport,
        [rows[key] for key in sorted(rows)],
        key=("erasure_id", "service"),
        change=("outcome", "counts", "reported_at"),
    )
    left = missing(uow.session, list(erasures))
    finished: set[str] = set()
    for erasure in erasures.values():
        if erasure.state == "running" and not left[erasure.id]:
            erasure.finish(now)
            finished.update(erasure.client_ids)
        elif any(id_ == erasure.id and row["outcome"] != "done" for (id_, _), row in rows.items()):
            erasure.ask_at = min(erasure.ask_at, now + PATIENCE)
    if finished:
        forget_what_came_late(uow, sorted(finished))


def _said(session: Session, erasure_ids: Collection[str]) -> dict[tuple[str, str], Record]:
    statement = select(ErasureReport).where(ErasureReport.erasure_id.in_(sorted(erasure_ids)))
    return {
        (row.erasure_id, row.service): {"outcome": row.outcome, "counts": row.counts, "reported_at": row.reported_at}
        for row in session.scalars(statement)
    }


def forget_what_came_late(uow: UnitOfWork, client_ids: Sequence[str]) -> None:
    """What the erasing itself let others tell of the clients, such as messages that were held back, and events that
    were still to be published when their records were deleted."""
    for model in (Activity, LastActivity):
        late = delete(model).where(among(uow.session, model.client_id, client_ids))
        uow.session.execute(late, execution_options={"synchronize_session": False})
    uow.forget_mentions(client_ids)


def missing(session: Session, erasure_ids: Collection[str]) -> dict[str, set[str]]:
    """By erasure: the services that have not said that they are done."""
    statement = select(ErasureReport.erasure_id, ErasureReport.service).where(
        ErasureReport.erasure_id.in_(sorted(erasure_ids)), ErasureReport.outcome == "done"
    )
    left = {id_: set(ERASING_SERVICES) for id_ in erasure_ids}
    for erasure_id, service in session.execute(statement):
        left[erasure_id].discard(service)
    return left


def get_erasure(db: Database, *, erasure_id: str) -> Record:
    """Raises NotFound `erasure_not_found`."""
    with db.read() as session:
        found = session.scalars(select(Erasure).where(Erasure.id == erasure_id)).one_or_none()
        if found is None:
            raise NotFound("erasure_not_found", erasure_id=erasure_id)
        return view(session, [found])[0]


def list_erasures(
    db: Database, *, state: str | None = None, limit: int = 50, cursor: str | None = None, sort: str | None = None
) -> Record:
    """A page of erasures, the newest first. Raises Invalid as `page` does."""
    statement = select(Erasure)
    if state is not None:
        statement = statement.where(Erasure.state == state)
    with db.read() as session:
        rows, meta = page(
            session,
            statement,
            model=Erasure,
            sorts={"created_at": Erasure.created_at},
            default_sort="-created_at",
            limit=limit,
            cursor=cursor,
            sort=sort,
        )
        return {"data": view(session, rows), "meta": meta}


def view(session: Session, erasures: Sequence[Erasure]) -> list[Record]:
    """Erasures as `contracts.clients.Erasure`, with what each service said, by one query."""
    said = _said(session, [erasure.id for erasure in erasures])
    nothing: Record = {"outcome": "waiting", "counts": {}, "reported_at": None}
    records = []
    for erasure in erasures:
        services = [{"service": name, **said.get((erasure.id, name), nothing)} for name in ERASING_SERVICES]
        done = sum(entry["outcome"] == "done" for entry in services)
        records.append(
            {
                **{name: getattr(erasure, name) for name in _SHOWN},
                "progress": {"done": done, "total": len(services)},
                "services": services,
            }
        )
    return records
