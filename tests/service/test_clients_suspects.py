"""clients: who looks like one person."""

from __future__ import annotations

import datetime as dt
import random
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.columns import new_id
from chassis.context import use
from chassis.wire import strict
from contracts.clients import (
    CLIENT_CHANGED,
    CLIENT_CREATED,
    CLIENT_RESTORED,
    CLIENTS_IMPORTED,
    ERASURE_REQUESTED,
    LIST_DUPLICATES,
    NotDuplicate,
)
from contracts.errors import Conflict, Gone, Invalid, NotFound
from services.clients import archiving, duplicates, erasing, likenesses, suspect_sweep, suspects
from services.clients.models import SuspectSweep
from tests.examples import examples
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.merging_clients import merge, undo
from tests.service.one_database import on_one_database

__all__ = ["desk"]

HOME = {"kind": "primary", "city": "Reno", "postal_code": "89501"}
BORN = dt.date(1980, 2, 29)


def look(desk: Desk) -> None:
    """What was created and changed is heard of, as the bus would have it."""
    for handler, event in (("look_at_created", CLIENT_CREATED), ("look_at_changed", CLIENT_CHANGED)):
        desk.hear(handler, event, *desk.emitted(event))


def sweep(desk: Desk) -> int:
    """An import has ended, and the timer does what is to be done; how many turns it took."""
    desk.hear("look_through_imported", CLIENTS_IMPORTED, {"import_id": new_id(), "clients": []})
    turns = 0
    later = dt.datetime.now(dt.UTC) + suspect_sweep.QUIET + dt.timedelta(seconds=1)
    while suspect_sweep.sweep_some(desk.everywhere, later):
        turns += 1
    return turns


def listed(desk: Desk, **query: Any) -> dict[frozenset[str], list[str]]:
    with use(desk.context):
        page = suspects.list_duplicates(desk.db, **query)
    response = strict(LIST_DUPLICATES.response)
    assert response.schema.validate(response.dump(page)) == {}
    return {frozenset(client["id"] for client in entry["clients"]): entry["why"] for entry in page["data"]}


def mark(desk: Desk, one: str, other: str) -> dict[str, Any]:
    with use(desk.context):
        made = suspects.mark_not_duplicate(desk.db, NOW, this_id=one, client_id=other)
    assert strict(NotDuplicate).schema.validate(strict(NotDuplicate).dump(made)) == {}
    return made


@pytest.fixture(params=["by event", "by sweep"])
def find(request: pytest.FixtureRequest) -> Any:
    return look if request.param == "by event" else sweep


def test_pairs_are_listed_with_both_records_and_why(desk: Desk, find: Any) -> None:
    ann = desk.create(first_name="Ann", last_name="Lee", phones=[{"number": "+12125550123"}], date_of_birth=BORN)
    anne = desk.create(
        first_name="Anne", last_name="Lee", phones=[{"number": "(212) 555-0123", "kind": "home"}], date_of_birth=BORN
    )
    bea = desk.create(first_name="Bea", emails=[{"address": "B@example.com"}], addresses=[HOME])
    bee = desk.create(first_name="Bob", emails=[{"address": "b@example.com"}])
    same = desk.create(first_name="Beä", addresses=[HOME])
    desk.create(first_name="Ann", last_name="Lee")
    find(desk)
    assert listed(desk) == {
        frozenset({ann["id"], anne["id"]}): ["phone", "name_and_birth"],
        frozenset({bea["id"], bee["id"]}): ["email"],
        frozenset({bea["id"], same["id"]}): ["name_and_postal_code"],
    }


def test_one_government_id_is_a_reason_however_it_is_written(desk: Desk, find: Any) -> None:
    ids = [desk.create(first_name=new_id()[-12:], government_ids=[entry])["id"] for entry in (
        {"kind": "national_id", "number": "123-45.678 z"}, {"kind": "other", "number": "12345678Z", "country": "ES"},
        {"kind": "national_id", "number": "12345679Z"},
    )]  # fmt: skip
    find(desk)
    assert listed(desk) == {frozenset(ids[:2]): ["government_id"]}
    desk.change(ids[1], government_ids=[])
    assert listed(desk) == {}
    desk.change(ids[1], government_ids=[{"kind": "other", "number": "12345679z"}])
    find(desk)
    assert listed(desk) == {frozenset(ids[1:]): ["government_id"]}


@on_one_database
def test_a_number_of_many_says_nothing(desk: Desk, find: Any) -> None:
    for _ in range(likenesses.MOST_SHARING + 1):
        desk.create(first_name=new_id()[-12:], phones=[{"number": "+12125550123"}])
    find(desk)
    assert listed(desk) == {}


