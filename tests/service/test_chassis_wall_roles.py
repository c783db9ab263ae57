"""Which roles the walls between firms hold, and what operators meet who give others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import ProgrammingError

from chassis.columns import new_id
from chassis.database import Database
from chassis.engines import Engines
from chassis.migrations import owner_engine, upgrade
from chassis.testing import as_owner, make_database, service_url
from chassis.wall_building import put_up
from chassis.walls import Unwalled
from tests.service.sample import MakerBase, Thing
from tests.service.walled import FIRM, owner_url

__all__ = ["owner_url"]


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
        put_up(connection, MakerBase.metadata, "casewire_test")
    Engines(db.url).read.connect().close()


def test_rights_that_no_policy_holds_are_refused_and_taken_back(owner_url: str) -> None:
    """As after a GRANT ALL by hand: a TRUNCATE empties every firm's rows, and a trigger runs as who writes next."""
    db = make_database(MakerBase, owner_url)
    for name, given in (("one", "GRANT ALL ON part TO casewire_test"), ("two", "GRANT TRIGGER ON part TO PUBLIC")):
        with as_owner(db) as connection:
            connection.exec_driver_sql(given)
        with pytest.raises(Unwalled, match="may do more with the table part"):
            Engines(db.url).read.connect()
        with as_owner(db) as connection:
            put_up(connection, MakerBase.metadata, "casewire_test")
        Engines(db.url).read.connect().close()
        with db.for_firm(FIRM).unit_of_work() as uow:
            uow.insert(Thing, [{"name": name}])
    db.engines.dispose()


def test_a_service_does_not_see_what_its_other_connections_ask(postgres: Any, owner_url: str) -> None:
    """They work for other firms, and a statement holds what it looks for."""
    db = make_database(MakerBase, owner_url)
    name = make_url(owner_url).database
    with db.engines.write.begin() as busy:
        busy.execute(text("SELECT 'Zerelda Oxenfree'"))
        pid = busy.execute(text("SELECT pg_backend_pid()")).scalar_one()
        for asked in ("SELECT query FROM pg_stat_activity", f"SELECT pg_stat_get_backend_activity({pid})"):
            with pytest.raises(ProgrammingError, match="permission denied"), db.engines.read.connect() as connection:
                connection.execute(text(asked))
        assert postgres.server.ask(name, "SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid)
    db.engines.dispose()


@pytest.fixture(scope="module")
def untouched_url(postgres: Any) -> Iterator[str]:
    """The owner's URL of a database in which nothing is made, for walls that are refused and rolled back."""
    name = f"test_{new_id().replace('-', '')}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


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
    postgres: Any, stranger: Any, untouched_url: str, roles: dict[str, str], grants: tuple[str, ...], why: str
) -> None:
    role = stranger(**roles)
    owner = str(make_url(untouched_url).username)
    if "across" in roles:
        for granted in (owner, *(each.format(role=role) for each in grants)):
            postgres.server.ask("postgres", f"GRANT {role}_across TO {granted}")
    with pytest.raises(Unwalled, match=why.format(role=role)), owner_engine(untouched_url).begin() as connection:
        put_up(connection, MakerBase.metadata, role)


def test_the_owner_does_not_serve_itself(untouched_url: str) -> None:
    with pytest.raises(Unwalled, match="services connect as another role"):
        upgrade("tasks", untouched_url, role=make_url(untouched_url).username)


# What operators meet


def casewire(*arguments: str, **environment: str) -> tuple[int, str]:
    """The command line's exit status and what it said on stderr."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "CASEWIRE_"))}
    told = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**kept, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return told.returncode, told.stderr


def test_migrate_needs_the_owner_and_serve_refuses_it(owner_url: str, tmp_path: Path) -> None:
    service = service_url(owner_url)
    told = casewire("migrate", "tasks", DATABASE_URLS=f"tasks={service}")
    assert told == (
        2, "casewire: MIGRATION_URLS names nobody for tasks: its tables belong to another role than its own\n"
    )  # fmt: skip
    status, said = casewire("migrate", "tasks", DATABASE_URLS=f"tasks={owner_url}", MIGRATION_URLS=f"tasks={owner_url}")
    assert (status, "services connect as another role" in said) == (2, True)
    status, said = casewire("migrate", "tasks", DATABASE_URLS=f"tasks={service}", MIGRATION_URLS=f"tasks={owner_url}")
    assert status == 0, said
    keys = tmp_path / "keys"
    keys.write_text("A" * 43 + "\n")
    status, said = casewire(
        "serve", "tasks", DATABASE_URL=owner_url, AMQP_URI=f"embedded:///{new_id()}",
        FILES_URL=f"file://{tmp_path}", SEALING_KEYS_URL=f"file://{keys}",
    )  # fmt: skip
    assert (status, "casewire: cannot start: the role casewire_test_owner owns tables" in said) == (2, True), said
