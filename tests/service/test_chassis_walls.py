"""How walls between firms are put up and kept: connections that are shared, roles that are refused, functions that look
past them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import eventlet
import pytest
from sqlalchemy import Connection, event, func, insert, make_url, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from chassis import walls
from chassis.columns import new_id
from chassis.database import Database, service_base
from chassis.engines import Engines
from chassis.migrations import OWNER, downgrade, owner_engine, upgrade
from chassis.scoping import UNGUARDED
from chassis.testing import as_owner, make_database, service_url
from chassis.turns import say_ahead
from chassis.walls import Unwalled
from tests.service.sample import MakerBase, Thing

FIRM, OTHER = new_id(), new_id()
SERVICES = sorted(folder.parent.name for folder in Path("services").glob("*/migrations"))
COUNT = select(func.count()).select_from(Thing.__table__)


@pytest.fixture
def db(emptied_postgresql: Callable[[Any], Database]) -> Database:
    made = emptied_postgresql(MakerBase)
    for firm_id in (FIRM, OTHER):
        with made.for_firm(firm_id).unit_of_work() as uow:
            uow.insert(Thing, [{"name": "one"}])
    return made


@pytest.fixture
def owner_url(postgres_database: Callable[[], str]) -> str:
    return postgres_database()


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


# Roles


def test_a_service_works_only_as_a_role_that_the_walls_hold(postgres: Any, owner_url: str) -> None:
    db = make_database(MakerBase, owner_url)
    server, name = postgres.server, make_url(owner_url).database
    with pytest.raises(Unwalled, match="owns tables"):
        Database(owner_url, MakerBase).demand_walls()
    with pytest.raises(Unwalled, match="superuser"):
        Database(server.url(name), MakerBase).demand_walls()
    db.demand_walls()
    with as_owner(db) as connection:
        connection.exec_driver_sql("ALTER TABLE part NO FORCE ROW LEVEL SECURITY")
    db.engines.dispose()
    with pytest.raises(Unwalled, match="the table part has no walls"):
        Engines(db.url).read.connect()
    with as_owner(db) as connection:
        walls.put_up(connection, MakerBase.metadata, "casewire_test")
    Engines(db.url).read.connect().close()


@pytest.fixture
def stranger(postgres: Any) -> Iterator[Callable[..., str]]:
    """Makes roles of this test's own: `<role>`, `<role>_owner` and `<role>_across`, as far as they are named."""
    ask, role = postgres.server.ask, f"test_{new_id()[-12:]}"
    made: list[str] = []

    def make(**options: str) -> str:
        for ending, option in options.items():
            made.append(f"{role}{'' if ending == 'service' else f'_{ending}'}")
            ask("postgres", f"CREATE ROLE {made[-1]} {option}")
        return role

    yield make
    for each in made:
        ask("postgres", f"DROP ROLE IF EXISTS {each}")


@pytest.mark.parametrize(
    ("roles", "grants", "why"),
    [
        ({}, (), "there is no role {role}"),
        ({"service": "LOGIN"}, (), "there is no role {role}_across"),
        ({"service": "LOGIN", "across": "BYPASSRLS"}, (), "passes every wall"),
        ({"service": "LOGIN SUPERUSER", "across": ""}, (), "passes every wall"),
        ({"service": "LOGIN", "across": ""}, (), "may not take"),
        ({"service": "LOGIN INHERIT", "across": ""}, ("{role}",), "inherits {role}_across"),
    ],
)
def test_roles_that_would_be_no_wall_are_refused(
    postgres: Any, stranger: Any, owner_url: str, roles: dict[str, str], grants: tuple[str, ...], why: str
) -> None:
    role = stranger(**roles)
    owner = str(make_url(owner_url).username)
    if "across" in roles:
        for granted in (owner, *(each.format(role=role) for each in grants)):
            postgres.server.ask("postgres", f"GRANT {role}_across TO {granted}")
    with pytest.raises(Unwalled, match=why.format(role=role)), owner_engine(owner_url).begin() as connection:
        walls.put_up(connection, MakerBase.metadata, role)


def test_the_owner_does_not_serve_itself(owner_url: str) -> None:
    with pytest.raises(Unwalled, match="services connect as another role"):
        upgrade("tasks", owner_url, role=make_url(owner_url).username)


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
                walls.put_up(connection, MakerBase.metadata, "casewire_test")
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


# Functions that look past the walls


def declare(base: Any, body: str = "SELECT t.id FROM thing t WHERE t.firm_id = firm AND t.name LIKE wanted") -> None:
    walls.reviewed(base, name="find_things", arguments="firm uuid, wanted text", returns="SETOF uuid", body=body)


@pytest.fixture
def finding(owner_url: str) -> Iterator[tuple[Any, Database]]:
    """A base with a reviewed function, and its database with a row of either firm."""
    base: Any = service_base("finder")
    Thing.__table__.to_metadata(base.metadata)
    declare(base, "SELECT t.id FROM thing t WHERE t.firm_id = firm AND t.name LIKE '%' || wanted || '%'")
    db = make_database(base, owner_url)
    for firm_id in (FIRM, OTHER):
        with db.engines.write.begin() as connection:
            say_ahead(connection, walls.within(firm_id))
            row = {"id": firm_id, "firm_id": firm_id, "name": "a thing", "size": 1}
            connection.execute(insert(base.metadata.tables["thing"]).values(row))
    yield base, db
    db.engines.dispose()


