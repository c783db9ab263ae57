"""Whether ids are cases of the firm."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from chassis.value_sets import id_rows
from contracts.errors import NotFound
from services.cases.models import Case


def refuse_unknown_cases(session: Session, case_ids: Sequence[str]) -> None:
    """Raises NotFound `case_not_found` that names the first id that is no case of the firm."""
    if not case_ids:
        return
    asked = id_rows(session, case_ids).subquery()
    known = exists(select(1).where(Case.id == asked.c.id))
    unknown = session.scalar(select(asked.c.id).where(~known).limit(1))
    if unknown is not None:
        raise NotFound("case_not_found", case_id=unknown)
