"""The walls between firms, at every table of every service: whatever SQL one firm's session sends, it reads and writes
nothing of another's."""

from __future__ import annotations

import datetime as dt
import importlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Connection, Table, Uuid, func, insert, select, text
from sqlalchemy.exc import ProgrammingError

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.testing import as_owner, make_database
from chassis.turns import say_ahead
from chassis.walls import SHARED, reviewed_functions, walled_tables, within

OURS, THEIRS = new_id(), new_id()
SERVICES = sorted(folder.parent.name for folder in Path("services").glob("*/models*"))


@cache
def base_of(service: str) -> Any:
    return importlib.import_module(f"services.{service}.models").Base


TABLES = [(service, table.name) for service in SERVICES for table in walled_tables(base_of(service).metadata)]
every_table = pytest.mark.parametrize(("service", "name"), TABLES, ids=[f"{s}.{t}" for s, t in TABLES])


def test_every_service_has_tables_that_are_walled() -> None:
    assert {service for service, _ in TABLES} == {"accounts", "cases", "clients", "messaging", "portal", "tasks"}


@pytest.fixture(scope="module")
def databases(postgres: Any) -> Iterator[Any]:
    """Service to its database, in each table of which either firm has one row. What tables ask of their rows beside the
    walls is left out, so that a row can be made of types alone."""
    made: dict[str, tuple[str, Database]] = {}

    def make(service: str) -> Database:
        if service not in made:
            name = f"test_{new_id().replace('-', '')}"
            db = make_database(base_of(service), postgres.create_database(name))
            made[service] = (name, db)
            with as_owner(db) as connection:
                _forget_constraints(connection)
            for table in walled_tables(db.base.metadata):
                for firm_id in (OURS, THEIRS):
                    with within_firm(db, firm_id) as connection:
                        connection.execute(insert(table).values(row_of(table, firm_id)))
        return made[service][1]

    yield make
    for name, db in made.values():
        db.engines.dispose()
        postgres.drop_database(name)


def _forget_constraints(connection: Connection) -> None:
    for table, constraint in connection.exec_driver_sql(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype IN ('c', 'f')"
        " AND connamespace = 'public'::regnamespace ORDER BY contype DESC"
    ).all():
        connection.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{constraint}" CASCADE')
    for table, trigger in connection.exec_driver_sql(
        "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgconstraint <> 0"
    ).all():
        connection.exec_driver_sql(f'DROP TRIGGER "{trigger}" ON {table}')


_numbers = itertools.count(1)


def row_of(table: Table, firm_id: str) -> dict[str, Any]:
    """A row made of what the columns' types take."""
    row = {column.name: _value(column.type) for column in table.c if not column.nullable and column.computed is None}
    return {**row, "firm_id": firm_id}


def _value(kind: Any) -> Any:
    number = next(_numbers)
    if isinstance(kind, Uuid):
        return new_id()
    if isinstance(kind, JSON) or type(kind).__name__ == "JSON":
        return {}
    python: type = kind.python_type if not hasattr(kind, "impl_instance") else kind.impl_instance.python_type
    values: dict[type, Any] = {
        bool: False, int: number, float: 1.0, Decimal: Decimal(1), dt.datetime: utc_now(), dt.date: dt.date(2026, 1, 1),
        dt.time: dt.time(9, 0), bytes: str(number).encode(), list: [], dict: {},
    }  # fmt: skip
    if python is str:
        return str(number)[-(getattr(kind, "length", None) or 20) :]
    return values[python]


@contextmanager
def within_firm(db: Database, firm_id: str | None) -> Iterator[Connection]:
    """A bare connection in a transaction as a firm's session has it, or as nobody's; nothing else scopes it."""
    with db.engines.write.begin() as connection:
        if firm_id is not None:
            say_ahead(connection, within(firm_id))
        yield connection


@contextmanager
def refused(why: str = "row-level security") -> Iterator[None]:
    with pytest.raises(ProgrammingError, match=why) as caught:
        yield
    assert caught.value.orig.pgcode == "42501"  # type: ignore[union-attr]


