"""clients: an import that is cancelled, killed, overtaken or refused in mid-work. Every event is delivered twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import eventlet
import pytest

from chassis.asking_again import LONGEST, PATIENCE
from chassis.imports import again, running
from chassis.testing import deliver, received
from contracts.clients import CLIENT_DELETED, IMPORT_REQUESTED, IMPORT_UNDO_REQUESTED
from contracts.errors import Conflict, Unavailable
from services.clients import custom_fields
from services.clients.imports import chunks, matching, undo
from services.clients.imports import running as import_running
from services.clients.imports.store import IMPORTS
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.imported_rows import HEADER, client_count, counts, row, small_chunks
from tests.service.one_database import on_one_database
from tests.service.races import until_held_up

__all__ = ["desk", "small_chunks"]

MINUTE = dt.timedelta(minutes=1)


def test_a_cancelled_import_takes_in_no_more_and_keeps_what_it_did(desk: Desk, small_chunks: None) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(25)), row(26, Phone="1")])
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
    cancelled = running.cancel_import(desk.db, IMPORTS, import_id=started["id"])
    assert (cancelled["state"], counts(cancelled)) == ("cancelled", (10, 0, 0, 0))
    desk.hear("continue_import", IMPORT_REQUESTED, {"import_id": started["id"]})
    assert (desk.imported(started["id"])["state"], client_count(desk)) == ("cancelled", 10)
    assert len(desk.error_file(started["id"])) == 1
    for attempt in (partial(running.cancel_import, desk.db, IMPORTS), partial(import_running.run_import, desk.db)):
        with pytest.raises(Conflict):
            attempt(import_id=started["id"])


def test_an_import_that_is_cancelled_in_mid_work_ends_with_its_chunk(
    desk: Desk, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(35))])
    real, taken = import_running.take_in, list[int]()

    def take_in(db: Any, found: Any, chunk: Any) -> bool:
        if len(taken) == 2:
            running.cancel_import(desk.db, IMPORTS, import_id=started["id"])
        taken.append(chunk.start)
        return real(db, found, chunk)

    monkeypatch.setattr(import_running, "take_in", take_in)
    desk.hear("continue_import", IMPORT_REQUESTED, {"import_id": started["id"]})
    found = desk.imported(started["id"])
    assert (found["state"], counts(found), client_count(desk)) == ("cancelled", (20, 0, 0, 0), 20)
    assert taken == [0, 10, 20]


@on_one_database
def test_a_restart_resumes_without_a_second_copy_of_a_row(desk: Desk, small_chunks: None) -> None:
    content = [HEADER, *(row(number) for number in range(35)), row(40, Phone="1")]
    started = desk.start(content, duplicates="create")
    for done in (10, 20, 30):
        # A budget of nothing ends after each chunk, as a kill would.
        import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
        assert desk.imported(started["id"])["progress"] == {"done": done, "total": 36}
    assert len(desk.emitted(IMPORT_REQUESTED)) == 4
    for _ in range(2):
        import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
    assert counts(desk.imported(started["id"])) == (35, 0, 0, 1)
    assert client_count(desk) == 35


def test_two_who_start_it_at_once_start_it_once(desk: Desk) -> None:
    made = desk.preview([HEADER, *(row(number) for number in range(3))], duplicates="create")

    def start() -> str:
        try:
            return str(import_running.run_import(desk.db, import_id=made["id"])["state"])
        except Conflict as refused:
            return refused.code

    with desk.db.unit_of_work() as uow:
        IMPORTS.find(uow.session, made["id"], lock=True)
        both = [eventlet.spawn(start) for _ in range(2)]
        until_held_up(desk.db, *both)
    assert sorted(one.wait() for one in both) == ["import_started", "running"]
    for data in desk.emitted(IMPORT_REQUESTED):
        desk.hear("continue_import", IMPORT_REQUESTED, data)
    assert (len(desk.emitted(IMPORT_REQUESTED)), client_count(desk)) == (1, 3)


def test_two_at_once_take_each_chunk_in_once(desk: Desk, small_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(25))])
    real = import_running.take_in
    others = iter([True])

    def overtaken_once(*arguments: Any) -> bool:
        if next(others, False):
            import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
        return real(*arguments)

    monkeypatch.setattr(import_running, "take_in", overtaken_once)
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW)
    assert desk.imported(started["id"])["progress"]["done"] == 10
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW)
    assert counts(desk.imported(started["id"])) == (25, 0, 0, 0)
    assert client_count(desk) == 25


def test_two_who_are_at_the_same_chunk_take_it_in_once(
    desk: Desk, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = desk.start([HEADER, *(row(number, External_ID="") for number in range(10))], duplicates="create")
    real, others = chunks.Matching.decide, list[Any]()

    def go_on() -> None:
        import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW)

    def decide(self: Any, rows: Any) -> Any:
        if not others:
            others.append(eventlet.spawn(go_on))
            until_held_up(desk.db, others[0])
        return real(self, rows)

    monkeypatch.setattr(chunks.Matching, "decide", decide)
    go_on()
    others[0].wait()
    assert counts(desk.imported(started["id"])) == (10, 0, 0, 0)
    assert client_count(desk) == 10


def test_rows_are_read_again_by_a_field_that_changed_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.define("size")
    [field] = custom_fields.list_client_fields(desk.db)["data"]
    make_a_number = partial(
        custom_fields.update_client_field, desk.db, NOW, client_field_id=field["id"], changes={"type": "number"}
    )
    started = desk.start(
        [[*HEADER, "Size"], [*row(1), "17"], [*row(2), "large"]],
        mapping={"First name": "first_name", "Size": "custom_fields.size"},
    )
    real, changed = import_running.take_in, []

    def take_in(*arguments: Any) -> bool:
        if not changed:
            changed.append(make_a_number())
        return real(*arguments)

    monkeypatch.setattr(import_running, "take_in", take_in)
    with pytest.raises(Unavailable, match="client_field_changed"):
        import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW)
    assert client_count(desk) == 0
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW)
    [found] = desk.page()["data"]
    assert found["custom_fields"] == {"size": 17}
    assert desk.imported(started["id"])["rows"] == [{"row": 2, "errors": ["wrong_type:custom_fields.size"]}]


def test_a_row_that_the_database_refuses_fails_alone(
    desk: Desk, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = chunks.cards.insert

    def refuse_one(uow: Any, records: list[dict[str, Any]], **more: Any) -> set[str]:
        if any(record["first_name"] == "Ann13" for record in records):
            raise RuntimeError("refused")
        return real(uow, records, **more)

    monkeypatch.setattr(chunks.cards, "insert", refuse_one)
    found = desk.import_all([HEADER, *(row(number) for number in range(25))])
    assert counts(found) == (24, 0, 0, 1)
    assert found["rows"] == [{"row": 14, "errors": ["refused:row"]}]


def test_a_row_whose_external_id_is_taken_meanwhile_fails_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.create(first_name="Eve", external_source="import", external_source_id="X3")
    # As if she had not been there yet when the rows were looked for.
    monkeypatch.setattr(matching, "find_stored", lambda session, keys: iter(()))
    found = desk.import_all([HEADER, *(row(number) for number in range(5))])
    assert (found["state"], counts(found), client_count(desk)) == ("finished", (4, 0, 0, 1), 5)
    assert found["rows"] == [{"row": 4, "errors": ["external_id_taken:external_source_id"]}]


def test_an_import_that_lost_its_file_ends_and_keeps_what_it_did(desk: Desk, small_chunks: None) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(25))])
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
    for path in Path(desk.files._folder).rglob("*.csv"):
        path.unlink()
    desk.hear("continue_import", IMPORT_REQUESTED, {"import_id": started["id"]})
    found = desk.imported(started["id"])
    assert (found["state"], found["failure"], counts(found)) == ("failed", "file_not_found", (10, 0, 0, 0))


def test_an_import_goes_on_when_its_event_was_parked(desk: Desk, small_chunks: None) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(25))], duplicates="create")
    import_running.continue_import(desk.db, desk.files, started["id"], lambda: NOW, budget=0)
    moved = desk.imported(started["id"])["updated_at"]
    asked = len(desk.emitted(IMPORT_REQUESTED))
    ask_for_imports(desk, moved + PATIENCE - MINUTE)
    assert len(desk.emitted(IMPORT_REQUESTED)) == asked
    ask_for_imports(desk, moved + PATIENCE)
    ask_for_imports(desk, moved + PATIENCE)
    assert desk.emitted(IMPORT_REQUESTED)[asked:] == [{"import_id": started["id"]}]
    # By as many at once as asked for it.
    threads = [eventlet.spawn(import_running.continue_import, desk.db, desk.files, started["id"], lambda: NOW)]
    desk.hear("continue_import", IMPORT_REQUESTED, *desk.emitted(IMPORT_REQUESTED))
    for thread in threads:
        thread.wait()
    assert (counts(desk.imported(started["id"])), client_count(desk)) == ((25, 0, 0, 0), 25)
    asked = len(desk.emitted(IMPORT_REQUESTED))
    ask_for_imports(desk, moved + 10 * LONGEST)
    assert len(desk.emitted(IMPORT_REQUESTED)) == asked


@pytest.mark.parametrize("before", [{"earlier": 1}, {"attempt": 2}])
def test_an_event_that_came_before_does_one_chunk_and_asks_for_the_rest(
    desk: Desk, small_chunks: None, before: dict[str, int]
) -> None:
    started = desk.start([HEADER, *(row(number) for number in range(25))])
    (data,) = desk.emitted(IMPORT_REQUESTED)
    event = received(IMPORT_REQUESTED, data, firm_id=desk.firm_id)
    deliver(desk.service, "continue_import", replace(event, **before))
    assert desk.imported(started["id"])["progress"]["done"] == 10
    assert desk.emitted(IMPORT_REQUESTED) == [data, data]
    deliver(desk.service, "continue_import", event)
    assert desk.imported(started["id"])["state"] == "finished"


def test_an_undo_goes_on_when_its_event_was_parked(
    desk: Desk, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "CHUNK", 10)
    found = desk.import_all([HEADER, *(row(number) for number in range(25))])
    undo.undo_import(desk.db, NOW, import_id=found["id"])
    undo.continue_undo(desk.db, found["id"], budget=-1)
    moved = desk.imported(found["id"])["updated_at"]
    ask_for_imports(desk, moved + PATIENCE)
    events = desk.emitted(IMPORT_UNDO_REQUESTED)
    assert events == [{"import_id": found["id"]}] * 3, "asked for, by its first turn, and again"
    # Of as many at once as asked for it, each record is looked at by one.
    threads = [eventlet.spawn(undo.continue_undo, desk.db, found["id"]) for _ in events]
    for thread in threads:
        thread.wait()
    undone = desk.imported(found["id"])
    assert (undone["state"], undone["progress"], client_count(desk)) == ("undone", {"done": 25, "total": 25}, 0)
    assert len(desk.emitted(CLIENT_DELETED)) == 25
    ask_for_imports(desk, moved + 10 * LONGEST)
    assert len(desk.emitted(IMPORT_UNDO_REQUESTED)) == 3


def test_a_preview_whose_process_died_is_given_up(desk: Desk) -> None:
    made = desk.upload([HEADER, row(1)])
    with desk.db.unit_of_work() as uow:
        IMPORTS.find(uow.session, made["id"], lock=True).preview_started()
    begun = desk.imported(made["id"])["updated_at"]
    with desk.db.unit_of_work() as uow:
        found = IMPORTS.find(uow.session, made["id"], lock=True)
        found.preview_advanced(1)
        put_off = found.ask_at
    assert put_off > begun + PATIENCE, "one that gets on is let be"
    ask_for_imports(desk, begun + PATIENCE)
    assert desk.imported(made["id"])["state"] == "previewing"
    ask_for_imports(desk, put_off)
    assert desk.imported(made["id"])["state"] == "uploaded"
    assert desk.emitted(IMPORT_REQUESTED) == []


def ask_for_imports(desk: Desk, now: dt.datetime) -> None:
    again.ask_for_imports(desk.everywhere, IMPORTS, IMPORT_REQUESTED, IMPORT_UNDO_REQUESTED, now)