def test_who_is_deleted_is_not_counted_among_the_many(desk: Desk, find: Any) -> None:
    number = [{"number": "+12125550123"}]
    for _ in range(likenesses.MOST_SHARING):
        desk.delete(desk.create(first_name=new_id()[-12:], phones=number)["id"])
    pair = {desk.create(first_name=new_id()[-12:], phones=number)["id"] for _ in range(2)}
    find(desk)
    assert listed(desk) == {frozenset(pair): ["phone"]}


@on_one_database
def test_a_change_ends_and_makes_pairs(desk: Desk) -> None:
    one, two, three = (desk.create(phones=[{"number": f"+1212555012{at}"}])["id"] for at in (0, 0, 1))
    look(desk)
    assert set(listed(desk)) == {frozenset({one, two})}
    desk.change(two, phones=[{"number": "+12125550121"}])
    assert listed(desk) == {}
    look(desk)
    assert set(listed(desk)) == {frozenset({two, three})}


def test_what_does_not_look_alike_any_more_is_forgotten_by_a_sweep(desk: Desk) -> None:
    one, two = (desk.create(phones=[{"number": "+12125550120"}])["id"] for _ in range(2))
    sweep(desk)
    desk.change(two, phones=[])
    assert listed(desk) == {}
    with desk.db.unit_of_work() as uow:
        pairs = uow.session.scalars(suspects.select(suspects.SuspectedPair)).all()
        assert [(pair.first_id, pair.second_id) for pair in pairs] == [(one, two)]
    sweep(desk)
    with desk.db.read() as session:
        assert session.scalars(suspects.select(suspects.SuspectedPair)).all() == []
        assert session.scalars(suspects.select(SuspectSweep)).all() == []


def test_two_that_are_two_are_remembered(desk: Desk, find: Any) -> None:
    one, two = (desk.create(phones=[{"number": "+12125550120"}])["id"] for _ in range(2))
    find(desk)
    made = mark(desk, two, one)
    assert made["client_ids"] == sorted([one, two])
    assert mark(desk, one, two) == made
    assert listed(desk) == {}
    desk.change(one, last_name="Lee")
    find(desk)
    sweep(desk)
    assert listed(desk) == {}
    with desk.db.read() as session:
        assert session.scalars(suspects.select(suspects.SuspectedPair)).all() == []
    # Somebody new with the number is asked about all the same.
    with pytest.raises(Conflict) as caught:
        desk.create(phones=[{"number": "+12125550120"}], skip_duplicate_check=False)
    assert caught.value.code == "duplicate_client"
    suspects.unmark_not_duplicate(desk.db, NOW, this_id=one, client_id=two)
    assert set(listed(desk)) == {frozenset({one, two})}


def test_one_who_is_erased_is_neither_marked_nor_merged(desk: Desk) -> None:
    one, two = (desk.create(phones=[{"number": "+12125550120"}])["id"] for _ in range(2))
    erasing.erase_client(desk.db, NOW, client_id=two)
    desk.hear("continue_erasures", ERASURE_REQUESTED, *desk.emitted(ERASURE_REQUESTED))
    unmark = partial(suspects.unmark_not_duplicate, desk.db, NOW, this_id=one, client_id=two)
    for action in (partial(mark, desk, one, two), unmark, partial(merge, desk, one, two)):
        with pytest.raises(Gone) as caught:
            action()
        assert (caught.value.code, caught.value.meta["client_id"]) == ("client_erased", two)


def test_only_two_clients_of_the_firm_are_marked(desk: Desk, tmp_path: Any) -> None:
    one, two, three = (desk.create()["id"] for _ in range(3))
    foreign = Desk(desk.everywhere, tmp_path).create()["id"]
    with pytest.raises(Invalid):
        mark(desk, one, one)
    with pytest.raises(Invalid):
        suspects.unmark_not_duplicate(desk.db, NOW, this_id=one, client_id=one)
    for pair in ((one, foreign), (foreign, one), (one, new_id())):
        with pytest.raises(NotFound):
            mark(desk, *pair)
    merge(desk, two, three)
    with pytest.raises(Gone):
        mark(desk, three, one)
    with pytest.raises(Conflict) as caught:
        mark(desk, one, three)
    assert (caught.value.code, caught.value.meta["surviving_id"]) == ("duplicate_merged", two)


def test_who_is_deleted_or_merged_is_no_suspect(desk: Desk) -> None:
    one, two, three = (desk.create(phones=[{"number": "+12125550120"}])["id"] for _ in range(3))
    look(desk)
    assert len(listed(desk)) == 3
    desk.delete(three)
    assert set(listed(desk)) == {frozenset({one, two})}
    made = merge(desk, one, two)
    assert listed(desk) == {}
    undo(desk, made["id"])
    assert set(listed(desk)) == {frozenset({one, two})}