class Undone(Exception):
    """Rolls a transaction back."""


@every_table
def test_sql_text_reads_only_our_rows(databases: Any, service: str, name: str) -> None:
    with within_firm(databases(service), OURS) as connection:
        assert connection.scalars(text(f"SELECT firm_id::text FROM {name}")).all() == [OURS]
        assert connection.scalar(text(f"SELECT count(*) FROM {name} WHERE firm_id = '{THEIRS}'")) == 0
        locked = text(f"SELECT firm_id::text FROM {name} FOR UPDATE")
        assert connection.scalars(locked).all() == [OURS]


@every_table
def test_sql_text_changes_only_our_rows(databases: Any, service: str, name: str) -> None:
    db = databases(service)
    for statement in (f"UPDATE {name} SET firm_id = firm_id", f"DELETE FROM {name}"):
        with pytest.raises(Undone), within_firm(db, OURS) as connection:  # noqa: PT012
            assert connection.execute(text(statement)).rowcount == 1
            raise Undone
        with within_firm(db, OURS) as connection:
            assert connection.execute(text(f"{statement} WHERE firm_id = '{THEIRS}'")).rowcount == 0
    with within_firm(db, THEIRS) as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {name}")) == 1


@every_table
def test_no_row_is_given_to_another_firm(databases: Any, service: str, name: str) -> None:
    db = databases(service)
    with refused(), within_firm(db, OURS) as connection:
        connection.execute(text(f"UPDATE {name} SET firm_id = '{THEIRS}'"))
    table = db.base.metadata.tables[name]
    with refused(), within_firm(db, OURS) as connection:
        connection.execute(insert(table).values(row_of(table, THEIRS)))


@every_table
def test_without_a_firm_there_is_nothing(databases: Any, service: str, name: str) -> None:
    db = databases(service)
    table = db.base.metadata.tables[name]
    with within_firm(db, None) as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {name}")) == 0
        assert connection.execute(text(f"UPDATE {name} SET firm_id = firm_id")).rowcount == 0
        assert connection.execute(text(f"DELETE FROM {name}")).rowcount == 0
    for firm_id in (OURS, None) if table.c.firm_id.nullable else (OURS,):
        with refused(), within_firm(db, None) as connection:
            connection.execute(insert(table).values({**row_of(table, OURS), "firm_id": firm_id}))


