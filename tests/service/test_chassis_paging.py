"""Pages by cursor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.event import listen, remove

from chassis.columns import new_id, utc_now
from chassis.database import Database
from chassis.paging import cursor_after, page
from contracts.errors import Invalid
from tests.service.sample import MakerBase, Part, Thing

SORTS = {"name": Thing.name, "size": Thing.size, "made_at": Thing.made_at, "id": Thing.id}


@pytest.fixture
def db(new_database: Callable[[Any], Database]) -> Database:
    """50 things, a third of them without a name or a time, many of the same size."""
    made = new_database(MakerBase).for_firm(new_id())
    with made.unit_of_work() as uow:
        uow.insert(
            Thing,
            [
                {
                    "name": None if number % 3 == 0 else f"{number:02}",
                    "size": number % 4,
                    "made_at": None if number % 3 == 0 else utc_now(),
                }
                for number in range(50)
            ],
        )
    return made


def read(db: Database, **options: Any) -> tuple[list[Thing], dict[str, Any]]:
    with db.read() as session:
        rows, meta = page(session, select(Thing), model=Thing, sorts=SORTS, default_sort="name", **options)
        return list(rows), meta


@pytest.mark.parametrize("sort", [sign + name for name in SORTS for sign in ("", "-")])
def test_pages_hold_each_row_once_in_order(db: Database, sort: str) -> None:
    found: list[Thing] = []
    cursor = None
    while True:
        rows, meta = read(db, sort=sort, limit=7, cursor=cursor)
        found += rows
        cursor = meta["next_cursor"]
        if cursor is None:
            break
    assert len(found) == len({thing.id for thing in found}) == 50
    values = [getattr(thing, sort.removeprefix("-")) for thing in found]
    present = [value for value in values if value is not None]
    assert values == sorted(present, reverse=sort.startswith("-")) + [None] * (50 - len(present))


@pytest.mark.parametrize("limit", [7, 49, 50, 60])
def test_a_list_that_is_short_as_a_rule_has_the_same_pages(db: Database, limit: int) -> None:
    """Its total is counted apart, and only where there is more than a page."""
    every, sent = select(Thing), list[str]()

    def first(short: bool) -> tuple[list[str], dict[str, Any]]:
        sent.clear()
        with db.read() as session:
            listen(db.engines.read, "before_cursor_execute", note)
            rows, meta = page(
                session, every, model=Thing, sorts=SORTS, default_sort="-id", limit=limit, parameters={}, short=short
            )
            remove(db.engines.read, "before_cursor_execute", note)
            return [row.id for row in rows], meta

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "SELECT" in statement:
            sent.append(statement)

    with_total = first(False)
    assert ["count(" in statement for statement in sent] == [True]
    assert first(True) == with_total
    assert ["count(" in statement for statement in sent] == ([False, True] if limit < 50 else [False])


def test_a_list_goes_on_by_the_column_of_another_table(db: Database) -> None:
    """Of both tables' columns of one name, the cursor holds the one that orders."""
    with db.unit_of_work() as uow:
        ids = list(uow.session.scalars(select(Thing.id)))
        uow.insert(Part, [{"thing_id": thing_id, "label": thing_id} for thing_id in ids])
    found: list[str] = []
    cursor, statement = None, select(Part).join(Part.thing).add_columns(Thing.id)
    while len(found) < 100:
        with db.read() as session:
            rows, meta = page(
                session, statement, model=Part, sorts={"thing": Thing.id}, default_sort="thing", limit=7, cursor=cursor
            )
            found += [part.label for part, _ in rows]
        if (cursor := meta["next_cursor"]) is None:
            break
    assert found == sorted(ids)


def test_the_total_is_exact_up_to_the_cap(db: Database) -> None:
    assert read(db, limit=50)[1] == {"next_cursor": None, "total": 50}
    assert read(db, limit=200, total_cap=49)[1] == {"next_cursor": None, "total": 49, "total_is_lower_bound": True}


def test_a_row_that_comes_between_pages_moves_nothing(db: Database) -> None:
    first, meta = read(db, limit=10)
    with db.unit_of_work() as uow:
        uow.session.add(Thing(name="00"))
    second, _ = read(db, limit=10, cursor=meta["next_cursor"])
    assert not {thing.id for thing in first} & {thing.id for thing in second}


def test_a_sort_that_is_not_offered_is_refused(db: Database) -> None:
    with pytest.raises(Invalid) as caught:
        read(db, sort="-facts")
    assert (caught.value.code, caught.value.fields[0]["field"]) == ("invalid_sort", "sort")


@pytest.mark.parametrize("cursor", ["", "zzz", "W10", "////", "é", "WyJuYW1lIiwgIjEiLCAieCJd", "eyJhIjogMX0"])
def test_a_cursor_that_is_none_is_refused(db: Database, cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(db, cursor=cursor)
    assert caught.value.code == "invalid_cursor"


@pytest.mark.parametrize(
    ("sort", "value"),
    [("id", "x"), ("made_at", "0001-01-01T00:00:00+14:00"), ("made_at", "9999-12-31T23:00:00-14:00"),
     ("made_at", "2026-01-01T00:00"), ("name", "\x00"), ("size", 2**31), ("size", "Infinity"), ("size", "9" * 5000)],
)  # fmt: skip
def test_a_cursor_with_a_value_that_no_row_can_have_is_refused(db: Database, sort: str, value: Any) -> None:
    with pytest.raises(Invalid, match="invalid_cursor"):
        read(db, sort=sort, cursor=cursor_after(sort, value, new_id()))


def test_a_cursor_with_its_id_in_another_form_is_the_same(db: Database) -> None:
    last_id = read(db, sort="size", limit=5)[0][-1].id
    named = [cursor_after("size", 0, id_) for id_ in (last_id, f"urn:uuid:{last_id}", last_id.replace("-", ""))]
    assert len({tuple(row.id for row in read(db, sort="size", cursor=cursor)[0]) for cursor in named}) == 1


def test_a_cursor_holds_for_its_own_order_only(db: Database) -> None:
    cursor = read(db, sort="size", limit=5)[1]["next_cursor"]
    with pytest.raises(Invalid):
        read(db, sort="-size", cursor=cursor)
    with pytest.raises(Invalid):
        read(db, sort="made_at", cursor=cursor)
