"""How far the sections of cases are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from chassis.scoping import BY_ID
from services.tasks.models import CaseTask

_OF = (CaseTask.case_id, CaseTask.case_form_id, CaseTask.section_position, CaseTask.section)


def read_progress(session: Session, which: ColumnElement[bool]) -> list[dict[str, Any]]:
    """`contracts.tasks.SectionProgress` of each section that has such case tasks, in no order."""
    counted = (
        select(*_OF, func.count().filter(CaseTask.status == "completed"), func.count())
        .where(which, CaseTask.status != "skipped")
        .group_by(*_OF)
        .execution_options(**BY_ID)
    )
    return [
        {
            "case_id": case_id,
            "case_form_id": form_id,
            "section": section,
            "section_position": None if form_id is None else position,
            "completed": completed,
            "total": total,
        }
        for case_id, form_id, position, section, completed, total in session.execute(counted)
    ]
