"""cases: an import that is killed, overtaken, refused or cancelled in mid-work. Every event is delivered twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import eventlet
import pytest

from chassis.asking_again import LONGEST, PATIENCE
from chassis.database import Database
from chassis.imports import again
from chassis.testing import deliver, received
from contracts.base import Event
from contracts.cases import CASE_IMPORT_UNDONE, IMPORT_REQUESTED, IMPORT_UNDO_REQUESTED
from contracts.clients import MATCH_PEOPLE
from contracts.errors import Conflict, Unavailable
from services.cases.imports import chunks, running, undo
from services.cases.imports.store import IMPORTS
from tests.service.case_imports_desk import HEADER, ImportOffice, counts, failures, office, row, small_chunks
from tests.service.cases_office import NOW, events, refusal
from tests.service.one_database import on_one_database

__all__ = ["office", "small_chunks"]


class Killed(BaseException):
    """As kill -9 does, it leaves nothing of what was not committed."""


def test_a_restart_at_any_moment_makes_no_second_copy(
    office: ImportOffice, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.case_type()
    rows = [HEADER, *(row(number, Number="", Email="") for number in range(8)), row(9, Name="")]
    started = office.start(rows)
    # Killed after the clients of a chunk were made, before its cases were.
    real, kills = chunks.write_cases, iter([True, False, True, False, False])

    def write_cases(*arguments: Any) -> None:
        if next(kills):
            raise Killed
        real(*arguments)

    monkeypatch.setattr(chunks, "write_cases", write_cases)
    for done in (0, 3, 3, 6, 9):
        try:
            running.continue_import(office.db, office.files, office.calls, started["id"], lambda: NOW, budget=0)
        except Killed:
            pass
        assert IMPORTS.get(office.db, started["id"])["progress"] == {"done": done, "total": 9}
    found = IMPORTS.get(office.db, started["id"])
    assert (found["state"], counts(found), found["clients_created"]) == ("finished", (8, 0, 0, 1), 8)
    assert (len(office.by_name()), len(office.people)) == (8, 8)
    assert len({case["clients"][0]["client_id"] for case in office.by_name().values()}) == 8


def test_a_row_whose_number_is_taken_meanwhile_fails_alone_and_gives_its_client_back(
    office: ImportOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = office.case_type()
    started = office.start([HEADER, row(1), row(2), row(3)])
    real, taken = chunks.match_people, []

    def match_people(*arguments: Any, **more: Any) -> set[str]:
        if not taken:
            taken.append(office.case(kind, number="N2"))
        return real(*arguments, **more)

    monkeypatch.setattr(chunks, "match_people", match_people)
    monkeypatch.setattr("services.cases.imports.matching.find_stored", lambda session, keys: iter(()))
    office.hear("continue_import", IMPORT_REQUESTED, {"import_id": started["id"]})
    found = IMPORTS.get(office.db, started["id"])
    assert (counts(found), failures(found)) == ((2, 0, 0, 1), [["number_taken:number"]])
    [undone] = events(office, CASE_IMPORT_UNDONE)
    assert [office.people[client_id]["full_name"] for client_id in undone["client_ids"]] == ["Ann2"]
    assert found["clients_created"] == 2


def test_rows_are_read_again_by_a_type_that_changed_meanwhile(
    office: ImportOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = office.case_type()
    started = office.start([[*HEADER, "Status"], [*row(1), "In court"]])
    real, changed = chunks.match_people, []

    def match_people(*arguments: Any, **more: Any) -> set[str]:
        if not changed:
            renamed = [{"name": "New", "closed": False}, {"name": "In court", "closed": True}]
            changed.append(office.service.update_case_type(kind["id"], {"statuses": renamed}, None))
        return real(*arguments, **more)

    monkeypatch.setattr(chunks, "match_people", match_people)
    asked = (office.db, office.files, office.calls, started["id"], lambda: NOW)
    with pytest.raises(Unavailable, match="case_type_changed"):
        running.continue_import(*asked)
    assert office.by_name() == {}
    running.continue_import(*asked)
    assert office.by_name()["Case 1"]["state"] == "closed"


@on_one_database
def test_clients_of_rows_that_a_cancel_came_before_are_given_back(
    office: ImportOffice, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.case_type()
    asked = (office.db, office.files, office.calls)
    # Killed when its clients were made, and cancelled before it went on.
    killed = office.start([HEADER, *(row(number) for number in range(5))])
    with monkeypatch.context() as broken:
        broken.setattr(chunks, "write_cases", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            running.continue_import(*asked, killed["id"], lambda: NOW)
    # Cancelled between the clients of a chunk and its cases.
    other = office.start([HEADER, *(row(number) for number in range(10, 15))])
    real = chunks.match_people

    def match_people(*arguments: Any, **more: Any) -> set[str]:
        made = real(*arguments, **more)
        if made and len(office.by_name()) == 3:
            office.service.cancel_import(other["id"])
        return made

    monkeypatch.setattr(chunks, "match_people", match_people)
    office.service.cancel_import(killed["id"])
    running.continue_import(*asked, other["id"], lambda: NOW)
    assert (office.service.get_import(other["id"])["state"], len(office.by_name())) == ("cancelled", 3)
    on_cases = {client["client_id"] for case in office.by_name().values() for client in case["clients"]}
    told = {client_id for event in events(office, CASE_IMPORT_UNDONE) for client_id in event["client_ids"]}
    assert told.intersection(office.people) == office.people.keys() - on_cases
    assert len(told.intersection(office.people)) == 5


@on_one_database
def test_an_import_can_be_cancelled_and_runs_once(office: ImportOffice, small_chunks: None) -> None:
    office.case_type()
    started = office.start([HEADER, *(row(number) for number in range(7))])
    running.continue_import(office.db, office.files, office.calls, started["id"], lambda: NOW, budget=0)
    assert refusal(Conflict, office.service.run_import, started["id"])[0] == "import_started"
    office.service.cancel_import(started["id"])
    office.hear("continue_import", IMPORT_REQUESTED, {"import_id": started["id"]})
    found = office.service.get_import(started["id"])
    assert (found["state"], counts(found), len(office.by_name())) == ("cancelled", (3, 0, 0, 0), 3)


def test_an_import_goes_on_when_its_event_was_parked(office: ImportOffice, small_chunks: None) -> None:
    office.case_type()
    started = office.start([HEADER, *(row(number, Number="") for number in range(11))])
    match_people = office.calls.answers[MATCH_PEOPLE]
    answers = iter([match_people, away])
    office.calls.answers[MATCH_PEOPLE] = lambda **asked: next(answers)(**asked)
    with pytest.raises(Unavailable):
        running.continue_import(office.db, office.files, office.calls, started["id"], lambda: NOW)
    found = IMPORTS.get(office.db, started["id"])
    assert (found["state"], found["progress"]["done"]) == ("running", 3)
    ask_for_imports(office, found["updated_at"] + PATIENCE)
    assert events(office, IMPORT_REQUESTED) == [{"import_id": started["id"]}] * 2
    office.calls.answers[MATCH_PEOPLE] = slowly(match_people)
    # Two at once: the one that was asked for again, and the one that was parked and is replayed.
    go_on(office, "continue_import", IMPORT_REQUESTED, started["id"])
    found = IMPORTS.get(office.db, started["id"])
    assert (found["state"], counts(found), found["clients_created"]) == ("finished", (11, 0, 0, 0), 11)
    assert (len(office.by_name()), len(office.people)) == (11, 11)
    ask_for_imports(office, found["updated_at"] + LONGEST)
    assert len(events(office, IMPORT_REQUESTED)) == 2


def test_an_undo_goes_on_when_its_event_was_parked(office: ImportOffice, small_chunks: None) -> None:
    office.case_type()
    found = office.import_all([HEADER, *(row(number) for number in range(11))])
    office.service.undo_import(found["id"])
    undo.continue_undo(office.db, found["id"], budget=-1)
    ask_for_imports(office, IMPORTS.get(office.db, found["id"])["updated_at"] + PATIENCE)
    assert len(events(office, IMPORT_UNDO_REQUESTED)) == 3, "asked for, by its first turn, and again"
    go_on(office, "continue_undo", IMPORT_UNDO_REQUESTED, found["id"])
    undone = IMPORTS.get(office.db, found["id"])
    assert (undone["state"], undone["progress"], office.by_name()) == ("undone", {"done": 11, "total": 11}, {})
    given_back = [client_id for told in events(office, CASE_IMPORT_UNDONE) for client_id in told["client_ids"]]
    assert sorted(given_back) == sorted(office.people)


def away(**_: Any) -> Any:
    raise Unavailable("service_unavailable")


def slowly(answer: Any) -> Any:
    """Lets the others on before it answers."""

    def answer_later(**asked: Any) -> Any:
        eventlet.sleep(0)
        return answer(**asked)

    return answer_later


def go_on(office: ImportOffice, handler: str, event: Event, import_id: str) -> None:
    """Delivers three events of their own at once."""
    asked = [received(event, {"import_id": import_id}, firm_id=office.firm_id) for _ in range(3)]
    for thread in [eventlet.spawn(deliver, office.service, handler, one) for one in asked]:
        thread.wait()


def ask_for_imports(office: ImportOffice, now: dt.datetime) -> None:
    everywhere = Database(office.db.url, office.db.base)
    again.ask_for_imports(everywhere, IMPORTS, IMPORT_REQUESTED, IMPORT_UNDO_REQUESTED, now)
