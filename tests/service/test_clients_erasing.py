"""Deleting, taking back, holding and erasing clients, and what is left of one that was erased."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from chassis import idempotency
from chassis.columns import new_id
from chassis.context import use
from chassis.database import Database
from chassis.rpc_wire import Codec
from chassis.testing import as_owner, deliver, received
from chassis.wire import strict
from contracts import cases, clients, messaging, portal, tasks
from contracts.errors import Conflict, Gone, NotFound, Unavailable
from services.clients import (
    archiving,
    erasing,
    erasure_journal,
    erasure_reports,
    importing,
    legal_holds,
    merging,
    records,
)
from services.clients.models import Base, Client, Import
from tests.service.canaries import found_in, publish_all
from tests.service.clients_desk import DELIVERY, NOW, Desk, desk

__all__ = ["desk"]

CANARIES = {
    "first_name": "Zerelda", "middle_name": "Quimby", "last_name": "Oxenfree", "occupation": "Lamplighter",
    "flag_reason": "Owes for the Wurlitzer", "external_source": "Feedlewick", "external_source_id": "ROW-CANARY-7",
}  # fmt: skip
LISTS: dict[str, Any] = {
    "phones": [{"number": "+12125550142", "kind": "mobile"}],
    "emails": [{"address": "zerelda.oxenfree@example.org"}],
    "addresses": [{"kind": "primary", "line1": "9 Marzipan Row", "city": "Quahogport", "postal_code": "02871"}],
    "tags": ["Wurlitzer club"],
}
PERSON = [*CANARIES.values(), "+12125550142", "2125550142", "zerelda.oxenfree@example.org", "Marzipan", "Quahogport",
          "Wurlitzer club", "zerelda", "oxenfree"]  # fmt: skip
AFTER = NOW + dt.timedelta(days=30)
REPORTS = {
    "record_reports_of_cases": cases.ERASURE_REPORTED,
    "record_reports_of_tasks": tasks.ERASURE_REPORTED,
    "record_reports_of_messaging": messaging.ERASURE_REPORTED,
    "record_reports_of_portal": portal.ERASURE_REPORTED,
}


def person(desk: Desk) -> str:
    """A client with something in every field and table."""
    client_id = str(desk.create(**CANARIES, **LISTS)["id"])
    desk.change(client_id, status="inactive")
    return client_id


def found(db: Database, words: Iterable[str] = PERSON) -> list[str]:
    return found_in(db, words)


def erase(desk: Desk, client_id: str) -> dict[str, Any]:
    with use(desk.context):
        return checked(erasing.erase_client(desk.db, NOW, client_id=client_id, actor_id=desk.context.actor_id))


def checked(erasure: dict[str, Any]) -> dict[str, Any]:
    assert strict(clients.Erasure).schema.validate(strict(clients.Erasure).dump(erasure)) == {}
    return erasure


def go_on(desk: Desk) -> None:
    """What was asked for is done, each event delivered twice."""
    for data in desk.emitted(clients.ERASURE_REQUESTED):
        desk.hear("continue_erasures", clients.ERASURE_REQUESTED, data)


def state(desk: Desk, erasure_id: str) -> dict[str, Any]:
    return checked(erasure_reports.get_erasure(desk.db, erasure_id=erasure_id))


def report(desk: Desk, erasure: dict[str, Any], handler: str, outcome: str = "done") -> None:
    event = REPORTS[handler]
    said = {"erasure_id": erasure["id"], "client_id": erasure["client_id"], "service": event.owner,
            "outcome": outcome, "counts": {"rows": 2}}  # fmt: skip
    desk.hear(handler, event, said)


# Deleting and taking back


def test_a_deleted_client_can_be_taken_back_as_it_was(desk: Desk) -> None:
    client_id = person(desk)
    before = desk.get(client_id)
    desk.delete(client_id)
    with pytest.raises(NotFound, match="client_not_found"):
        desk.get(client_id)
    with use(desk.context):
        back = archiving.restore_client(desk.db, NOW, client_id=client_id)
    changing = ("version", "updated_at")
    assert {k: v for k, v in back.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }
    assert desk.get(client_id)["version"] == before["version"] + 2
    (told,) = desk.emitted(clients.CLIENT_RESTORED)
    assert told["version"] == back["version"]
    assert told["tags"] == ["Wurlitzer club"]


def test_to_take_back_what_is_there_changes_nothing(desk: Desk) -> None:
    client_id = person(desk)
    before = desk.get(client_id)
    assert archiving.restore_client(desk.db, NOW, client_id=client_id) == before
    assert desk.emitted(clients.CLIENT_RESTORED) == []


def test_a_client_is_not_taken_back_over_another_with_its_external_id(desk: Desk) -> None:
    client_id = person(desk)
    desk.delete(client_id)
    other = person(desk)
    with pytest.raises(Conflict, match="external_id_taken") as refused:
        archiving.restore_client(desk.db, NOW, client_id=client_id)
    assert refused.value.meta["client_id"] == other


def test_deleted_clients_are_listed_with_the_day_that_ends_them(desk: Desk) -> None:
    client_id, held = person(desk), str(desk.create(first_name="Bea")["id"])
    desk.delete(client_id)
    desk.delete(held)
    legal_holds.place_legal_hold(desk.db, NOW, client_id=held, reason="A suit.")
    listed = archiving.list_archived_clients(desk.db)["data"]
    assert {entry["id"]: (entry["display_name"], entry["held"]) for entry in listed} == {
        client_id: ("Zerelda Oxenfree", False), held: ("Bea", True)
    }  # fmt: skip
    assert {entry["erase_at"] for entry in listed} == {AFTER}


# Legal holds


def test_a_held_client_is_not_erased_until_the_hold_is_released(desk: Desk) -> None:
    client_id = person(desk)
    hold = legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason="A suit.", actor_id=None)
    with pytest.raises(Conflict, match="legal_hold") as refused:
        erase(desk, client_id)
    assert refused.value.meta["legal_hold_id"] == hold["id"]
    desk.delete(client_id)
    assert erasing.begin_due(desk.everywhere, AFTER) is False
    assert desk.emitted(clients.ERASURE_REQUESTED) == []
    released = legal_holds.release_legal_hold(desk.db, NOW, client_id=client_id, legal_hold_id=hold["id"])
    assert released["released_at"] == NOW
    assert legal_holds.release_legal_hold(desk.db, AFTER, client_id=client_id, legal_hold_id=hold["id"]) == released
    erasing.begin_due(desk.everywhere, AFTER)
    assert len(desk.emitted(clients.ERASURE_REQUESTED)) == 1
    assert len(desk.emitted(clients.LEGAL_HOLD_PLACED)) == len(desk.emitted(clients.LEGAL_HOLD_RELEASED)) == 1


def test_one_of_two_holds_is_enough(desk: Desk) -> None:
    client_id = person(desk)
    first, second = (legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason=why) for why in "ab")
    legal_holds.release_legal_hold(desk.db, NOW, client_id=client_id, legal_hold_id=first["id"])
    with pytest.raises(Conflict, match="legal_hold"):
        erase(desk, client_id)
    listed = legal_holds.list_legal_holds(desk.db, client_id=client_id)["data"]
    assert {hold["id"]: hold["released_at"] for hold in listed} == {first["id"]: NOW, second["id"]: None}


def test_a_hold_comes_too_late_for_a_client_that_is_being_erased(desk: Desk) -> None:
    client_id = person(desk)
    erase(desk, client_id)
    with pytest.raises(Conflict, match="client_being_erased"):
        legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason="A suit.")
    with pytest.raises(Conflict, match="client_being_erased"):
        archiving.restore_client(desk.db, NOW, client_id=client_id)


def test_holds_are_of_clients_of_the_firm(desk: Desk) -> None:
    foreign = Desk(desk.everywhere, desk.files._folder)
    client_id = person(foreign)
    for act in (
        lambda: legal_holds.place_legal_hold(desk.db, NOW, client_id=client_id, reason="Mine?"),
        lambda: legal_holds.list_legal_holds(desk.db, client_id=client_id),
        lambda: archiving.restore_client(desk.db, NOW, client_id=client_id),
        lambda: erase(desk, client_id),
    ):
        with pytest.raises(NotFound, match="client_not_found"):
            act()


# Erasing


def test_after_an_erase_nothing_of_the_person_is_left(desk: Desk) -> None:
    other = str(desk.create(first_name="Bea", phones=[{"number": "+12125550199"}])["id"])
    client_id = person(desk)
    assert sorted(found(desk.everywhere)) == sorted(PERSON)
    publish_all(desk.everywhere)
    erasure = erase(desk, client_id)
    assert (erasure["state"], erasure["cause"]) == ("begun", "asked")
    go_on(desk)
    assert found(desk.everywhere) == []
    with pytest.raises(Gone, match="client_erased"):
        desk.get(client_id)
    with pytest.raises(Gone, match="client_erased"):
        erase(desk, client_id)
    assert desk.recipient(client_id)["state"] == "erased"
    assert desk.listed() == [other]
    counts = state(desk, erasure["id"])["services"][0]["counts"]
    assert counts["client"] == counts["client_phone"] == counts["client_email"] == counts["client_address"] == 1


def test_messaging_is_told_the_addresses_that_are_nobody_elses(desk: Desk) -> None:
    client_id = person(desk)
    shared = str(desk.create(first_name="Bea", phones=[{"number": "+12125550142"}, {"number": "+12125550199"}])["id"])
    erase(desk, client_id)
    go_on(desk)
    assert desk.forgotten == [{"client_ids": [client_id], "numbers": [], "emails": ["zerelda.oxenfree@example.org"]}]
    desk.forgotten.clear()
    erase(desk, shared)
    go_on(desk)
    assert [one["numbers"] for one in desk.forgotten] == [["+12125550142", "+12125550199"]]


def test_without_messaging_nothing_is_deleted_yet(desk: Desk) -> None:
    client_id = person(desk)
    erasure = erase(desk, client_id)

    def away(**_: Any) -> None:
        raise Unavailable("no_answer")

    desk.calls.answers[messaging.FORGET_ADDRESSES] = away
    with pytest.raises(Unavailable):
        go_on(desk)
    assert state(desk, erasure["id"])["state"] == "begun"
    desk.calls.answers[messaging.FORGET_ADDRESSES] = lambda people: None
    go_on(desk)
    assert state(desk, erasure["id"])["state"] == "running"


def test_the_person_is_gone_from_the_file_of_the_database_too(desk: Desk) -> None:
    if not desk.db.engines.is_sqlite:
        pytest.skip("PostgreSQL's files are autovacuum's")
    client_id = person(desk)
    path = desk.db.url.removeprefix("sqlite:///")
    desk.db.engines.forget_deleted()

    def in_files() -> list[str]:
        content = b""
        for ending in ("", "-wal"):
            with open(path + ending, "rb") as file:
                content += file.read()
        return [word for word in PERSON if word.encode() in content]

    assert len(in_files()) > 10
    publish_all(desk.everywhere)
    erase(desk, client_id)
    go_on(desk)
    assert in_files() == []


def test_answers_that_are_kept_for_a_repeat_are_forgotten(desk: Desk) -> None:
    with use(desk.context):
        keyed = idempotency.KeyedRequest("create_client", "k", "h", Codec(clients.CREATE_CLIENT).dump_response)
        with idempotency.answering(keyed):
            made = records.create_client(desk.db, NOW, skip_duplicate_check=True, **CANARIES, **LISTS)
    assert found(desk.everywhere, ["Oxenfree"]) == ["Oxenfree"]
    publish_all(desk.everywhere)
    erase(desk, made["id"])
    go_on(desk)
    assert found(desk.everywhere) == []


def test_every_table_is_a_clients_or_holds_nothing_of_one() -> None:
    """A new table is erased by its column `client_id`; one without must be thought of."""
    mine = {model.__tablename__ for model in erasing.tables_of_clients()} | erasing.KEPT_TABLES | {"client"}
    bookkeeping = {"outbox", "inbox", "parked_message", "idempotency_key", "lease"}
    others = {table.name for table in Base.metadata.sorted_tables} - mine - bookkeeping
    assert others == set(erasing.WITHOUT_CLIENTS)


def test_an_erased_id_makes_no_new_client(desk: Desk) -> None:
    client_id = person(desk)
    erase(desk, client_id)
    go_on(desk)
    with pytest.raises(Conflict, match="client_deleted"):
        desk.create(client_id=client_id, first_name="Again")


def test_thirty_days_after_deleting_a_client_is_erased(desk: Desk) -> None:
    early, late, alive = (str(desk.create(first_name=name)["id"]) for name in ("Ann", "Bea", "Cyd"))
    desk.delete(early)
    records.delete_client(desk.db, NOW + dt.timedelta(days=1), client_id=late)
    erasing.begin_due(desk.everywhere, AFTER - dt.timedelta(seconds=1))
    assert desk.emitted(clients.ERASURE_REQUESTED) == []
    erasing.begin_due(desk.everywhere, AFTER)
    erasing.begin_due(desk.everywhere, AFTER)
    go_on(desk)
    assert [data["client_id"] for data in desk.emitted(clients.CLIENT_ERASED)] == [early]
    (listed,) = erasure_reports.list_erasures(desk.db)["data"]
    assert (listed["client_id"], listed["cause"]) == (early, "archived")
    assert desk.get(alive)
    assert [entry["id"] for entry in archiving.list_archived_clients(desk.db)["data"]] == [late]


def test_many_are_erased_by_few_statements(desk: Desk) -> None:
    for number in range(250):
        desk.create(first_name=f"P{number}", phones=[{"number": f"+121255{number:05d}"}] if number < 100 else [])
    with desk.everywhere.across_firms("a test").unit_of_work() as uow:
        uow.session.execute(Client.__table__.update().values(archived_at=NOW))
    rounds = 1
    while erasing.begin_due(desk.everywhere, AFTER):
        rounds += 1
    assert rounds == 3
    events = [
        received(clients.ERASURE_REQUESTED, data, firm_id=desk.firm_id, subscription="continue_erasures")
        for data in desk.emitted(clients.ERASURE_REQUESTED)
    ]
    assert len(events) == 250
    for start in range(0, 250, 100):
        deliver(desk.service, "continue_erasures", *events[start : start + 100])
    assert len(list(desk.files.keys("erasures"))) == 3
    assert erasing.ask_again(desk.everywhere, NOW) is False
    with desk.db.read() as session:
        assert session.query(Client).count() == 0


# Files


LIST = [
    ["First Name", "Last Name", "Mobile Phone"],
    ["Zerelda", "Oxenfree", "+12125550142"],
    ["Bea", "Fox", "nonsense"],
]


def test_the_list_that_a_client_came_in_with_goes_with_it(desk: Desk) -> None:
    made = desk.import_all(LIST)
    (client_id,) = desk.listed()
    desk.error_file(made["id"])
    other = desk.upload([["First Name"], ["Cyd"]])
    stored = {*desk.files.keys("uploads"), *desk.files.keys("imports")}
    assert len(stored) == 3
    erasure = erase(desk, client_id)
    go_on(desk)
    assert len(list(desk.files.keys("uploads"))) == 1
    assert list(desk.files.keys("imports")) == []
    assert importing.get_import(desk.db, import_id=other["id"])["state"] == "uploaded"
    with pytest.raises(NotFound, match="file_not_found"):
        desk.error_file(made["id"])
    assert state(desk, erasure["id"])["services"][0]["outcome"] == "done"


def test_a_list_that_is_still_being_taken_in_goes_when_it_is_done(desk: Desk) -> None:
    made = desk.import_all(LIST)
    (client_id,) = desk.listed()
    with desk.db.unit_of_work() as uow:
        uow.session.get_one(Import, (desk.firm_id, made["id"])).state = "undoing"
    erasure = erase(desk, client_id)
    go_on(desk)
    assert state(desk, erasure["id"])["services"][0]["outcome"] == "held"
    assert list(desk.files.keys("uploads"))
    with desk.db.unit_of_work() as uow:
        uow.session.get_one(Import, (desk.firm_id, made["id"])).state = "undone"
    erasing.ask_again(desk.everywhere, dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2))
    go_on(desk)
    assert state(desk, erasure["id"])["services"][0]["outcome"] == "done"
    assert list(desk.files.keys("uploads")) == []


# Merged clients


def merged(desk: Desk) -> tuple[str, str]:
    """A survivor, and the client that was merged into it."""
    surviving_id, merged_id = str(desk.create(first_name="Bea")["id"]), person(desk)
    with use(desk.context):
        merging.merge_clients(
            desk.db, desk.calls, NOW, client_id=surviving_id, duplicate_id=merged_id, keep={}, dry_run=False
        )
    return surviving_id, merged_id


def test_what_was_merged_is_erased_with_its_survivor(desk: Desk) -> None:
    surviving_id, merged_id = merged(desk)
    publish_all(desk.everywhere)
    with pytest.raises(Gone, match="client_merged") as refused:
        erase(desk, merged_id)
    assert refused.value.meta["surviving_id"] == surviving_id
    erase(desk, surviving_id)
    go_on(desk)
    assert found(desk.everywhere) == []
    (told,) = desk.emitted(clients.CLIENT_ERASED)
    assert told["client_ids"] == [surviving_id, merged_id]
    for client_id in told["client_ids"]:
        with pytest.raises(Gone, match="client_erased"):
            desk.get(client_id)


def test_what_was_merged_is_not_taken_for_deleted(desk: Desk) -> None:
    surviving_id, merged_id = merged(desk)
    erasing.begin_due(desk.everywhere, AFTER)
    assert desk.emitted(clients.ERASURE_REQUESTED) == []
    assert archiving.list_archived_clients(desk.db)["data"] == []
    for act in (archiving.restore_client, partial(legal_holds.place_legal_hold, reason="A suit.")):
        with pytest.raises(Gone, match="client_merged"):
            act(desk.db, NOW, client_id=merged_id)
    assert desk.get(surviving_id)


def test_a_hold_on_one_that_was_merged_binds_its_survivor(desk: Desk) -> None:
    surviving_id, merged_id = str(desk.create(first_name="Bea")["id"]), person(desk)
    legal_holds.place_legal_hold(desk.db, NOW, client_id=merged_id, reason="A suit.")
    with use(desk.context):
        merging.merge_clients(
            desk.db, desk.calls, NOW, client_id=surviving_id, duplicate_id=merged_id, keep={}, dry_run=False
        )
    with pytest.raises(Conflict, match="legal_hold"):
        erase(desk, surviving_id)
    desk.delete(surviving_id)
    erasing.begin_due(desk.everywhere, AFTER)
    assert desk.emitted(clients.ERASURE_REQUESTED) == []


# The journal, and what interrupts


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


# Reports


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


def test_who_does_not_report_is_asked_again_and_less_and_less_often(desk: Desk) -> None:
    erasure = erase(desk, person(desk))
    go_on(desk)
    now = dt.datetime.now(dt.UTC)
    asked = []
    for minute in range(0, 60 * 24, 5):
        before = len(desk.emitted(clients.CLIENT_ERASED))
        erasing.ask_again(desk.everywhere, now + dt.timedelta(minutes=minute))
        if len(desk.emitted(clients.CLIENT_ERASED)) > before:
            asked.append(minute)
    gaps = [after - before for before, after in pairwise(asked)]
    assert 6 <= len(asked) <= 14
    assert gaps == sorted(gaps)
    assert state(desk, erasure["id"])["times_asked"] == len(asked) + 1


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


def test_another_firm_sees_no_erasure(desk: Desk) -> None:
    erasure = erase(desk, person(desk))
    foreign = Desk(desk.everywhere, desk.files._folder)
    with pytest.raises(NotFound, match="erasure_not_found"):
        erasure_reports.get_erasure(foreign.db, erasure_id=erasure["id"])
    assert erasure_reports.list_erasures(foreign.db)["data"] == []


# After a restore


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