@every_table
def test_the_service_takes_down_no_wall(databases: Any, service: str, name: str) -> None:
    db = databases(service)
    for statement, why in (
        (f"TRUNCATE {name}", "permission denied"),
        (f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY", "must be owner"),
        (f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY", "must be owner"),
        (f"DROP POLICY casewire_firm ON {name}", "must be owner"),
        (f"CREATE POLICY more ON {name} USING (true)", "must be owner"),
        (f"DROP TABLE {name}", "must be owner"),
        (f"CREATE TRIGGER spy AFTER INSERT ON {name} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
         "permission denied"),
        (f"SET LOCAL row_security = off; SELECT count(*) FROM {name}", "row-level security"),
    ):  # fmt: skip
        with refused(why), within_firm(db, OURS) as connection:
            connection.exec_driver_sql(statement)


@every_table
def test_the_owner_is_walled_in_too(databases: Any, service: str, name: str) -> None:
    with as_owner(databases(service)) as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {name}")) == 2
        connection.execute(text("SET LOCAL casewire.upkeep = off"))
        assert connection.scalar(text(f"SELECT count(*) FROM {name}")) == 0


@every_table
def test_work_across_firms_sees_all(databases: Any, service: str, name: str) -> None:
    with databases(service).across_firms("a test").read() as session:
        assert session.scalar(text(f"SELECT count(*) FROM {name}")) == 2


SHARED_TABLES = [
    (service, table.name)
    for service in SERVICES
    for table in base_of(service).metadata.sorted_tables
    if table.info.get(SHARED)
]


def test_the_directory_of_companies_is_the_one_table_that_firms_share() -> None:
    assert SHARED_TABLES == [("clients", "company")]


@pytest.mark.parametrize(("service", "name"), SHARED_TABLES)
def test_what_all_firms_share_is_read_by_each_and_written_across_firms_only(
    databases: Any, service: str, name: str
) -> None:
    db = databases(service)
    table = db.base.metadata.tables[name]
    row = {column.name: _value(column.type) for column in table.c if not column.nullable}
    with db.across_firms("a test").unit_of_work() as uow:
        uow.session.execute(insert(table).values(row))
    for firm_id in (OURS, THEIRS):
        with within_firm(db, firm_id) as connection:
            assert connection.scalar(text(f"SELECT count(*) FROM {name}")) == 1
        for statement in (f"UPDATE {name} SET id = id", f"DELETE FROM {name}", f"TRUNCATE {name}"):
            with refused("permission denied"), within_firm(db, firm_id) as connection:
                connection.execute(text(statement))
        with refused("permission denied"), within_firm(db, firm_id) as connection:
            connection.execute(insert(table).values({**row, "id": new_id()}))


MAPPED = [
    (service, mapper.class_) for service in SERVICES for mapper in base_of(service).registry.mappers
    if "firm_id" in mapper.local_table.c
]  # fmt: skip


@pytest.mark.parametrize(("service", "model"), MAPPED, ids=[f"{s}.{m.__name__}" for s, m in MAPPED])
def test_the_orm_reads_and_deletes_only_our_rows(databases: Any, service: str, model: Any) -> None:
    db = databases(service).for_firm(OURS)
    with db.read() as session:
        assert session.scalars(select(model.firm_id)).all() == [OURS]
    asked = text(f"SELECT count(*) FROM {model.__table__.name} WHERE :firm_id IS NOT NULL")
    with db.read() as session:
        assert session.scalar(asked) == 1, "SQL text that binds the firm and does not ask for it"
    # As if the session forgot to scope a statement.
    with db.read() as session:
        unscoped = select(func.count()).select_from(model.__table__)
        assert session.scalar(unscoped, execution_options={"casewire_unguarded": True}) == 1


def test_every_table_with_a_firm_is_walled(databases: Any) -> None:
    for service in SERVICES:
        with as_owner(databases(service)) as connection:
            found = connection.exec_driver_sql(
                "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,"
                " (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*')"
                " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'firm_id'"
                " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
            ).all()
        assert {(name, walled, policies) for name, walled, policies in found} == {
            (table.name, True, 3) for table in walled_tables(base_of(service).metadata)
        }


FUNCTIONS = [
    (service, function.name) for service in SERVICES for function in reviewed_functions(base_of(service).metadata)
]


@pytest.mark.parametrize(("service", "name"), FUNCTIONS, ids=[f"{s}.{f}" for s, f in FUNCTIONS])
def test_a_function_that_looks_past_the_walls_does_so_for_our_firm_only(
    databases: Any, service: str, name: str
) -> None:
    db = databases(service)
    with as_owner(db) as connection:
        shape = "SELECT pronargs, prosecdef, pg_get_userbyid(proowner) FROM pg_proc WHERE proname = :name"
        arguments, runs_as_owner, owner = connection.execute(text(shape), {"name": name}).one()
        assert (runs_as_owner, owner) == (True, "casewire_test_across")
        with pytest.raises(ProgrammingError, match="permission denied"), connection.begin_nested():
            connection.execute(text(_call(name, OURS, arguments)))
    with within_firm(db, OURS) as connection:
        connection.execute(text(_call(name, OURS, arguments)))
    for firm_id in (OURS, None):
        with refused("another firm"), within_firm(db, firm_id) as connection:
            connection.execute(text(_call(name, THEIRS, arguments)))


def _call(name: str, firm_id: str, arguments: int) -> str:
    given = ", ".join([f"'{firm_id}'", *["NULL"] * (arguments - 1)])
    return f"SELECT * FROM {name}({given})"
