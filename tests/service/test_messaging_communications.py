"""The communications log: messages, call notes and meetings of a client in one list."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.columns import new_id
from contracts import cases
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messaging import COMMUNICATION_LOGGED
from services.messaging import communications
from tests.service.messaging_desk import NOW, Desk, desk

__all__ = ["desk"]


def log(desk: Desk, client_id: str, kind: str = "call", **fields: Any) -> dict[str, Any]:
    given = {"notes": "Asked for the deed.", **fields}
    return communications.log_communication(
        desk.db, desk.calls, client_id=client_id, actor_id=desk.staff_id, kind=kind, now=desk.clock(), **given
    )


def lines(desk: Desk, client_id: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = communications.list_communications(desk.db, client_id=client_id, **query)["data"]
    return found


def test_a_call_note_has_its_author_and_is_told(desk: Desk) -> None:
    person = desk.person()
    entry = log(desk, person, direction="inbound", minutes=10, participants=["Ann Lee", "Ada"], case_id=new_id())
    assert (entry["staff_id"], entry["at"], entry["minutes"]) == (desk.staff_id, NOW, 10)
    (event,) = desk.emitted(COMMUNICATION_LOGGED)
    assert event == {
        "log_entry_id": entry["id"], "client_id": person, "kind": "call", "staff_id": desk.staff_id,
        "case_id": entry["case_id"],
    }  # fmt: skip


def test_the_log_holds_messages_calls_and_meetings_by_their_time(desk: Desk) -> None:
    person, other = desk.person(), desk.person()
    log(desk, person, "meeting", at=NOW + dt.timedelta(days=1))
    desk.write(desk.number(person), "Hello")
    log(desk, person, at=NOW - dt.timedelta(days=1))
    log(desk, other)
    found = lines(desk, person)
    assert [line["kind"] for line in found] == ["meeting", "message", "call"]
    assert found[1]["message"]["body"] == "Hello"
    assert found[2]["entry"]["notes"] == "Asked for the deed."
    assert [line["kind"] for line in lines(desk, person, kind=["call", "message"])] == ["message", "call"]
    assert [line["kind"] for line in lines(desk, person, kind=["meeting"])] == ["meeting"]
    assert [line["kind"] for line in lines(desk, person, sort="at")] == ["call", "message", "meeting"]


def test_the_log_is_paged_over_all_its_kinds(desk: Desk) -> None:
    person = desk.person()
    for hours in range(4):
        log(desk, person, at=NOW - dt.timedelta(hours=hours))
        desk.clock.now = NOW - dt.timedelta(hours=hours, minutes=30)
        desk.reply(desk.number(person), f"{hours}", provider_id=f"SM{hours}")
    desk.ask([desk.item(person)])
    desk.run()
    seen: list[Any] = []
    cursor = None
    while True:
        page = communications.list_communications(desk.db, client_id=person, limit=2, cursor=cursor)
        seen += [line["at"] for line in page["data"]]
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == page["meta"]["total"] == 9


def test_what_is_logged_is_about_a_client_and_a_case_that_exist(desk: Desk) -> None:
    person, case_id = desk.person(), new_id()
    assert log(desk, person, case_id=case_id)["case_id"] == case_id
    with pytest.raises(NotFound, match="client_not_found"):
        log(desk, new_id())
    desk.calls.answers[cases.GET_CASE_FACTS] = lambda case_ids: {"cases": []}
    with pytest.raises(Invalid) as refused:
        log(desk, person, case_id=case_id)
    assert refused.value.fields[0]["field"] == "case_id"


def test_an_entry_is_corrected(desk: Desk) -> None:
    entry = log(desk, desk.person())

    def change(db: Any = desk.db, expected_version: int | None = None, **changes: Any) -> dict[str, Any]:
        return communications.update_log_entry(
            db, desk.calls, log_entry_id=entry["id"], changes=changes, expected_version=expected_version
        )

    assert change(minutes=20, expected_version=1)["minutes"] == 20
    with pytest.raises(Conflict, match="stale_version"):
        change(minutes=30, expected_version=1)
    with pytest.raises(NotFound, match="log_entry_not_found"):
        change(desk.everywhere.for_firm(new_id()), minutes=30)
