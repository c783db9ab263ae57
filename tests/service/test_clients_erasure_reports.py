"""clients: what each service reports of an erasure, and who is asked again."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from sqlalchemy import text

from chassis.columns import new_id
from contracts import clients, messaging
from contracts.errors import NotFound
from services.clients import erasing
from services.clients.erasures import erasure_latecomers, erasure_reports
from tests.service.clients_desk import DELIVERY, NOW, Desk, desk
from tests.service.erasing_clients import REPORTS, erase, go_on, person, report, state
from tests.service.one_database import on_one_database

__all__ = ["desk"]


@on_one_database
def test_an_erasure_is_done_when_every_service_has_reported(desk: Desk) -> None:
    erasure = erase(desk, person(desk))
    go_on(desk)
    assert state(desk, erasure["id"])["progress"] == {"done": 1, "total": 5}
    for handler in REPORTS:
        shown = state(desk, erasure["id"])
        assert shown["state"] == "running"
        assert {entry["outcome"] for entry in shown["services"]} == {"done", "waiting"}
        report(desk, erasure, handler)
    shown = state(desk, erasure["id"])
    assert (shown["state"], shown["progress"]) == ("done", {"done": 5, "total": 5})
    assert {entry["outcome"] for entry in shown["services"]} == {"done"}
    assert erasing.ask_again(desk.everywhere, NOW + dt.timedelta(days=9)) is False
    assert len(desk.emitted(clients.CLIENT_ERASED)) == 1


@on_one_database
def test_who_does_not_report_is_asked_again_and_less_and_less_often(desk: Desk) -> None:
    erasure = erase(desk, person(desk))
    go_on(desk)
    now = dt.datetime.now(dt.UTC)
    asked = []
    for minute in range(0, 60 * 24, 12):
        before = len(desk.emitted(clients.CLIENT_ERASED))
        erasing.ask_again(desk.everywhere, now + dt.timedelta(minutes=minute))
        if len(desk.emitted(clients.CLIENT_ERASED)) > before:
            asked.append(minute)
    gaps = [after - before for before, after in pairwise(asked)]
    assert 6 <= len(asked) <= 14
    assert gaps == sorted(gaps)
    assert state(desk, erasure["id"])["times_asked"] == len(asked) + 1


@on_one_database
def test_what_has_to_wait_is_shown_and_asked_for_soon(desk: Desk) -> None:
    erasure = erase(desk, person(desk))
    go_on(desk)
    for handler in REPORTS:
        report(desk, erasure, handler, "held" if "messaging" in handler else "done")
    shown = {entry["service"]: entry["outcome"] for entry in state(desk, erasure["id"])["services"]}
    assert shown == {"clients": "done", "cases": "done", "tasks": "done", "messaging": "held", "portal": "done"}
    erasing.ask_again(desk.everywhere, dt.datetime.now(dt.UTC) + dt.timedelta(seconds=61))
    assert len(desk.emitted(clients.CLIENT_ERASED)) == 2
    report(desk, erasure, "record_reports_of_messaging")
    assert state(desk, erasure["id"])["state"] == "done"
    report(desk, erasure, "record_reports_of_messaging", "held")
    assert state(desk, erasure["id"])["state"] == "done"


@on_one_database
def test_what_the_erasing_itself_let_others_tell_is_dropped_at_its_end(desk: Desk) -> None:
    client_id = person(desk)
    erasure = erase(desk, client_id)
    go_on(desk)
    late = {**DELIVERY, "delivery_id": new_id(), "client_id": client_id, "state": "suppressed"}
    desk.hear("record_suppressed_deliveries", messaging.DELIVERY_SUPPRESSED, late)
    for handler in REPORTS:
        report(desk, erasure, handler)
    with desk.db.read() as session:
        left = session.execute(text("SELECT count(*) FROM activity WHERE firm_id = :firm_id")).scalar_one()
    assert left == 0


def test_every_service_is_told_once_more_for_what_was_just_being_written(desk: Desk) -> None:
    client_id = person(desk)
    erasure = erase(desk, client_id)
    go_on(desk)
    for handler in REPORTS:
        report(desk, erasure, handler)
    late = {**DELIVERY, "delivery_id": new_id(), "client_id": client_id, "state": "sent"}
    desk.hear("record_sent_deliveries", messaging.DELIVERY_SENT, late)
    ended = dt.datetime.now(dt.UTC)
    for after, told in ((dt.timedelta(minutes=50), 1), (dt.timedelta(minutes=61), 2), (dt.timedelta(days=9), 2)):
        assert erasure_latecomers.tell_last(desk.everywhere, ended + after) is False
        assert len(desk.emitted(clients.CLIENT_ERASED)) == told
    assert state(desk, erasure["id"])["state"] == "done"
    with desk.db.read() as session:
        left = session.execute(text("SELECT count(*) FROM activity WHERE firm_id = :firm_id")).scalar_one()
    assert left == 0


def test_another_firm_sees_no_erasure(desk: Desk) -> None:
    erasure = erase(desk, person(desk))
    foreign = Desk(desk.everywhere, desk.files._folder)
    with pytest.raises(NotFound, match="erasure_not_found"):
        erasure_reports.get_erasure(foreign.db, erasure_id=erasure["id"])
    assert erasure_reports.list_erasures(foreign.db)["data"] == []
