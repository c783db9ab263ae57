"""A session sees and writes one firm's rows only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg2 import extensions
from sqlalchemy import delete, exists, func, insert, literal_column, select, text, update
from sqlalchemy.orm import Session, aliased, joinedload, mapped_column, selectinload

from chassis.columns import Id, new_id
from chassis.database import Database, FirmMissing, ForeignFirm, ScopeError, Unscoped, service_base
from chassis.scoping import BY_ID
from tests.service.sample import MakerBase, Part, Thing

OURS, THEIRS = new_id(), new_id()


@pytest.fixture
def db(new_database: Callable[[Any], Database]) -> Database:
    """Two firms with a thing "a" of two parts each; theirs has a thing "b" too."""
    made = new_database(MakerBase)
    for firm_id, names in ((OURS, "a"), (THEIRS, "ab")):
        with made.for_firm(firm_id).unit_of_work() as uow:
            for name in names:
                thing = Thing(name=name, size=1, parts=[Part(label="left"), Part(label="right")])
                uow.session.add(thing)
    return made


@pytest.fixture
def ours(db: Database) -> Database:
    return db.for_firm(OURS)


def everything(db: Database) -> list[tuple[str, str | None, int]]:
    with db.across_firms("the test looks at all").read() as session:
        return sorted(session.execute(select(Thing.firm_id, Thing.name, Thing.size)).all())


def test_work_without_a_firm_is_refused(db: Database) -> None:
    with pytest.raises(FirmMissing), db.read():
        pass
    with pytest.raises(FirmMissing), db.unit_of_work():
        pass
    with pytest.raises(ScopeError):
        db.across_firms("")


COUNTS: dict[str, Callable[[], Any]] = {
    "entity": lambda: select(Thing),
    "column": lambda: select(Thing.id),
    "count": lambda: select(Thing.id).where(Thing.id.in_(select(Part.thing_id))),
    "join": lambda: select(Thing.id).distinct().join(Part, Part.label == "left"),
    "outer join": lambda: select(Thing.id).distinct().outerjoin(Thing.parts),
    "alias": lambda: select(aliased(Thing)),
    "subquery": lambda: select(select(Thing.id).subquery().c.id),
    "cte": lambda: select(select(Thing.id).cte().c.id),
    "union": lambda: select(Thing.id).union(select(aliased(Thing).id)),
    "any": lambda: select(Thing.id).where(Thing.parts.any(Part.label == "left")),
    "from a firm that is named": lambda: select(Thing).where(Thing.firm_id.in_([OURS, THEIRS])),
    "by id": lambda: select(Thing).where(Thing.size.in_([1])).execution_options(**BY_ID),
    "either": lambda: select(Thing).where((Thing.firm_id == THEIRS) | (Thing.size == 1)),
}


@pytest.mark.parametrize("shape", COUNTS)
def test_a_query_of_any_shape_finds_ours_only(ours: Database, shape: str) -> None:
    with ours.read() as session:
        assert len(session.execute(COUNTS[shape]()).unique().all()) == 1


def test_what_only_they_have_is_not_seen(ours: Database) -> None:
    """Subqueries and joins must not reach over either."""
    other = aliased(Thing)
    with ours.read() as session:
        assert session.scalar(select(exists().where(Thing.name == "b"))) is False
        assert session.scalar(select(func.count()).select_from(Thing)) == 1
        assert session.execute(select(Thing).where(~exists().where(other.name == "b"))).all()
        assert not session.execute(select(Thing).join(other, other.name == "b")).all()
        assert not session.execute(select(Thing).where(select(other.id).where(other.name == "b").exists())).all()


def test_a_record_of_theirs_is_not_there(db: Database, ours: Database) -> None:
    with db.for_firm(THEIRS).read() as session:
        theirs = session.scalars(select(Thing).where(Thing.name == "b")).one()
    with ours.read() as session:
        assert session.get(Thing, theirs.id) is None


@pytest.mark.parametrize("loading", [joinedload, selectinload, None])
def test_relationships_load_ours_only(db: Database, ours: Database, loading: Any) -> None:
    """Even where a row of theirs points at ours, which no key forbids to a careless writer."""
    with ours.read() as session:
        thing = session.scalars(select(Thing)).one()
    with db.across_firms("the test breaks the rule").unit_of_work() as uow:
        if db.engines.is_sqlite:
            uow.session.execute(text("PRAGMA defer_foreign_keys = ON"))
        part = Part(firm_id=OURS, thing_id=thing.id, label="smuggled")
        uow.session.add(part)
        uow.session.flush()
    with ours.read() as session:
        statement = select(Thing) if loading is None else select(Thing).options(loading(Thing.parts))
        found = session.scalars(statement).unique().one()
        assert sorted(each.label for each in found.parts) == ["left", "right", "smuggled"]


def test_updates_and_deletes_touch_ours_only(db: Database, ours: Database) -> None:
    with ours.unit_of_work() as uow:
        uow.session.execute(update(Thing).values(size=5))
        uow.session.execute(update(Thing).where(Thing.firm_id == THEIRS).values(size=6))
        uow.session.execute(update(Thing).where(Thing.id.in_(select(Part.thing_id))).values(facts={"seen": True}))
    assert everything(db) == sorted([(OURS, "a", 5), (THEIRS, "a", 1), (THEIRS, "b", 1)])
    with ours.unit_of_work() as uow:
        uow.session.execute(delete(Part))
        uow.session.execute(delete(Thing))
    assert everything(db) == sorted([(THEIRS, "a", 1), (THEIRS, "b", 1)])


def test_an_update_from_another_table_reads_ours_only(ours: Database) -> None:
    """The other table of UPDATE … FROM is scoped as well: they have a "b", we have not."""
    other = aliased(Thing)
    with ours.unit_of_work() as uow:
        statement = update(Thing).where(other.name == "b", other.size == Thing.size).values(size=9)
        assert uow.session.execute(statement.execution_options(synchronize_session=False)).rowcount == 0


def test_new_records_get_the_firm_and_no_other(db: Database, ours: Database) -> None:
    with ours.unit_of_work() as uow:
        uow.session.add(Thing(name="new"))
        assert uow.insert(Thing, [{"name": "set-based"}]) == 1
    assert {(OURS, "new", 1), (OURS, "set-based", 1)} <= set(everything(db))
    with pytest.raises(ForeignFirm), ours.unit_of_work() as uow:
        uow.session.add(Thing(name="foreign", firm_id=THEIRS))
    with pytest.raises(ValueError, match="another firm_id"), ours.unit_of_work() as uow:
        uow.insert(Thing, [{"name": "foreign", "firm_id": THEIRS}])
    with pytest.raises(ForeignFirm), ours.unit_of_work() as uow:
        uow.session.scalars(select(Thing)).first().firm_id = THEIRS


def test_set_based_writes_do_not_touch_theirs(db: Database, ours: Database) -> None:
    with db.for_firm(THEIRS).read() as session:
        theirs = session.scalars(select(Thing).where(Thing.name == "b")).one()
    with ours.unit_of_work() as uow:
        uow.update_each(Thing, [{"id": theirs.id, "size": 7}])
        uow.upsert(Thing, [{"name": "b", "size": 3}], key=["name"], change=["size"])
        uow.upsert(Thing, [{"name": "a", "size": 4}], key=["name"], change=["size"])
    assert everything(db) == sorted([(OURS, "a", 4), (OURS, "b", 3), (THEIRS, "a", 1), (THEIRS, "b", 1)])


REFUSED: dict[str, Callable[[Session], Any]] = {
    "table": lambda session: session.execute(select(Thing.__table__)),
    "table's column": lambda session: session.execute(select(Thing.__table__.c.id)),
    "count of a table": lambda session: session.execute(select(func.count()).select_from(Thing.__table__)),
    "alias of a table": lambda session: session.execute(select(Thing.__table__.alias())),
    "join with a table": lambda session: session.execute(select(Part.id).join(Thing.__table__, literal_column("1=1"))),
    "table in a condition": lambda session: session.execute(select(Part.id).where(Thing.__table__.c.name == "b")),
    "table in a subquery": lambda session: session.execute(select(Part.id).where(exists(select(Thing.__table__)))),
    "update of a table": lambda session: session.execute(update(Thing.__table__).values(size=2)),
    "delete from a table": lambda session: session.execute(delete(Thing.__table__)),
    "insert": lambda session: session.execute(insert(Thing).values(name="x")),
    "update by key": lambda session: session.execute(update(Thing), [{"id": new_id(), "size": 3}]),
    "text": lambda session: session.execute(text("SELECT * FROM thing")),
    "connection": lambda session: session.connection(),
    "bulk insert": lambda session: session.bulk_insert_mappings(Thing, [{"name": "x"}]),
    "bulk save": lambda session: session.bulk_save_objects([Thing(name="x")]),
}


@pytest.mark.parametrize("way", REFUSED)
def test_what_cannot_be_scoped_is_refused(db: Database, ours: Database, way: str) -> None:
    before = everything(db)
    with pytest.raises(Unscoped), ours.unit_of_work() as uow:
        REFUSED[way](uow.session)
    assert everything(db) == before


def test_text_is_given_the_firm(ours: Database) -> None:
    with ours.read() as session:
        assert session.scalar(text("SELECT count(*) FROM thing WHERE firm_id = :firm_id")) == 1


def test_a_read_session_does_not_write(ours: Database) -> None:
    with pytest.raises(ScopeError), ours.read() as session:
        session.execute(update(Thing).values(size=2))
    with ours.read() as session:
        session.add(Thing(name="x"))
        with pytest.raises(ScopeError):
            session.flush()


def test_all_firms_share_the_compiled_statement(db: Database) -> None:
    """The firm is a parameter: a statement that another firm has run is not compiled again."""

    def run(firm_id: str) -> None:
        with db.for_firm(firm_id).read() as session:
            session.execute(select(Thing).where(Thing.size > 0).order_by(Thing.id)).all()

    run(OURS)
    cached = set(db.engines.read._compiled_cache)
    run(THEIRS)
    run(new_id())
    assert set(db.engines.read._compiled_cache) == cached


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
def test_a_read_is_one_round_trip(db: Database, ours: Database) -> None:
    """On PostgreSQL no BEGIN, no SET and no ROLLBACK goes with it, and a write adds COMMIT only."""
    trips = 0
    wait = extensions.get_wait_callback()

    def counted(connection: Any) -> None:
        nonlocal trips
        trips += 1
        wait(connection)

    with ours.read() as session:
        thing = session.scalars(select(Thing)).one()
    extensions.set_wait_callback(counted)
    try:
        with ours.read() as session:
            session.get(Thing, thing.id)
        assert trips == 1
        with ours.unit_of_work() as uow:
            uow.session.execute(update(Thing).values(size=2))
        assert trips == 1 + 2
        with ours.read() as session:
            session.get(Thing, thing.id)
        assert trips == 1 + 2 + 1
    finally:
        extensions.set_wait_callback(wait)


def test_a_model_with_a_firm_must_be_scoped() -> None:
    base = service_base("careless")
    with pytest.raises(TypeError, match="not FirmScoped"):
        type(
            "Loose",
            (base,),
            {"__tablename__": "loose", "id": mapped_column(Id, primary_key=True), "firm_id": mapped_column(Id)},
        )
