"""A service's database at an earlier version with rows of that version, for tests of what migrations make of them."""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import CHAR, JSON, Column, DateTime, MetaData, Table, Uuid, inspect, make_url
from sqlalchemy.types import Boolean, Date, Integer, String

from chassis.migrations import downgrade, owner_engine, upgrade
from chassis.sealing import LocalKeys, use_key_store

NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)


class OldDatabase:
    """Tables are read from the database itself, so that none of today's models gets in between. Ids are texts with
    dashes, whatever the server keeps."""

    def __init__(self, service: str, url: str) -> None:
        self.service, self.url = service, url
        self.engine = owner_engine(url)

    def to(self, revision: str) -> None:
        """Brings it to a later version."""
        upgrade(self.service, self.url, revision)

    def back_to(self, revision: str) -> None:
        """Brings it to an earlier version."""
        downgrade(self.service, self.url, revision)

    def put(self, table: str, **values: Any) -> None:
        """Adds a row. What is not given and cannot be empty is false, 0, {}, now, or an empty text."""
        model = self._table(table)
        row = {name: _kept(model.c[name], value) for name, value in values.items()}
        for column in model.c:
            if column.name not in row and not column.nullable and column.server_default is None:
                row[column.name] = _kept(column, _nothing(column))
        with self.engine.begin() as connection:
            connection.execute(model.insert().values(row))

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of all rows, in their order."""
        model = self._table(table)
        with self.engine.connect() as connection:
            found = connection.execute(model.select()).mappings().all()
        return sorted(
            (tuple(_told(model.c[name], row[name]) for name in columns) for row in found),
            key=lambda values: tuple(map(str, values)),
        )

    def columns(self, table: str) -> set[str]:
        """The names of a table's columns."""
        return {column["name"] for column in inspect(self.engine).get_columns(table)}

    def _table(self, name: str) -> Table:
        return Table(name, MetaData(), autoload_with=self.engine, resolve_fks=False)


def check_imports_asked_again(database: OldDatabase, version: str) -> None:
    """That a version of clients, or cases, has those imports there asked for again that go on."""
    before, firm_id = sorted(database.columns("file_import")), str(uuid.uuid4())
    for state in ("previewed", "previewing", "running", "undoing", "undone"):
        database.put("file_import", firm_id=firm_id, id=str(uuid.uuid4()), state=state, filename=state)
    kept = database.rows("file_import", *before)
    database.to(version)
    asked = {state for state, ask_at in database.rows("file_import", "state", "ask_at") if ask_at is not None}
    assert asked == {"previewing", "running", "undoing"}
    assert all(at in (None, since) for at, since in database.rows("file_import", "ask_at", "updated_at"))
    database.back_to(f"{int(version) - 1:04}")
    assert database.rows("file_import", *before) == kept


def _is_id(column: Column[Any]) -> bool:
    return isinstance(column.type, Uuid) or (isinstance(column.type, CHAR) and column.type.length == 32)


def _kept(column: Column[Any], value: Any) -> Any:
    if value is not None and _is_id(column):
        return uuid.UUID(value) if isinstance(column.type, Uuid) else uuid.UUID(value).hex
    if isinstance(value, dt.datetime) and isinstance(column.type, String):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


def _told(column: Column[Any], value: Any) -> Any:
    return str(uuid.UUID(str(value))) if value is not None and _is_id(column) else value


def _nothing(column: Column[Any]) -> Any:
    if _is_id(column):
        return str(uuid.uuid4())
    if isinstance(column.type, DateTime) or (isinstance(column.type, String) and column.type.length == 27):
        return NOW
    for kind, value in ((Boolean, False), (Integer, 0), (JSON, {}), (Date, NOW.date())):
        if isinstance(column.type, kind):
            return value
    return ""


class Versions:
    """Databases of services' earlier versions, kept empty and copied: each is made from the one before, so that no
    migration runs for every test."""

    def __init__(self, copy: Callable[[str | None], str]) -> None:
        """`copy`: the URL of a new database that is like the one of a URL, or empty."""
        self._copy = copy
        self._kept: dict[str, dict[str, str]] = {}

    def get(self, service: str, revision: str) -> str:
        """The URL of a new database of this version."""
        kept = self._kept.setdefault(service, {})
        if revision not in kept:
            earlier = max((known for known in kept if known < revision), default=None)
            made = self._copy(earlier and kept[earlier])
            upgrade(service, made, revision)
            kept[revision] = made
        return self._copy(kept[revision])


@pytest.fixture(scope="session")
def versions_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    folder, numbers = tmp_path_factory.mktemp("versions"), itertools.count()

    def copy(url: str | None) -> str:
        made = folder / f"{next(numbers)}.db"
        if url is not None:
            shutil.copyfile(str(make_url(url).database), made)
        return f"sqlite:///{made}"

    return Versions(copy)


@pytest.fixture(scope="session")
def versions_postgresql(postgres: Any) -> Iterator[Versions]:
    names: list[str] = []

    def copy(url: str | None) -> str:
        names.append(f"test_{uuid.uuid4().hex}")
        return str(postgres.create_database(names[-1], *([] if url is None else [make_url(url).database])))

    yield Versions(copy)
    for name in names:
        postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest) -> Callable[[str, str], OldDatabase]:
    """Call it with a service and a version for its database; the test runs on SQLite and on PostgreSQL."""
    versions: Versions = request.getfixturevalue(f"versions_{request.param}")
    use_key_store(LocalKeys([bytes(32)]))
    return lambda service, revision: OldDatabase(service, versions.get(service, revision))
