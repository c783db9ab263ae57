"""What the later migrations of messaging make of the rows there."""

from __future__ import annotations

from collections.abc import Callable

from chassis.columns import new_id
from tests.service.old_rows import OldDatabase, old, versions_postgresql, versions_sqlite

__all__ = ["old", "versions_postgresql", "versions_sqlite"]


def test_notices_there_are_about_the_cases_that_they_name(old: Callable[[str, str], OldDatabase]) -> None:
    database = old("messaging", "0015")
    named = {new_id(): {"case_id": new_id(), "case_task_id": new_id()}, new_id(): {"conversation_id": new_id()}}
    for notice_id, about in named.items():
        database.put("notice", firm_id=new_id(), id=notice_id, staff_id=new_id(), about=about)
    database.to("0016")
    assert dict(database.rows("notice", "id", "case_id")) == {
        notice_id: about.get("case_id") for notice_id, about in named.items()
    }
    database.back_to("0015")
    assert "case_id" not in database.columns("notice")
    assert {notice_id for (notice_id,) in database.rows("notice", "id")} == {*named}
