"""Turns of PostgreSQL: what travels together, and that transactions mean what they always did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update
from sqlalchemy.exc import DataError, IntegrityError

from chassis.columns import new_id
from chassis.database import Database
from chassis.testing import outbox_events
from chassis.turns import ALONE, IN_ORDER, MANY
from tests.service.sample import THING_MADE, MakerBase, Thing

FIRM = new_id()

pytestmark = pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)


@pytest.fixture
def db(new_database: Callable[[Any], Database]) -> Database:
    return new_database(MakerBase).for_firm(FIRM)


@pytest.fixture
def sent(db: Database) -> Iterator[list[str]]:
    """What is sent to the server with each statement."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engine = db.engines.write
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def names(db: Database) -> list[str]:
    with db.read() as session:
        return list(session.scalars(select(Thing.name).order_by(Thing.name)))


def test_begin_goes_with_the_first_statement_and_commit_with_the_events(db: Database, sent: list[str]) -> None:
    with db.unit_of_work() as uow:
        uow.insert(Thing, [{"name": "one"}])
        uow.emit(THING_MADE, "one", {"number": 1})
    first, last = sent
    assert first.startswith("BEGIN; INSERT INTO thing ")
    assert last.startswith("INSERT INTO outbox ")
    assert last.endswith("; COMMIT")
    assert (names(db), len(outbox_events(db))) == (["one"], 1)


def test_what_is_written_together_is_committed_with_it(db: Database, sent: list[str]) -> None:
    with db.unit_of_work() as uow:
        uow.write_together()
        uow.insert(Thing, [{"name": "one"}])
        uow.emit(THING_MADE, "one", {"number": 1})
    (only,) = sent
    assert only.startswith("BEGIN; WITH ")
    assert only.endswith("; COMMIT")
    assert (names(db), len(outbox_events(db))) == (["one"], 1)


def test_what_ends_a_transaction_is_committed_with_it(db: Database, sent: list[str]) -> None:
    with db.unit_of_work() as uow:
        uow.end_with(update(Thing).values(name="two"))
        uow.end_with(update(Thing).values(size=2))
        uow.insert(Thing, [{"name": "one"}])
    first, second, last = sent
    assert first.startswith("BEGIN; INSERT INTO thing ")
    assert second.startswith("UPDATE thing SET name=")
    assert "COMMIT" not in second
    assert last.startswith("UPDATE thing SET size=")
    assert last.endswith("; COMMIT")
    assert names(db) == ["two"]


@pytest.mark.parametrize("together", [False, True])
def test_events_come_after_what_ends_a_transaction(db: Database, sent: list[str], together: bool) -> None:
    with db.unit_of_work() as uow:
        if together:
            uow.write_together()
        uow.emit(THING_MADE, "one", {"number": 1})
        uow.end_with(update(Thing).values(name="two"))
        uow.insert(Thing, [{"name": "one"}])
    assert [statement.endswith("; COMMIT") for statement in sent] == [False] * (len(sent) - 1) + [True]
    assert (names(db), len(outbox_events(db))) == (["one" if together else "two"], 1)


def test_what_ends_a_transaction_and_is_refused_leaves_nothing(db: Database) -> None:
    with pytest.raises(DataError), db.unit_of_work() as uow:  # noqa: PT012 - the block is what fails
        uow.insert(Thing, [{"name": "one"}])
        uow.end_with(update(Thing).values(size=2**70))
    assert names(db) == []


def test_a_transaction_without_events_is_committed(db: Database) -> None:
    with db.unit_of_work() as uow:
        uow.insert(Thing, [{"name": "one"}])
    assert names(db) == ["one"]


def test_several_rows_of_events_are_committed(db: Database) -> None:
    with db.unit_of_work() as uow:
        uow.emit_many(THING_MADE, [(str(number), {"number": number}) for number in range(3)])
    assert len(outbox_events(db)) == 3


def test_nothing_is_sent_for_a_transaction_that_does_nothing(db: Database, sent: list[str]) -> None:
    with db.unit_of_work():
        pass
    assert sent == []


