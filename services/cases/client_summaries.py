"""A client's cases at a glance, for its card."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import exists, func, select

from chassis.database import Database
from services.cases.models import Case, CaseClient
from services.cases.reading import records


def summarize_client_cases(db: Database, *, client_id: str, limit: int = 20) -> dict[str, Any]:
    """`contracts.cases.ClientCasesSummary`; of a client that is on no case, or not the firm's: nothing."""
    of_client = exists(
        select(1).where(CaseClient.case_id == Case.id, CaseClient.client_id == client_id).correlate(Case)
    )
    theirs = (of_client, Case.archived_at.is_(None))
    with db.read() as session:
        counted = select(Case.state, func.count(), func.sum(Case.value)).where(*theirs).group_by(Case.state)
        counts: dict[str, int] = {}
        total = Decimal(0)
        for state, count, value in session.execute(counted):
            counts[state] = count
            total += value or 0
        latest = select(Case).where(*theirs).order_by(Case.updated_at.desc(), Case.id.desc()).limit(limit)
        cases = records(session, session.scalars(latest).all())
    return {
        "open": counts.get("open", 0) + counts.get("pending", 0),
        "closed": counts.get("closed", 0),
        "total_value": total,
        "cases": cases,
    }
