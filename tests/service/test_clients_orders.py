"""clients: the orders of lists, and their pages while clients change. Every event is delivered twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.columns import new_id
from contracts.cases import CASE_CHANGED, CASE_CREATED
from services.clients.models import Base
from tests.examples import examples
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]

SORTS = ("name", "created_at", "last_activity_at", "last_case_at")


def case_event(case_id: str, *client_ids: str, changed: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "case_id": case_id, "version": 1, "case_type_id": new_id(), "status": "New", "state": "open",
        "client_ids": list(client_ids), "changed": list(changed),
    }  # fmt: skip


def opened(desk: Desk, minutes: int, *client_ids: str, case_id: str | None = None) -> str:
    case_id = case_id or new_id()
    at = NOW + dt.timedelta(minutes=minutes)
    desk.hear("record_created_cases", CASE_CREATED, case_event(case_id, *client_ids), time=at)
    return case_id


def changed(desk: Desk, minutes: int, case_id: str, *client_ids: str) -> None:
    at = NOW + dt.timedelta(minutes=minutes)
    data = case_event(case_id, *client_ids, changed=("clients",))
    desk.hear("record_changed_cases", CASE_CHANGED, data, time=at)


def pages(desk: Desk, between: Any = None, **query: Any) -> list[str]:
    ids: list[str] = []
    cursor = None
    while True:
        page = desk.page(cursor=cursor, **query)
        ids += [client["id"] for client in page["data"]]
        cursor = page["meta"]["next_cursor"]
        if cursor is None:
            return ids
        if between is not None:
            between()


def test_clients_are_ordered_by_when_a_case_was_last_opened_with_them(desk: Desk) -> None:
    ann, bea, cid, dan = (desk.create(first_name=name)["id"] for name in ("Ann", "Bea", "Cid", "Dan"))
    first = opened(desk, 1, ann)
    opened(desk, 2, bea, cid)
    opened(desk, 3, ann)
    assert desk.listed(sort="-last_case_at")[0] == ann
    assert set(desk.listed(sort="-last_case_at")[1:3]) == {bea, cid}
    # Who was never on a case is last in either direction.
    assert desk.listed(sort="-last_case_at")[3] == desk.listed(sort="last_case_at")[3] == dan
    # A spouse who joins an old case had it opened when it was.
    changed(desk, 9, first, ann, dan)
    assert desk.listed(sort="last_case_at")[0] == dan
    assert desk.listed(sort="-last_case_at")[0] == ann


def test_a_change_that_comes_before_the_creation(desk: Desk) -> None:
    ann, bea = (desk.create(first_name=name)["id"] for name in ("Ann", "Bea"))
    opened(desk, 5, bea)
    case_id = new_id()
    changed(desk, 7, case_id, ann)
    opened(desk, 1, ann, case_id=case_id)
    assert desk.listed(sort="-last_case_at") == [ann, bea]


@pytest.mark.parametrize("sort", [sign + name for name in SORTS for sign in ("", "-")])
def test_the_pages_of_an_order_are_whole(desk: Desk, sort: str) -> None:
    ids = [desk.create(first_name="Same" if number % 3 else f"N{number}")["id"] for number in range(7)]
    opened(desk, 1, *ids[:2])
    opened(desk, 2, ids[3])
    whole = desk.listed(sort=sort)
    assert sorted(whole) == sorted(ids)
    found = set(desk.listed(q="s"))
    for limit in (1, 3):
        assert pages(desk, sort=sort, limit=limit) == whole, limit
        narrowed = pages(desk, sort=sort, limit=limit, status="active", q="s")
        assert narrowed == [id_ for id_ in whole if id_ in found], limit


NAMES = st.sampled_from(["Adams", "Baker", "Cook", "Diaz", "Evans", "Flores"])


@settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    names=st.lists(NAMES, min_size=2, max_size=7),
    renames=st.lists(st.tuples(st.integers(0, 6), NAMES), max_size=4),
    sort=st.sampled_from([sign + name for name in SORTS for sign in ("", "-")]),
    limit=st.integers(1, 3),
    q=st.sampled_from([None, "ann"]),
)
def test_a_client_that_changes_between_pages_moves_nobody_else(
    emptied: Any, names: list[str], renames: list[tuple[int, str]], sort: str, limit: int, q: str | None
) -> None:
    desk = emptied()
    ids = [desk.create(first_name="Ann", last_name=name)["id"] for name in names]
    opened(desk, 1, *ids[::2])
    before = desk.listed(sort=sort)
    moved: set[str] = set()
    waiting = list(renames)

    def rename() -> None:
        if waiting:
            number, name = waiting.pop()
            id_ = ids[number % len(ids)]
            moved.add(id_)
            # A change moves the last activity too.
            desk.change(id_, last_name=name)
            opened(desk, 10 + len(waiting), id_)

    seen = pages(desk, rename, sort=sort, limit=limit, **({"q": q} if q else {}))
    others = [id_ for id_ in seen if id_ not in moved]
    assert others == [id_ for id_ in before if id_ not in moved]


@pytest.fixture(params=["sqlite", "postgresql"])
def emptied(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    make = request.getfixturevalue(f"emptied_{request.param}")
    return lambda: Desk(make(Base), tmp_path)
