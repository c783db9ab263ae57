"""chassis: what refers to a record that became another one follows, and goes back."""

from __future__ import annotations

from typing import Any

import eventlet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, new_id
from chassis.database import Database, service_base
from chassis.redirects import Following, MovedRow, Redirect, RedirectRow, Rows
from chassis.scoping import FirmScoped
from tests.examples import examples
from tests.service.races import until_held_up

Base: Any = service_base("things")


class Thing(FirmScoped, Base):
    __tablename__ = "thing"
    firm_id: Mapped[str] = mapped_column(Id, primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(Id)


class OwnerRedirect(RedirectRow, Base):
    __tablename__ = "owner_redirect"


class MovedThing(MovedRow, Base):
    __tablename__ = "moved_thing"


following = Following(OwnerRedirect, MovedThing, [Rows("thing", Thing, Thing.owner_id)])


class Room:
    """A firm's things, and who owns them."""

    def __init__(self, database: Database) -> None:
        self.db = database.for_firm(new_id())
        self.owners = [new_id() for _ in range(4)]

    def add(self, owner_id: str) -> str:
        id_ = new_id()
        with self.db.unit_of_work() as uow:
            uow.insert(Thing, [{"id": id_, "owner_id": owner_id}])
        return id_

    def follow(self, *redirects: Redirect) -> None:
        with self.db.unit_of_work() as uow:
            following.follow(uow, redirects)

    def part(self, *redirects: Redirect) -> None:
        with self.db.unit_of_work() as uow:
            following.part(uow, redirects)

    def things(self) -> dict[str, str]:
        with self.db.read() as session:
            return dict(session.execute(select(Thing.id, Thing.owner_id)).all())

    def current(self, *ids: str) -> dict[str, str]:
        with self.db.read() as session:
            return following.current(session, ids)


@pytest.fixture
def room(new_database: Any) -> Room:
    return Room(new_database(Base))


def test_what_followed_goes_back_and_what_came_since_stays(room: Room) -> None:
    one, two, *_ = room.owners
    mine, theirs = room.add(two), room.add(one)
    redirect = Redirect(new_id(), two, one)
    room.follow(redirect, redirect)
    since = room.add(one)
    assert room.things() == {mine: one, theirs: one, since: one}
    assert room.current(one, two) == {two: one}
    with room.db.read() as session:
        assert following.merged_into(session, one) == [two]
    room.part(redirect)
    room.part(redirect)
    assert room.things() == {mine: two, theirs: one, since: one}
    assert room.current(one, two) == {}


def test_what_was_given_to_a_third_one_since_stays_there(room: Room) -> None:
    one, two, three, *_ = room.owners
    mine = room.add(two)
    redirect = Redirect(new_id(), two, one)
    room.follow(redirect)
    with room.db.unit_of_work() as uow:
        uow.update_each(Thing, [{"id": mine, "owner_id": three}])
    room.part(redirect)
    assert room.things() == {mine: three}


def test_one_that_was_taken_back_before_it_was_heard_of_moves_nothing(room: Room) -> None:
    one, two, *_ = room.owners
    mine = room.add(two)
    redirect = Redirect(new_id(), two, one)
    room.part(redirect)
    room.follow(redirect)
    assert room.things() == {mine: two}


def test_two_that_are_heard_of_at_once_end_as_one_after_the_other(room: Room) -> None:
    one, two, three, *_ = room.owners
    mine = room.add(three)
    with room.db.unit_of_work() as uow:
        following.follow(uow, [Redirect(new_id(), three, two)])
        other = eventlet.spawn(room.follow, Redirect(new_id(), two, one))
        until_held_up(room.db, other)
    other.wait()
    assert room.things() == {mine: one}


def test_another_firms_rows_do_not_follow(room: Room, new_database: Any) -> None:
    one, two, *_ = room.owners
    room.add(two)
    other = Room(Database(room.db.url, Base))
    theirs = other.add(two)
    room.follow(Redirect(new_id(), two, one))
    assert other.things() == {theirs: two}


@st.composite
def histories(draw: st.DrawFn) -> Any:
    """Merges and undos that can happen one after the other among four owners, and the order in which they are heard
    of, each once or twice."""
    steps: list[tuple[str, int]] = []
    merges: list[tuple[int, int]] = []
    active: list[int] = []
    for _ in range(draw(st.integers(1, 7))):
        gone = {merges[at][0] for at in active}
        living = sorted(set(range(4)) - gone)
        undoable = [at for at in active if merges[at][1] not in gone]
        if undoable and (len(living) < 2 or draw(st.booleans())):
            at = draw(st.sampled_from(undoable))
            active.remove(at)
            steps.append(("part", at))
        else:
            old, new = draw(st.permutations(living))[:2]
            merges.append((old, new))
            active.append(len(merges) - 1)
            steps.append(("follow", len(merges) - 1))
    heard = draw(st.permutations([*steps, *draw(st.lists(st.sampled_from(steps), max_size=3))]))
    late = draw(st.lists(st.tuples(st.integers(0, len(heard)), st.integers(0, 3)), max_size=2))
    return merges, active, heard, late


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_in_whatever_order_it_is_heard_of_everything_ends_where_it_belongs(
    server: str, request: pytest.FixtureRequest, history: Any
) -> None:
    merges, active, heard, late = history
    room = Room(request.getfixturevalue(f"emptied_{server}")(Base))
    # In the order in which they happened, as ids of causes are.
    causes = [new_id() for _ in merges]
    redirects = [Redirect(causes[at], room.owners[old], room.owners[new]) for at, (old, new) in enumerate(merges)]
    written = {room.add(owner): at for at, owner in enumerate(room.owners)}
    for position, (what, at) in enumerate(heard):
        written |= {room.add(room.owners[owner]): owner for when, owner in late if when == position}
        getattr(room, what)(redirects[at])
    written |= {room.add(room.owners[owner]): owner for when, owner in late if when == len(heard)}
    if late:
        # Those in force are told again, for what was written meanwhile.
        room.follow(*(redirects[at] for at in active))

    def belongs(owner: int) -> int:
        for at in active:
            if merges[at][0] == owner:
                return belongs(merges[at][1])
        return owner

    assert room.things() == {id_: room.owners[belongs(owner)] for id_, owner in written.items()}
    expected = {at: belongs(at) for at in range(4) if belongs(at) != at}
    assert room.current(*room.owners) == {room.owners[at]: room.owners[end] for at, end in expected.items()}
