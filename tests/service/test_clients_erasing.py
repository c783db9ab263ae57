"""clients: what is left of one that was erased."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event as sql_event

from chassis import idempotency
from chassis.context import use
from chassis.rpc_wire import Codec
from chassis.testing import deliver, eventually, received
from contracts import clients, messaging
from contracts.errors import Conflict, Gone, NotFound, Unavailable
from services.clients import archiving, erasing, records
from services.clients.erasures import erased_rows, erasure_reports, legal_holds
from services.clients.imports.store import IMPORTS
from services.clients.models import Base, Client, Import
from tests.service.canaries import publish_all
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.contacts_desk import business, make
from tests.service.erasing_clients import AFTER, CANARIES, LISTS, PERSON, erase, found, go_on, merged, person, state
from tests.service.merging_clients import merge
from tests.service.one_database import on_one_database

__all__ = ["desk"]


@on_one_database
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


@on_one_database
def test_messaging_is_told_the_addresses_that_are_nobody_elses(desk: Desk) -> None:
    client_id = person(desk)
    shared = str(desk.create(first_name="Bea", phones=[{"number": "+12125550142"}, {"number": "+12125550199"}])["id"])
    erase(desk, client_id)
    go_on(desk)
    emails = ["zerelda.oxenfree@example.org"]
    assert desk.forgotten == [{"client_ids": [client_id], "numbers": [], "emails": emails, "shared": []}]
    desk.forgotten.clear()
    erase(desk, shared)
    go_on(desk)
    assert [one["numbers"] for one in desk.forgotten] == [["+12125550142", "+12125550199"]]


@on_one_database
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


def test_an_address_that_a_contact_has_too_is_not_forgotten(desk: Desk) -> None:
    client_id = person(desk)
    address = LISTS["emails"][0]["address"]
    make(desk, business(desk), phone=LISTS["phones"][0]["number"], email=address.upper())
    erase(desk, client_id)
    go_on(desk)
    assert {(one["client_ids"][0], *one["numbers"], *one["emails"]) for one in desk.forgotten} == {(client_id,)}


def test_the_person_is_gone_from_the_file_of_the_database_too(desk: Desk) -> None:
    if not desk.db.engines.is_sqlite:
        pytest.skip("PostgreSQL's files are autovacuum's")
    client_id = person(desk)
    path = desk.db.url.removeprefix("sqlite:///")
    desk.db.engines.empty_log()

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
    eventually(lambda: not desk.db.engines.to_forget(), what="the file written anew")
    assert in_files() == []


@on_one_database
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
    mine = {model.__tablename__ for model in erased_rows.tables_of_clients()} | erased_rows.KEPT_TABLES | {"client"}
    bookkeeping = {"outbox", "inbox", "parked_message", "idempotency_key", "lease"}
    others = {table.name for table in Base.metadata.sorted_tables} - mine - bookkeeping
    assert others == set(erased_rows.WITHOUT_CLIENTS)


def test_an_erased_id_makes_no_new_client(desk: Desk) -> None:
    client_id = person(desk)
    erase(desk, client_id)
    go_on(desk)
    with pytest.raises(Conflict, match="client_deleted"):
        desk.create(client_id=client_id, first_name="Again")


@on_one_database
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


def test_many_are_erased_by_as_few_statements_as_few(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "AT_ONCE", 10)
    for number in range(25):
        desk.create(first_name=f"P{number}", phones=[{"number": f"+121255{number:05d}"}])
    with desk.everywhere.across_firms("a test").unit_of_work() as uow:
        uow.session.execute(Client.__table__.update().values(archived_at=NOW))
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    def counted(act: Callable[[], object]) -> int:
        statements.clear()
        act()
        return len(statements)

    for engine in (engines := [desk.db.engines.read, desk.db.engines.write]):
        sql_event.listen(engine, "before_cursor_execute", note)
    decided = [counted(lambda: erasing.begin_due(desk.everywhere, AFTER)) for _ in range(3)]
    assert erasing.begin_due(desk.everywhere, AFTER) is False
    events = [
        received(clients.ERASURE_REQUESTED, data, firm_id=desk.firm_id, subscription="continue_erasures")
        for data in desk.emitted(clients.ERASURE_REQUESTED)
    ]
    assert len(events) == 25
    done = [
        counted(lambda start=start: deliver(desk.service, "continue_erasures", *events[start : start + 10]))
        for start in range(0, 25, 10)
    ]
    for engine in engines:
        sql_event.remove(engine, "before_cursor_execute", note)
    assert (len(set(decided)), len(set(done))) == (1, 1), (decided, done)
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


@on_one_database
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
    assert IMPORTS.get(desk.db, other["id"])["state"] == "uploaded"
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


@on_one_database
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


@on_one_database
def test_each_takes_along_what_was_merged_into_it(desk: Desk) -> None:
    one, two, three, four, five = (str(desk.create()["id"]) for _ in range(5))
    for surviving_id, merged_id in ((two, three), (one, two), (four, five)):
        merge(desk, surviving_id, merged_id)
    for client_id in (one, four):
        desk.delete(client_id)
    erasing.begin_due(desk.everywhere, AFTER)
    go_on(desk)
    told = {data["client_id"]: data["client_ids"] for data in desk.emitted(clients.CLIENT_ERASED)}
    assert told == {one: [one, two, three], four: [four, five]}


def test_what_was_merged_is_not_taken_for_deleted(desk: Desk) -> None:
    surviving_id, merged_id = merged(desk)
    erasing.begin_due(desk.everywhere, AFTER)
    assert desk.emitted(clients.ERASURE_REQUESTED) == []
    assert archiving.list_archived_clients(desk.db)["data"] == []
    for act in (archiving.restore_client, partial(legal_holds.place_legal_hold, reason="A suit.")):
        with pytest.raises(Gone, match="client_merged"):
            act(desk.db, NOW, client_id=merged_id)
    assert desk.get(surviving_id)
