"""What the later migrations of messaging make of the rows there."""

from __future__ import annotations

from collections.abc import Callable

from chassis.columns import new_id
from tests.service.old_rows import OldDatabase, old, versions_postgresql, versions_sqlite

__all__ = ["old", "versions_postgresql", "versions_sqlite"]


def test_cases_that_messages_notes_and_notices_name_are_asked_for(old: Callable[[str, str], OldDatabase]) -> None:
    database = old("messaging", "0015")
    firm_id, written, called, told = (new_id() for _ in range(4))
    for case_id in (written, written, None):
        database.put("delivery", firm_id=firm_id, id=new_id(), subject_id=new_id(), case_id=case_id)
    database.put("log_entry", firm_id=firm_id, id=new_id(), client_id=new_id(), case_id=called)
    notices = {new_id(): {"case_id": told, "case_task_id": new_id()}, new_id(): {"conversation_id": new_id()}}
    for notice_id, about in notices.items():
        database.put("notice", firm_id=firm_id, id=notice_id, staff_id=new_id(), about=about)

    database.to("0016")
    assert database.rows("known_case", "firm_id", "case_id", "version", "case_type_id") == sorted(
        (firm_id, case_id, 0, None) for case_id in (written, called, told)
    )
    assert dict(database.rows("notice", "id", "case_id")) == {
        notice_id: about.get("case_id") for notice_id, about in notices.items()
    }
    database.back_to("0015")
    assert "case_id" not in database.columns("notice")
    assert len(database.rows("delivery", "id")) == 3
