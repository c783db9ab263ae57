"""Sets of values in statements, on both databases, few and many of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import bindparam, select

from chassis.columns import new_id
from chassis.database import Database
from chassis.value_sets import FEW, ByValue, among, among_parameter, id_rows, not_among
from tests.service.conftest import MakeDatabase
from tests.service.sample import MakerBase, Thing

NAMES = ("ann's", 'b"o', "c{y}", "dé\\")


@pytest.fixture
def db(new_database: MakeDatabase) -> Database:
    made = new_database(MakerBase).for_firm(new_id())
    with made.unit_of_work() as uow:
        uow.insert(Thing, [{"id": new_id(), "name": name} for name in (*NAMES, None)])
    return made


def found(db: Database, test: Any, **parameters: Any) -> set[str | None]:
    with db.read() as session:
        return set(session.scalars(select(Thing.name).where(test(session)), parameters))


@pytest.mark.parametrize("others", [0, FEW, 10_000])
def test_values_are_found_however_many_are_named(db: Database, others: int) -> None:
    with db.read() as session:
        ids = {name: id_ for id_, name in session.execute(select(Thing.id, Thing.name))}
    wanted = [*NAMES[:2], *(f"other {number}" for number in range(others)), NAMES[0]]
    assert found(db, lambda session: among(session, Thing.name, wanted)) == set(NAMES[:2])
    assert found(db, lambda session: ~among(session, Thing.name, wanted)) == set(NAMES[2:])
    wanted_ids = [ids[None], *(new_id() for _ in range(others))]
    assert found(db, lambda session: among(session, Thing.id, wanted_ids)) == {None}
    assert found(db, lambda session: not_among(session, Thing.id, wanted_ids)) == set(NAMES)
    with db.read() as session:
        assert session.scalars(id_rows(session, [*wanted_ids, ids[None]])).all() == wanted_ids


def test_many_values_are_one_parameter(db: Database) -> None:
    with db.read() as session:
        for condition in (among, not_among):
            test = condition(session, Thing.name, [f"other {number}" for number in range(FEW)])
            said = test.compile(session.get_bind(), compile_kwargs={"render_postcompile": True})
            assert len(said.params) == 1


def test_nothing_is_among_no_values(db: Database) -> None:
    assert found(db, lambda session: among(session, Thing.id, [])) == set()
    assert found(db, lambda session: not_among(session, Thing.id, [])) == {*NAMES, None}
    assert found(db, lambda session: ~among(session, Thing.name, [])) == {*NAMES, None}


def test_a_statement_that_is_made_once_takes_its_values_as_a_parameter(db: Database) -> None:
    with db.read() as session:
        statement = select(Thing.name).where(among_parameter(session.get_bind().dialect.name, Thing.name, "names"))
        for names in (NAMES[:1], NAMES[1:], ()):
            assert set(session.scalars(statement, {"names": list(names)})) == set(names)


def test_rows_are_found_by_their_values_within_the_firm_alone(db: Database) -> None:
    with db.for_firm(new_id()).unit_of_work() as uow:
        uow.insert(Thing, [{"name": name} for name in NAMES])
    by_name = ByValue(Thing.name, Thing.id, where=[Thing.size == bindparam("size")])
    with db.read() as session:
        ids = {name: id_ for id_, name in session.execute(select(Thing.id, Thing.name))}
        wanted = [*NAMES, *(f"other {number}" for number in range(FEW))]
        assert {tuple(row) for row in by_name.rows(session, wanted, size=1)} == {(name, ids[name]) for name in NAMES}
        assert by_name.rows(session, wanted, size=2) == by_name.rows(session, [], size=1) == []
