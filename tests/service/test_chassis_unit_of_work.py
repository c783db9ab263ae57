"""One transaction: changes, events, marks of what caused it, and the answer under an idempotency key."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import eventlet
import pytest
from sqlalchemy import create_engine, func, make_url, select, text, update
from sqlalchemy.exc import IntegrityError

from chassis import idempotency, unit_of_work
from chassis.bulk import MANY
from chassis.columns import new_id, utc_now
from chassis.context import Context
from chassis.database import AlreadyDone, Database, NestedUnitOfWork, in_transaction, violates
from chassis.housekeeping import sweep
from chassis.testing import eventually, make_database, outbox_events, received
from contracts.base import Event
from contracts.errors import Conflict, Invalid, Unavailable
from tests.service.sample import THING_MADE, Made, MakerBase, Thing

FIRM = new_id()


@pytest.fixture
def db(new_database: Callable[[Any], Database]) -> Database:
    return new_database(MakerBase).for_firm(FIRM)


def count(db: Database) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Thing)) or 0


def test_changes_and_events_are_committed_together(db: Database) -> None:
    woken: list[str] = []
    with db.unit_of_work() as uow:
        uow.session.add(Thing(name="one"))
        event_id = uow.emit(THING_MADE, "subject", {"number": 1}, aggregate_version=4)
        uow.after_commit(lambda: woken.append("after"))
        assert woken == []
        assert in_transaction()
    assert woken == ["after"]
    assert not in_transaction()
    (event,) = outbox_events(db, THING_MADE)
    assert (event.id, event.firm_id, event.subject, event.aggregate_version) == (event_id, FIRM, "subject", 4)
    assert event.data == {"number": 1, "note": ""}


def test_an_event_goes_with_its_request_unless_it_is_said_to_belong_to_another_chain(db: Database) -> None:
    asked = Database(db.url, MakerBase, firm_id=FIRM, context=Context(firm_id=FIRM, correlation_id="request"))
    with asked.unit_of_work() as uow:
        own = uow.emit(THING_MADE, "one", {"number": 1})
        chained = uow.emit(THING_MADE, "two", {"number": 2}, correlation_id="chain")
    with db.unit_of_work() as uow:
        alone = uow.emit(THING_MADE, "three", {"number": 3})
    found = {event.id: event.correlation_id for event in outbox_events(db, THING_MADE)}
    assert found == {own: "request", chained: "chain", alone: alone}


def test_nothing_of_a_failed_unit_of_work_stays(db: Database) -> None:
    woken: list[str] = []
    with pytest.raises(LookupError), db.unit_of_work() as uow:  # noqa: PT012 - the block is what fails
        uow.session.add(Thing(name="one"))
        uow.emit(THING_MADE, "subject", {"number": 1})
        uow.after_commit(lambda: woken.append("after"))
        raise LookupError
    assert (count(db), outbox_events(db), woken) == (0, [], [])


def test_what_is_written_together_is_written_with_the_events(db: Database) -> None:
    with db.unit_of_work() as uow:
        uow.insert(Thing, [{"name": "old", "size": 1}])
    with db.unit_of_work() as uow:
        uow.write_together()
        assert uow.insert(Thing, [{"name": "one", "facts": {"a": [1]}}, {"name": "two", "size": 7}]) == 2
        things = [{"name": "old", "size": 9}, {"name": "new", "size": 5}]
        uow.upsert(Thing, things, key=("name",), change=("size",))
        uow.emit_many(THING_MADE, [("subject", {"number": number}) for number in range(2)])
        assert count(db) == 1
    with db.read() as session:
        sizes = {thing.name: thing.size for thing in session.scalars(select(Thing))}
        assert session.scalars(select(Thing.facts).where(Thing.name == "one")).one() == {"a": [1]}
    assert sizes == {"old": 9, "one": 1, "two": 7, "new": 5}
    assert sorted(event.data["number"] for event in outbox_events(db, THING_MADE)) == [0, 1]
    with db.unit_of_work() as uow:
        uow.write_together()
        uow.insert(Thing, [{"name": "alone"}])
    assert count(db) == 5


def test_of_what_is_written_together_all_or_nothing_stays(db: Database) -> None:
    with db.unit_of_work() as uow:
        uow.insert(Thing, [{"name": "old"}])
    with pytest.raises(IntegrityError), db.unit_of_work() as uow:  # noqa: PT012 - the block's end is what fails
        uow.write_together()
        uow.insert(Thing, [{"name": "one"}])
        uow.insert(Thing, [{"name": "old"}])
        uow.emit(THING_MADE, "subject", {"number": 1})
    assert (count(db), outbox_events(db)) == (1, [])


@pytest.mark.parametrize("fails", [False, True])
def test_many_events_are_written_in_parts_of_one_transaction(
    db: Database, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "LARGEST_STATEMENT", 100)
    woken: list[str] = []
    db.engines.on_outbox(lambda: woken.append("relay"))
    with suppress(LookupError), db.unit_of_work() as uow:
        uow.emit_many(THING_MADE, [("subject", {"number": number}) for number in range(10)])
        written = uow.session.execute(text("SELECT count(*) FROM outbox WHERE firm_id = :firm_id")).scalar()
        if fails:
            raise LookupError
    assert 0 < (written or 0) < 10
    assert [event.data["number"] for event in outbox_events(db, THING_MADE)] == ([] if fails else list(range(10)))
    assert woken == ([] if fails else ["relay"])


@pytest.mark.parametrize("data", [{"number": "one"}, {"number": 1, "colour": "red"}, {}])
def test_data_that_the_events_schema_refuses_is_not_emitted(db: Database, data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"thing\.made"), db.unit_of_work() as uow:
        uow.emit(THING_MADE, "subject", data)
    assert outbox_events(db) == []


def test_a_service_emits_its_own_events_only(db: Database) -> None:
    with pytest.raises(ValueError, match="belongs to taker"), db.unit_of_work() as uow:
        uow.emit(Event("taker", "thing.taken.v1", Made), "subject", {"number": 1})


def test_an_event_is_applied_once(db: Database) -> None:
    one, two = (received(THING_MADE, {"number": number}, firm_id=FIRM) for number in (1, 2))
    with db.unit_of_work(once=one) as uow:
        uow.session.add(Thing(name="one"))
    with pytest.raises(AlreadyDone), db.unit_of_work(once=one):
        pass
    with db.unit_of_work(once=[one, two, two]) as uow:
        assert [event.id for event in uow.fresh] == [two.id]
    with pytest.raises(AlreadyDone), db.unit_of_work(once=[two, one]):
        pass
    assert count(db) == 1


def test_an_event_whose_effect_failed_is_not_marked(db: Database) -> None:
    event = received(THING_MADE, {"number": 1}, firm_id=FIRM)
    with pytest.raises(LookupError), db.unit_of_work(once=event):
        raise LookupError
    with db.unit_of_work(once=event) as uow:
        assert uow.fresh == [event]


def test_the_same_event_reaches_each_subscription(db: Database) -> None:
    event_id = new_id()
    for subscription in ("first", "second"):
        event = received(THING_MADE, {"number": 1}, firm_id=FIRM, event_id=event_id, subscription=subscription)
        with db.unit_of_work(once=event) as uow:
            assert uow.fresh == [event]


def test_a_unit_of_work_does_not_hold_another(db: Database) -> None:
    with pytest.raises(NestedUnitOfWork), db.unit_of_work(), db.unit_of_work():
        pass
    with db.unit_of_work():
        pass


@pytest.mark.parametrize("facts", [[], ["a", "b"], [[1], []], {"a": []}, "text", None], ids=str)
def test_set_based_inserts_keep_json_as_it_is(db: Database, facts: Any) -> None:
    with db.unit_of_work() as uow:
        uow.insert(Thing, [{"name": str(number), "facts": facts} for number in range(30)])
    with db.read() as session:
        assert list(session.scalars(select(Thing.facts))) == [facts] * 30


@pytest.mark.parametrize("rows", [MANY - 1, MANY])
def test_what_rows_have_in_common_is_said_once(db: Database, rows: int) -> None:
    moment = utc_now()
    same = {"size": 7, "made_at": moment, "facts": {"a": ["x", None]}}
    with db.unit_of_work() as uow:
        assert uow.insert(Thing, [{"name": str(number)} for number in range(rows)], same=same) == rows
        again = [{"name": "0"}, *({"name": f"new {number}"} for number in range(rows))]
        assert uow.insert(Thing, again, same={**same, "facts": None}, ignore_conflicts=True) == rows
        with pytest.raises(ValueError, match="another size"):
            uow.insert(Thing, [{"name": "other", "size": 8}], same=same)
    with db.read() as session:
        found = session.execute(select(Thing.size, Thing.made_at, Thing.facts)).all()
        assert len(set(session.scalars(select(Thing.id)))) == 2 * rows
    kept = [(7, moment, {"a": ["x", None]})] * rows + [(7, moment, None)] * rows
    assert sorted(map(tuple, found), key=str) == sorted(kept, key=str)


@pytest.mark.parametrize("rows", [MANY - 1, MANY])
def test_what_a_row_does_not_name_has_its_default(db: Database, rows: int) -> None:
    plain = [{"name": str(number)} for number in range(rows - 2)]
    with db.unit_of_work() as uow:
        uow.insert(Thing, [{"name": "sized", "size": 2}, {"name": "told", "facts": {"large": 10**30}}, *plain])
    with db.read() as session:
        found = session.execute(select(Thing.name, Thing.size, Thing.facts)).all()
        assert len(set(session.scalars(select(Thing.id)))) == rows
    expected = [("sized", 2, None), ("told", 1, {"large": 10**30}), *((row["name"], 1, None) for row in plain)]
    assert sorted(map(tuple, found)) == sorted(expected)


def test_set_based_inserts_report_what_they_inserted(db: Database) -> None:
    moment = utc_now()
    with db.unit_of_work() as uow:
        assert uow.insert(Thing, [{"name": str(number)} for number in range(5_000)]) == 5_000
        rows = [{"name": "4999"}, {"name": "5000", "made_at": moment, "facts": {"a": [1]}}, {"name": "5001"}]
        assert uow.insert(Thing, rows, ignore_conflicts=True) == 2
        assert uow.insert(Thing, []) == 0
        inserted = uow.insert_returning(Thing, [{"name": "1"}, {"name": "last"}], "name", ignore_conflicts=True)
        assert [row.name for row in inserted] == ["last"]
    with db.read() as session:
        thing = session.scalars(select(Thing).where(Thing.name == "5000")).one()
        assert (thing.made_at, thing.facts, thing.size) == (moment, {"a": [1]}, 1)


def test_many_records_are_changed_each_its_own_way(db: Database) -> None:
    with db.unit_of_work() as uow:
        things = [Thing(name=str(number)) for number in range(250)]
        uow.session.add_all(things)
        uow.session.flush()
        uow.update_each(Thing, [{"id": thing.id, "size": int(thing.name or 0), "facts": {}} for thing in things])
    with db.read() as session:
        assert all(thing.size == int(thing.name or -1) for thing in session.scalars(select(Thing)))


def test_a_broken_constraint_can_be_named(db: Database) -> None:
    name, key = Thing.__table_args__
    with db.unit_of_work() as uow:
        uow.session.add(Thing(name="one"))
    with pytest.raises(IntegrityError) as caught, db.unit_of_work() as uow:
        uow.session.add(Thing(name="one"))
    assert violates(caught.value, name)
    assert not violates(caught.value, key)


def test_concurrent_writers_all_commit(db: Database) -> None:
    """On SQLite green threads take turns: none fails with "database is locked", and none blocks the process."""
    with db.unit_of_work() as uow:
        uow.session.add(Thing(name="counter", size=0))

    def add() -> None:
        for _ in range(10):
            with db.unit_of_work() as uow:
                uow.session.execute(update(Thing).values(size=Thing.size + 1))
                eventlet.sleep(0)

    threads = [eventlet.spawn(add) for _ in range(8)]
    for thread in threads:
        thread.wait()
    with db.read() as session:
        assert session.scalar(select(Thing.size)) == 80


def test_another_process_that_writes_is_waited_for() -> None:
    """SQLite's own wait would stop every green thread of this process."""
    db = make_database(MakerBase).for_firm(FIRM)
    other = sqlite3.connect(make_url(db.url).database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ticks = 0

    def work_beside() -> None:
        nonlocal ticks
        while ticks < 20:
            eventlet.sleep(0.01)
            ticks += 1
        other.execute("COMMIT")

    beside = eventlet.spawn(work_beside)
    with db.unit_of_work() as uow:
        uow.session.add(Thing(name="one"))
        uow.session.flush()
        assert ticks == 20
    beside.wait()
    other.close()
    assert count(db) == 1


def test_connections_the_server_closed_are_replaced_unnoticed(emptied_postgresql: Callable[[Any], Database]) -> None:
    """As after a restart of PostgreSQL: nobody pays for it with an error, and no check costs a round trip."""
    db = emptied_postgresql(MakerBase).for_firm(FIRM)
    assert count(db) == 0
    close_connections(db)
    assert count(db) == 0
    close_connections(db)
    with db.unit_of_work() as uow:
        uow.session.add(Thing(name="one"))
    assert count(db) == 1


def test_a_connection_lost_in_mid_transaction_is_unavailability(emptied_postgresql: Callable[[Any], Database]) -> None:
    db = emptied_postgresql(MakerBase).for_firm(FIRM)
    with pytest.raises(Unavailable, match="database_unavailable"), db.unit_of_work() as uow:  # noqa: PT012
        uow.session.add(Thing(name="one"))
        uow.session.flush()
        close_connections(db)
        uow.session.add(Thing(name="two"))
    assert count(db) == 0


def close_connections(db: Database) -> None:
    """Has PostgreSQL close every connection to the database, and waits until it did."""
    name = make_url(db.url).database
    administrator = create_engine(make_url(db.url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with administrator.connect() as connection:
        those = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name")
        eventually(lambda: connection.execute(those, {"name": name}).scalar_one() == 0)
    administrator.dispose()


def test_instants_are_aware_and_sort_alike(db: Database) -> None:
    base = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    local = base.astimezone(dt.timezone(dt.timedelta(hours=-5)))
    with db.unit_of_work() as uow:
        uow.insert(
            Thing, [{"name": "b", "made_at": base}, {"name": "a", "made_at": base - dt.timedelta(microseconds=1)}]
        )
    with db.read() as session:
        assert session.scalars(select(Thing.made_at).order_by(Thing.made_at)).all()[1] == base
        assert session.scalar(select(Thing.name).where(Thing.made_at < local)) == "a"
        assert session.scalar(select(Thing.name).where(Thing.made_at == local)) == "b"
    with pytest.raises(Exception, match="naive"), db.unit_of_work() as uow:
        uow.insert(Thing, [{"name": "c", "made_at": base.replace(tzinfo=None)}])


def request(body: dict[str, Any], key: str = "key") -> idempotency.KeyedRequest:
    return idempotency.KeyedRequest("maker.make", key, idempotency.hash_request(body), lambda answer: {"id": answer})


def make(db: Database, name: str, body: dict[str, Any]) -> str:
    with idempotency.answering(request(body)), db.unit_of_work() as uow:
        uow.session.add(Thing(name=name))
        return uow.answer(name)


def test_a_request_with_a_key_is_answered_once(db: Database) -> None:
    assert make(db, "one", {"name": "one"}) == "one"
    with pytest.raises(idempotency.AlreadyAnswered) as caught:
        make(db, "one again", {"name": "one"})
    assert caught.value.answer == {"id": "one"}
    with pytest.raises(Invalid, match="idempotency_key_reused"):
        make(db, "other", {"name": "other"})
    assert db.stored_answer(request({"name": "one"})) == {"id": "one"}
    assert db.for_firm(new_id()).stored_answer(request({"name": "other"})) is None
    assert count(db) == 1


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_key_that_another_transaction_holds_is_in_use(db: Database) -> None:
    """On SQLite one transaction writes at a time, and the second finds the answer."""
    with idempotency.answering(request({})), db.unit_of_work():
        other = eventlet.spawn(make, db, "two", {})
        with pytest.raises(Conflict, match="idempotency_key_in_use"):
            other.wait()


def test_old_bookkeeping_is_swept(db: Database) -> None:
    everywhere = db.across_firms("the test sweeps")
    event = received(THING_MADE, {"number": 1}, firm_id=FIRM)
    with db.unit_of_work(once=event) as uow:
        uow.emit(THING_MADE, "published", {"number": 1})
        uow.emit(THING_MADE, "waiting", {"number": 2})
    make(db, "one", {})
    outbox = db.tables.outbox
    with everywhere.unit_of_work() as uow:
        uow.session.execute(update(outbox).where(outbox.c.aggregate_id == "published").values(published_at=utc_now()))
    assert sweep(everywhere) == 0
    assert sweep(everywhere, utc_now() + dt.timedelta(days=2)) == 2
    assert [left.subject for left in outbox_events(db)] == ["waiting"]
    assert sweep(everywhere, utc_now() + dt.timedelta(days=31)) == 1
    with db.unit_of_work(once=event) as uow:
        assert uow.fresh == [event]
