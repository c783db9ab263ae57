"""How walls between firms are put up and kept, on connections that firms share."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eventlet
import pytest
from sqlalchemy import Connection, event, func, insert, make_url, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from chassis import walls
from chassis.columns import new_id
from chassis.database import Database
from chassis.engines import Engines
from chassis.migrations import OWNER, downgrade, owner_engine, upgrade
from chassis.scoping import UNGUARDED
from chassis.testing import as_owner, make_database, service_url
from chassis.turns import say_ahead
from chassis.wall_building import put_up
from tests.service.sample import MakerBase, Thing
from tests.service.walled import COUNT, FIRM, db, owner_url

__all__ = ["db", "owner_url"]


SERVICES = sorted(folder.parent.name for folder in Path("services").glob("*/migrations"))


# Connections are shared by firms


def test_a_connection_carries_no_firm_into_the_next_work(db: Database) -> None:
    engines = Engines(db.url, pool_size=1, overflow=0)

    def left_behind() -> tuple[Any, ...]:
        with engines.read.connect() as connection:
            settings = "nullif(current_setting('casewire.firm', true), ''), current_user = session_user"
            return tuple(connection.execute(text(f"SELECT {settings}, (SELECT count(*) FROM thing)")).one())

    nothing = (None, True, 0)
    for ahead in (walls.within(FIRM), walls.across("casewire_test")):
        for engine in (engines.read, engines.write):
            with engine.connect() as connection:
                connection.begin()
                say_ahead(connection, ahead)
                assert connection.scalar(COUNT) >= 1
            assert left_behind() == nothing
            # Nothing was sent; a statement that failed; one that failed after others.
            with engine.connect() as connection:
                connection.begin()
                say_ahead(connection, ahead)
            assert left_behind() == nothing
            for statements in (["SELECT 1/0"], ["SELECT 1", "SELECT no_such_column"]):
                with pytest.raises(DBAPIError), engine.connect() as connection:  # noqa: PT012
                    connection.begin()
                    say_ahead(connection, ahead)
                    for statement in statements:
                        connection.execute(text(statement))
                assert left_behind() == nothing
    engines.dispose()


def test_one_that_gives_up_in_mid_statement_leaves_nothing_behind(db: Database) -> None:
    engines = Engines(db.url, pool_size=1, overflow=0)
    for engine in (engines.read, engines.write):
        with pytest.raises(eventlet.Timeout), eventlet.Timeout(0.2), engine.connect() as connection:  # noqa: PT012
            connection.begin()
            say_ahead(connection, walls.within(FIRM))
            connection.execute(text("SELECT pg_sleep(5)"))
        with engine.connect() as connection:
            assert connection.scalar(COUNT) == 0
    engines.dispose()


def test_firms_at_once_on_few_connections_see_their_own(postgres_database: Callable[[], str]) -> None:
    made = make_database(MakerBase, postgres_database())
    firms = {new_id(): number for number in range(1, 9)}
    for firm_id, number in firms.items():
        with made.for_firm(firm_id).unit_of_work() as uow:
            uow.insert(Thing, [{"name": f"{each}"} for each in range(number)])
    made.engines = Engines(made.url, pool_size=2, overflow=1)
    chance, wrong = random.Random(7), list[Any]()

    def work() -> None:
        for _ in range(40):
            firm_id = chance.choice([*firms, None])
            bound = made.across_firms("a test") if firm_id is None else made.for_firm(firm_id)
            bound.engines = made.engines
            expected = sum(firms.values()) if firm_id is None else firms[firm_id]
            kind = chance.randrange(4)
            if kind == 0:
                with pytest.raises(ProgrammingError), bound.read() as session:
                    session.execute(text("SELECT no_such_column WHERE :firm_id = ''"), {"firm_id": ""})
                continue
            opened = bound.unit_of_work() if kind == 1 else bound.read()
            with opened as given:
                session = getattr(given, "session", given)
                found = session.scalar(COUNT, execution_options=UNGUARDED)
                eventlet.sleep(0)
                again = session.scalar(COUNT, execution_options=UNGUARDED)
            if (found, again) != (expected, expected):
                wrong.append((firm_id, expected, found, again))

    for thread in [eventlet.spawn(work) for _ in range(12)]:
        thread.wait()
    assert wrong == []
    made.engines.dispose()


def test_the_firm_costs_no_turn(db: Database) -> None:
    """It goes ahead of a transaction's first statement, and of each that is read by itself."""
    sent: list[str] = []

    def note(_connection: Any, cursor: Any, *_rest: Any) -> None:
        sent.append(cursor.query.decode())

    engine = db.engines.write
    event.listen(engine, "after_cursor_execute", note)
    with db.for_firm(FIRM).unit_of_work() as uow:
        assert uow.session.scalars(select(Thing.name)).all() == ["one"]
        assert uow.session.scalars(select(Thing.name)).all() == ["one"]
    for each in (db.for_firm(FIRM), db.across_firms("a test")):
        with each.read() as session:
            session.scalar(select(func.count(Thing.id)))
            session.scalar(select(func.count(Thing.id)))
    event.remove(engine, "after_cursor_execute", note)
    firm, all_firms = f"SET LOCAL casewire.firm = '{FIRM}'; ", 'SET LOCAL ROLE "casewire_test_across"; '
    assert [statement.partition("SELECT")[0] for statement in sent] == [
        f"BEGIN; {firm}", "", firm, firm, all_firms, all_firms,
    ]  # fmt: skip


