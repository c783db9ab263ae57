"""Functions that look past the walls between firms for one of them, and a dump that holds every firm."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, make_url, text
from sqlalchemy.exc import ProgrammingError

from chassis import walls
from chassis.database import Database, service_base
from chassis.migrations import OWNER, owner_engine
from chassis.testing import as_owner, make_database, service_url
from chassis.turns import say_ahead
from chassis.wall_building import put_up
from tests.service.sample import Thing
from tests.service.walled import FIRM, OTHER, owner_url

__all__ = ["owner_url"]


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
        put_up(connection, base.metadata, "casewire_test")
    assert found(db, FIRM) == []
    base.metadata.info.clear()
    with as_owner(db) as connection:
        put_up(connection, base.metadata, "casewire_test")
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
        put_up(connection, base.metadata, str(url.username))
    restored = Database(service_url(anew), base)
    assert found(restored, FIRM) == [FIRM]
    assert found(restored, OTHER, within=OTHER) == [OTHER]
    restored.engines.dispose()


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