def found(db: Database, firm_id: str, *, within: str | None = FIRM) -> list[str]:
    with db.engines.read.connect() as connection:
        connection.begin()
        if within:
            say_ahead(connection, walls.within(within))
        return [str(id_) for id_ in connection.scalars(text(f"SELECT find_things('{firm_id}', 'thin')"))]


def test_a_reviewed_function_answers_for_the_firm_of_the_transaction_only(finding: tuple[Any, Database]) -> None:
    _, db = finding
    assert found(db, FIRM) == [FIRM]
    assert found(db, OTHER, within=OTHER) == [OTHER]
    for within in (FIRM, None):
        with pytest.raises(ProgrammingError, match="another firm"):
            found(db, OTHER, within=within)


def test_a_reviewed_function_is_nobodys_but_the_services(finding: tuple[Any, Database], postgres: Any) -> None:
    _, db = finding
    name = make_url(db.url).database
    (told,) = postgres.server.ask(
        name,
        "SELECT prosecdef, pg_get_userbyid(proowner), proacl::text, proconfig::text FROM pg_proc"
        " WHERE proname = 'find_things'",
    )
    assert told[:2] == (True, "casewire_test_across")
    assert "casewire_test=X" in told[2]
    assert "{=X" not in told[2]
    assert "pg_catalog" in told[3]
    for role in ("casewire_test", "casewire_test_across"):
        assert not postgres.server.ask(name, "SELECT has_schema_privilege(%s, 'public', 'CREATE')", role)[0][0]


def test_a_reviewed_function_that_changed_takes_the_place_of_the_old(finding: tuple[Any, Database]) -> None:
    base, db = finding
    declare(base, "SELECT t.id FROM thing t WHERE t.firm_id = firm AND t.name = wanted")
    with as_owner(db) as connection:
        walls.put_up(connection, base.metadata, "casewire_test")
    assert found(db, FIRM) == []
    base.metadata.info.clear()
    with as_owner(db) as connection:
        walls.put_up(connection, base.metadata, "casewire_test")
    with pytest.raises(ProgrammingError, match="does not exist"):
        found(db, FIRM)


def test_a_reviewed_function_names_the_firm_first() -> None:
    with pytest.raises(ValueError, match="firm uuid"):
        walls.reviewed(service_base("odd"), name="odd", arguments="wanted text", returns="SETOF uuid", body="SELECT 1")


# A dump


def test_a_dump_by_the_owner_has_the_rows_of_every_firm_and_can_be_restored(
    finding: tuple[Any, Database], postgres_database: Callable[[], str], tmp_path: Path
) -> None:
    """As docs/operations.md says: without a superuser, and past the walls that hold the owner too."""
    programs = {path.name: str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_*"))}
    if "pg_dump" not in programs:
        pytest.skip("pg_dump is not installed")
    base, db = finding
    url = make_url(db.url)
    owner = url.set(drivername="postgresql", username=f"{url.username}{OWNER}")
    kept = str(tmp_path / "kept")
    options = ["--enable-row-security", f"--role={url.username}_across", "--format=custom", f"--file={kept}"]
    told = run(programs["pg_dump"], *options, owner.render_as_string(hide_password=False))
    if "server version mismatch" in told.stderr:
        pytest.skip("pg_dump is older than the server")
    assert told.returncode == 0, told.stderr
    anew = postgres_database()
    where = make_url(anew).set(drivername="postgresql").render_as_string(hide_password=False)
    told = run(programs["pg_restore"], "--no-owner", "--no-acl", "--single-transaction", f"--dbname={where}", kept)
    assert told.returncode == 0, told.stderr
    with owner_engine(anew).begin() as connection:
        walls.put_up(connection, base.metadata, str(url.username))
    restored = Database(service_url(anew), base)
    assert found(restored, FIRM) == [FIRM]
    assert found(restored, OTHER, within=OTHER) == [OTHER]
    restored.engines.dispose()


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


# What operators meet


def casewire(*arguments: str, **environment: str) -> tuple[int, str]:
    """The command line's exit status and what it said on stderr."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "CASEWIRE_"))}
    told = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**kept, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return told.returncode, told.stderr


def test_migrate_needs_the_owner_and_serve_refuses_it(owner_url: str) -> None:
    service = service_url(owner_url)
    told = casewire("migrate", "tasks", DATABASE_URLS=f"tasks={service}")
    assert told == (
        2, "casewire: MIGRATION_URLS names nobody for tasks: its tables belong to another role than its own\n"
    )  # fmt: skip
    status, said = casewire("migrate", "tasks", DATABASE_URLS=f"tasks={owner_url}", MIGRATION_URLS=f"tasks={owner_url}")
    assert (status, "services connect as another role" in said) == (2, True)
    status, said = casewire("migrate", "tasks", DATABASE_URLS=f"tasks={service}", MIGRATION_URLS=f"tasks={owner_url}")
    assert status == 0, said
    status, said = casewire("serve", "tasks", DATABASE_URL=owner_url, AMQP_URI=f"embedded:///{new_id()}")
    assert (status, "casewire: cannot start: the role casewire_test_owner owns tables" in said) == (2, True), said