@on_one_database
def test_who_is_taken_back_is_compared_with_who_came_meanwhile(desk: Desk) -> None:
    one = desk.create(phones=[{"number": "+12125550120"}])["id"]
    desk.delete(one)
    two = desk.create(phones=[{"number": "+12125550120"}])["id"]
    look(desk)
    archiving.restore_client(desk.db, NOW, client_id=one)
    desk.hear("look_at_restored", CLIENT_RESTORED, *desk.emitted(CLIENT_RESTORED))
    assert set(listed(desk)) == {frozenset({one, two})}


@on_one_database
def test_another_firms_clients_are_nobodys_suspects(desk: Desk, tmp_path: Any, find: Any) -> None:
    other = Desk(desk.everywhere, tmp_path)
    desk.create(phones=[{"number": "+12125550120"}])
    other.create(phones=[{"number": "+12125550120"}])
    find(desk)
    find(other)
    assert (listed(desk), listed(other)) == ({}, {})


def test_a_sweep_goes_on_where_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspect_sweep, "VALUES_AT_ONCE", 2)
    monkeypatch.setattr(suspect_sweep, "NAMES_AT_ONCE", 3)
    pairs = set()
    for at in range(7):
        address = {**HOME, "postal_code": f"8950{at}"}
        one, two = (
            desk.create(first_name=f"Ann{at}", phones=[{"number": f"+1212555012{at}"}], addresses=[address])["id"]
            for _ in range(2)
        )
        pairs.add(frozenset({one, two}))
    assert sweep(desk) > 8
    assert set(listed(desk)) == pairs
    paged = suspects.list_duplicates(desk.db, limit=3)
    assert (len(paged["data"]), paged["meta"]["total"]) == (3, 7)


NAMES = ("ann lee", "anne lee", "lee ann", "bo ray", "boo ray", "bo", "ann")


@st.composite
def people(draw: st.DrawFn) -> list[dict[str, Any]]:
    made = []
    for _ in range(draw(st.integers(2, 8))):
        first, _, last = draw(st.sampled_from(NAMES)).partition(" ")
        made.append(
            {
                "first_name": first,
                "last_name": last or None,
                "phones": [{"number": f"+1212555012{draw(st.integers(0, 3))}"}] if draw(st.booleans()) else [],
                "emails": [{"address": f"{draw(st.sampled_from('ab'))}@example.com"}] if draw(st.booleans()) else [],
                "addresses": [{**HOME, "postal_code": draw(st.sampled_from(("1", "2")))}]
                if draw(st.booleans())
                else [],
                "date_of_birth": draw(st.sampled_from((None, BORN, dt.date(1990, 1, 1)))),
            }
        )
    return made


@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people())
def test_events_and_sweeps_find_what_comparing_all_with_all_finds(
    emptied_sqlite: Any, tmp_path_factory: pytest.TempPathFactory, given_people: list[dict[str, Any]]
) -> None:
    from services.clients.models import Base

    one, other = (Desk(emptied_sqlite(Base), tmp_path_factory.mktemp("files")) for _ in range(2))
    records = [one.create(**person) for person in given_people]
    expected = {
        frozenset({first["id"], second["id"]}): why
        for at, first in enumerate(records)
        for second in records[at + 1 :]
        if (why := likenesses.reasons(first, second))
    }
    look(one)
    assert listed(one) == expected
    for person in given_people:
        other.create(**person)
    sweep(other)
    assert sorted(listed(other).values()) == sorted(expected.values())
    for record in records:
        with one.db.read() as session:
            found = set(duplicates.find_duplicates(session, record)) - {record["id"]}
        assert found == {next(iter(pair - {record["id"]})) for pair in expected if record["id"] in pair}


def test_of_many_names_those_with_a_word_in_common_are_compared() -> None:
    draw = random.Random(5)
    block = {new_id(): f"{draw.choice('abcdefgh') * 6} {at:05d}x" for at in range(likenesses.ALL_WITH_ALL * 2)}
    one, two, three = new_id(), new_id(), new_id()
    block |= {one: "miller samantha", two: "millerr samantha", three: "miller samanthaa"}
    paused: list[int] = []
    pairs: likenesses.Pairs = {}
    likenesses.add_alike(pairs, "name_and_birth", block, lambda: paused.append(1))
    found = {pair for pair in pairs if one in pair or two in pair}
    assert {likenesses.pair_of(one, two), likenesses.pair_of(one, three)} <= found


def test_a_name_that_everybody_has_in_one_place_says_nothing() -> None:
    many = {new_id(): "garcia maria" for _ in range(likenesses.MOST_SHARING + 1)}
    few = {new_id(): "lee samantha" for _ in range(3)}
    pairs: likenesses.Pairs = {}
    likenesses.add_alike(pairs, "name_and_postal_code", many | few, lambda: None)
    assert {id_ for pair in pairs for id_ in pair} == few.keys()