def test_a_savepoint_first_and_many_rows_first_are_within_the_walls(db: Database) -> None:
    with db.for_firm(FIRM).unit_of_work() as uow:
        with pytest.raises(LookupError), uow.session.begin_nested():  # noqa: PT012
            assert uow.session.scalar(COUNT, execution_options=UNGUARDED) == 1
            raise LookupError
        assert uow.session.scalar(COUNT, execution_options=UNGUARDED) == 1
    with db.for_firm(FIRM).unit_of_work() as uow:
        uow.update_each(Thing, [{"name": name, "size": 7} for name in ("one", "two")], key=("name",))
    with db.across_firms("a test").read() as session:
        assert sorted(session.scalars(select(Thing.size))) == [1, 7]


def test_a_firm_that_is_no_id_is_no_sql() -> None:
    with pytest.raises(ValueError, match="UUID"):
        walls.within("x'; RESET ROLE; --")


# Putting them up


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_leave_no_table_without_walls(service: str, owner_url: str) -> None:
    upgrade(service, owner_url)
    engines = Engines(service_url(owner_url))
    engines.read.connect().close()
    with owner_engine(owner_url).connect() as connection:
        unwalled = text(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND NOT (relrowsecurity AND relforcerowsecurity)"
        )
        left = set(connection.scalars(unwalled))
    engines.dispose()
    assert not left & {table.name for table in walls.walled_tables(_base(service).metadata)}
    assert "alembic_version" in left, "where nothing is anybody's there is no wall"


def _base(service: str) -> Any:
    import importlib

    return importlib.import_module(f"services.{service}.models").Base


def test_what_stands_is_not_touched(db: Database) -> None:
    """A release without new tables waits for nobody, and nobody for it."""
    with db.engines.read.connect() as reading:
        db.engines.open_to_all(reading)
        with db.engines.write.begin() as busy:
            db.engines.open_to_all(busy)
            busy.execute(text("SELECT count(*) FROM thing, part"))
            with as_owner(db) as connection:
                connection.execute(text("SET LOCAL lock_timeout = '200ms'"))
                done: list[str] = []
                event.listen(connection, "before_cursor_execute", lambda *given: done.append(given[2]))
                put_up(connection, MakerBase.metadata, "casewire_test")
    assert {statement.split()[0] for statement in done} == {"SELECT"}


def test_a_migration_sees_the_rows_of_every_firm(owner_url: str) -> None:
    """Also a later one, when the walls stand."""
    upgrade("clients", owner_url, "0002")
    engine = owner_engine(owner_url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT current_setting('casewire.upkeep')")).scalar_one() == "on"
        _insert_client(connection)
    upgrade("clients", owner_url, "0003")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM last_activity")) == 1
    downgrade("clients", owner_url, "0002")


def _insert_client(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO client (firm_id, id, version, created_at, updated_at, last_activity_at, kind, first_name,"
            " status, spam, custom_fields, sort_name, name_key, search_text)"
            " VALUES (:firm, :id, 1, now(), now(), now(), 'individual', 'Ann', 'active', false, '{}', '', '', '')"
        ),
        {"firm": FIRM, "id": new_id()},
    )


def test_an_older_database_is_taken_from_the_service(postgres: Any) -> None:
    """As releases before the walls had them: the service's own role owned everything."""
    from deploy.roles import make_service_database

    ask, role = postgres.server.ask, postgres.role
    name = f"test_{new_id().replace('-', '')}"
    ask("postgres", f"CREATE DATABASE {name} OWNER {role}")
    password = make_url(postgres.server.url()).password
    with owner_engine(postgres.server.url(name)).begin() as connection:
        MakerBase.metadata.create_all(connection)
        for table in MakerBase.metadata.sorted_tables:
            connection.exec_driver_sql(f"ALTER TABLE {table.name} OWNER TO {role}")
        connection.execute(insert(Thing.__table__).values(id=new_id(), firm_id=FIRM, name="kept", size=1))
    make_service_database(ask, name, role)
    db = make_database(MakerBase, postgres.server.url(name, role + OWNER, password)).for_firm(FIRM)
    with db.read() as session:
        assert session.scalars(select(Thing.name)).all() == ["kept"]
    db.engines.dispose()
    postgres.drop_database(name)
