"""A client's cases at a glance, for its card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Integer, bindparam, exists, func, select

from chassis.database import Database
from contracts.cases import OPEN_CASES
from services.cases.models import Case, CaseClient
from services.cases.reading import records

_OF_CLIENT = (
    exists(
        select(1).where(CaseClient.case_id == Case.id, CaseClient.client_id == bindparam("client_id")).correlate(Case)
    ),
    Case.archived_at.is_(None),
)
_COUNTED = select(Case.state, func.count(), func.sum(Case.value)).where(*_OF_CLIENT).group_by(Case.state)
_OPEN = select(Case.id).where(*_OF_CLIENT, Case.state == "open").limit(OPEN_CASES + 1)
_LATEST = (
    select(Case)
    .where(*_OF_CLIENT)
    .order_by(Case.updated_at.desc(), Case.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


def summarize_client_cases(db: Database, *, client_id: str, limit: int = 20) -> dict[str, Any]:
    """`contracts.cases.ClientCasesSummary`; of a client that is on no case, or not the firm's: nothing."""
    with db.read() as session:
        latest = session.scalars(_LATEST, {"client_id": client_id, "limit": limit + 1}).all()
        if len(latest) <= limit:  # as of most clients: these are all, and need not be counted
            counted: Sequence[tuple[str, int, Decimal | None]] = [(case.state, 1, case.value) for case in latest]
            open_ids: Sequence[str] = [case.id for case in latest if case.state == "open"]
        else:
            counted = session.execute(_COUNTED, {"client_id": client_id}).all()
            open_ids = session.scalars(_OPEN, {"client_id": client_id}).all()
        cases = records(session, latest[:limit])
    counts: Counter[str] = Counter()
    for state, count, _ in counted:
        counts[state] += count
    return {
        "open": counts["open"] + counts["pending"],
        "closed": counts["closed"],
        "total_value": sum((value for _, _, value in counted if value is not None), Decimal(0)),
        "open_case_ids": open_ids if len(open_ids) <= OPEN_CASES else None,
        "cases": cases,
    }
