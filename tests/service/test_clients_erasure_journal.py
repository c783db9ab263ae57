"""clients: an erasure goes on after what interrupts it, and is applied again after a restore."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.testing import as_owner
from contracts import clients
from contracts.errors import Unavailable
from services.clients import erasing
from services.clients.erasures import erasure_journal, erasure_reports
from services.clients.models import Base
from tests.service.canaries import publish_all
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.erasing_clients import PERSON, REPORTS, erase, found, go_on, person, report, state
from tests.service.one_database import on_one_database

__all__ = ["desk"]


@on_one_database
def test_the_journal_is_written_before_the_first_row_is_gone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    client_id = person(desk)
    erasure = erase(desk, client_id)

    def full(*_: Any) -> None:
        raise Unavailable("files_unavailable")

    with monkeypatch.context() as broken:
        broken.setattr(desk.files, "put", full)
        with pytest.raises(Unavailable):
            go_on(desk)
    assert found(desk.everywhere, ["Oxenfree"]) == ["Oxenfree"]
    assert state(desk, erasure["id"])["state"] == "begun"
    assert desk.emitted(clients.CLIENT_ERASED) == []
    # The timer asks again, and it goes on where it was.
    later = NOW + dt.timedelta(minutes=2)
    erasing.ask_again(desk.everywhere, later)
    assert len(desk.emitted(clients.ERASURE_REQUESTED)) == 2
    publish_all(desk.everywhere)
    go_on(desk)
    assert found(desk.everywhere) == []
    (key,) = desk.files.keys("erasures")
    with desk.files.get(key) as stream:
        written = stream.read().decode()
    assert client_id in written
    assert [word for word in PERSON if word in written] == []


@on_one_database
def test_killed_before_its_own_report_it_reports_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    client_id = person(desk)
    erasure = erase(desk, client_id)
    with monkeypatch.context() as killed:
        killed.setattr(erasure_reports, "record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            go_on(desk)
    assert state(desk, erasure["id"])["services"][0]["outcome"] == "waiting"
    erasing.ask_again(desk.everywhere, NOW + dt.timedelta(minutes=2))
    go_on(desk)
    assert state(desk, erasure["id"])["services"][0]["outcome"] == "done"
    assert len(desk.emitted(clients.CLIENT_ERASED)) == 1


def test_an_erasure_is_applied_again_to_a_database_that_was_restored(desk: Desk) -> None:
    client_id = person(desk)
    version = desk.get(client_id)["version"]
    publish_all(desk.everywhere)
    kept = copy_of(desk)
    erasure = erase(desk, client_id)
    go_on(desk)
    assert found(desk.everywhere) == []
    restore(desk, kept)
    assert len(found(desk.everywhere)) > 10
    assert desk.get(client_id)
    assert erasure_journal.apply_journal(desk.everywhere, desk.files, NOW) == 1
    go_on(desk)
    assert found(desk.everywhere) == []
    shown = state(desk, erasure["id"])
    assert (shown["client_id"], shown["cause"], shown["state"]) == (client_id, "restored", "running")
    (told,) = desk.emitted(clients.CLIENT_ERASED)
    assert told["version"] > version
    # Cheap from then on: nothing is new.
    assert erasure_journal.apply_journal(desk.everywhere, desk.files, NOW) == 0


@on_one_database
def test_a_file_that_cannot_be_read_keeps_no_other_erasure_from_being_applied_again(desk: Desk) -> None:
    client_id = person(desk)
    kept = copy_of(desk)
    erase(desk, client_id)
    go_on(desk)
    desk.files.put("erasures/2000-01-01/cut.json", b'{"firm_id"')
    restore(desk, kept)
    with pytest.raises(ValueError, match="unexpected end of data"):
        erasure_journal.apply_journal(desk.everywhere, desk.files, NOW)
    assert len(desk.emitted(clients.ERASURE_REQUESTED)) == 1


def test_by_command_the_services_are_told_of_every_erasure_once_more(desk: Desk) -> None:
    erasure = erase(desk, person(desk))
    go_on(desk)
    for handler in REPORTS:
        report(desk, erasure, handler)
    assert erasure_journal.apply_journal(desk.everywhere, desk.files, NOW, everything=True) == 1
    shown = state(desk, erasure["id"])
    assert (shown["state"], shown["progress"]["done"]) == ("begun", 0)
    go_on(desk)
    assert len(desk.emitted(clients.CLIENT_ERASED)) == 2


def copy_of(desk: Desk) -> dict[str, list[Any]]:
    """Every row, as a backup has it."""
    with as_owner(desk.everywhere) as connection:
        return {
            table.name: [dict(row._mapping) for row in connection.execute(table.select())]
            for table in Base.metadata.sorted_tables
        }


def restore(desk: Desk, kept: dict[str, list[Any]]) -> None:
    with as_owner(desk.everywhere) as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        for table in Base.metadata.sorted_tables:
            if kept[table.name]:
                connection.execute(table.insert(), kept[table.name])