def test_a_read_begins_nothing(db: Database, sent: list[str]) -> None:
    assert names(db) == []
    (only,) = sent
    assert only.startswith("SELECT ")


def test_a_last_statement_that_is_refused_leaves_nothing(db: Database) -> None:
    taken = new_id()
    with db.unit_of_work() as uow:
        uow.insert(Thing, [{"id": taken, "name": "one"}])
    with pytest.raises(IntegrityError), db.unit_of_work() as uow:  # noqa: PT012 - the block is what fails
        uow.insert(Thing, [{"name": "two"}])
        uow.write_together()
        uow.insert(Thing, [{"id": taken, "name": "three"}])
        uow.emit(THING_MADE, "three", {"number": 3})
    assert (names(db), outbox_events(db)) == (["one"], [])


def test_a_first_statement_that_is_refused_leaves_a_connection_that_works(db: Database) -> None:
    for _ in range(2):
        with pytest.raises(Exception, match="no_such_table"), db.engines.write.begin() as connection:
            connection.execute(text("SELECT * FROM no_such_table"))
    with db.unit_of_work() as uow:
        uow.insert(Thing, [{"name": "one"}])
    assert names(db) == ["one"]


def test_a_transaction_that_is_left_open_is_rolled_back_when_its_connection_goes_back(db: Database) -> None:
    connection = db.engines.write.connect()
    db.engines.open_to_all(connection)
    values = {"id": new_id(), "firm": FIRM}
    connection.execute(text("INSERT INTO thing (id, firm_id, name, size) VALUES (:id, :firm, 'one', 1)"), values)
    connection.close()
    assert names(db) == []
    with db.engines.write.connect() as again:
        assert again.scalar(select(func.pg_current_xact_id_if_assigned())) is None


def test_a_savepoint_holds_within_a_transaction(db: Database) -> None:
    with db.unit_of_work() as uow:
        with pytest.raises(LookupError), uow.session.begin_nested():  # noqa: PT012 - the block is what fails
            uow.insert(Thing, [{"name": "inside"}])
            raise LookupError
        uow.insert(Thing, [{"name": "outside"}])
    assert names(db) == ["outside"]


def test_what_is_to_be_read_in_order_is_planned_without_sorting_and_nothing_after_it(
    db: Database, sent: list[str]
) -> None:
    may_sort = text("SELECT current_setting('enable_sort'), :firm_id")
    with db.unit_of_work() as uow:
        told = [uow.session.execute(may_sort, execution_options=how).scalar() for how in ({}, IN_ORDER, IN_ORDER, {})]
    assert told == ["on", "off", "off", "on"]
    with db.read() as session:
        told = [session.execute(may_sort, execution_options=how).scalar() for how in (IN_ORDER, {})]
    assert told == ["off", "on"]
    assert [statement.count("enable_sort =") for statement in sent] == [0, 1, 0, 0, 1, 0]


def test_what_runs_alone_is_given_no_helpers_to_the_end_of_its_transaction(db: Database) -> None:
    helpers = text("SELECT current_setting('max_parallel_workers_per_gather'), :firm_id")
    with db.read() as session:
        told = [session.execute(helpers, execution_options=how).scalar() for how in (ALONE, {})]
    assert told == ["0", "2"]
    for hows, wanted in ((({}, ALONE, {}), ["2", "0", "0"]), ((ALONE,), ["0"]), (({},), ["2"])):
        with db.unit_of_work() as uow:
            told = [uow.session.execute(helpers, execution_options=how).scalar() for how in hows]
        assert told == wanted
    with db.unit_of_work() as uow:
        uow.insert(Thing, [{"name": "one"}])
        uow.session.execute(helpers, execution_options=ALONE)
    assert names(db) == ["one"]


def test_a_read_of_many_rows_looks_none_up_one_by_one(db: Database) -> None:
    looks_up = text("SELECT current_setting('enable_nestloop'), :firm_id")
    with db.read() as session:
        told = [session.execute(looks_up, execution_options=how).scalar() for how in (MANY, {})]
    assert told == ["off", "on"]
