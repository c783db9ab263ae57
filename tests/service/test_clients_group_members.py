"""clients: who is in a group, and how members come and go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.idempotency import AlreadyAnswered, KeyedRequest, answering
from contracts import clients as contract
from contracts.errors import Invalid, NotFound
from services.clients import group_members, groups, selecting
from tests.examples import examples
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.groups_desk import change, get, listed, make, rename, selected

__all__ = ["desk"]


def test_members_are_added_and_removed_in_sets(desk: Desk) -> None:
    ann, bob, cid = (desk.create(first_name=name)["id"] for name in ("Ann", "Bob", "Cid"))
    made = make(desk)
    assert change(desk, made, add=[ann, bob, ann]) == {"added": 2, "removed": 0, "member_count": 2}
    assert change(desk, made, add=[bob, cid], remove=[ann, new_id()]) == {"added": 1, "removed": 1, "member_count": 2}
    assert change(desk, made, add=[ann], remove=[ann]) == {"added": 0, "removed": 0, "member_count": 2}
    assert listed(desk, made, sort="name") == [bob, cid]
    assert get(desk, made)["version"] == 1


def test_all_who_answer_a_query_are_added(desk: Desk) -> None:
    ann = desk.create(first_name="Ann", tags=["news"])["id"]
    bob = desk.create(first_name="Bob", tags=["news"], status="inactive")["id"]
    desk.create(first_name="Cid")
    made = make(desk)
    assert change(desk, made, add_matching={"tag": "NEWS"}, remove=[bob])["added"] == 1
    assert listed(desk, made) == [ann]
    assert change(desk, made, add_matching={"q": "bob"})["added"] == 1
    assert sorted(listed(desk, made)) == sorted([ann, bob])


def test_a_query_that_too_many_answer_adds_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_members, "MOST_MATCHING", 1)
    made = make(desk)
    for _ in range(2):
        desk.create()
    with pytest.raises(Invalid, match="too_many_matching"):
        change(desk, made, add_matching={"status": "active"})
    assert listed(desk, made) == []


def test_a_query_that_asks_for_nothing_adds_nobody(desk: Desk) -> None:
    made = make(desk)
    desk.create()
    for nothing in ({}, {"q": None, "tag": None}, {"q": ""}, {"mine": False}):
        with pytest.raises(Invalid, match="required") as refused:
            change(desk, made, add_matching=nothing)
        assert refused.value.fields[0]["field"] == "add_matching"
    assert change(desk, made, add_matching={"flagged": False})["added"] == 1


def test_who_is_no_client_of_the_firm_is_not_found(desk: Desk, tmp_path: Path) -> None:
    gone = desk.create()["id"]
    desk.delete(gone)
    ann = desk.create()["id"]
    made = make(desk)
    for unknown in (new_id(), gone, Desk(desk.everywhere, tmp_path).create()["id"]):
        with pytest.raises(NotFound, match="client_not_found") as refused:
            change(desk, made, add=[ann, unknown])
        assert refused.value.meta == {"client_id": unknown}
        with pytest.raises(NotFound, match="client_not_found"):
            make(desk, "Another", client_ids=[unknown])
    assert listed(desk, made) == []
    assert len(groups.list_client_groups(desk.db)["data"]) == 1


def test_another_firms_group_is_as_unknown_as_none(desk: Desk, tmp_path: Path) -> None:
    theirs = make(desk, client_ids=[desk.create()["id"]])
    stranger = Desk(desk.everywhere, tmp_path)
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: get(stranger, theirs),
        lambda: listed(stranger, theirs),
        lambda: selected(stranger, theirs),
        lambda: change(stranger, theirs, add=[stranger.create()["id"]]),
        lambda: rename(stranger, theirs, "Mine"),
        lambda: groups.delete_client_group(stranger.db, group_id=theirs["id"]),
    )
    for attempt in attempts:
        with pytest.raises(NotFound, match="client_group_not_found"):
            attempt()
    assert get(desk, theirs) == theirs


def test_an_archived_client_is_in_no_group(desk: Desk) -> None:
    ann, bob = desk.create()["id"], desk.create()["id"]
    made = make(desk, client_ids=[ann, bob])
    desk.delete(ann)
    assert listed(desk, made) == selected(desk, made) == [bob]
    assert get(desk, made)["member_count"] == 1


def test_a_key_changes_members_once(desk: Desk) -> None:
    ann = desk.create()["id"]
    made = make(desk)
    keyed = KeyedRequest("clients.change_group_members", "one", "hash", contract.GroupMembersChanged().dump)
    with answering(keyed):
        assert change(desk, made, add=[ann])["added"] == 1
    with answering(keyed), pytest.raises(AlreadyAnswered) as again:
        change(desk, made, add=[ann])
    assert again.value.answer["added"] == 1


@settings(max_examples=examples(6), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(st.tuples(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7))), max_size=6))
def test_a_group_holds_what_sets_would(desk: Desk, steps: list[tuple[set[int], set[int]]]) -> None:
    people = [desk.create()["id"] for _ in range(8)]
    made = make(desk, new_id())
    wanted: set[str] = set()
    for added, removed in steps:
        add, remove = {people[number] for number in added}, {people[number] for number in removed}
        answer = change(desk, made, add=sorted(add), remove=sorted(remove))
        after = (wanted | add) - remove
        assert answer == {
            "added": len(after - wanted), "removed": len(wanted - after), "member_count": len(after)
        }  # fmt: skip
        wanted = after
    assert selected(desk, made, limit=3) == sorted(wanted)


def test_pages_of_ids_hold_each_member_once_while_others_come_and_go(desk: Desk) -> None:
    people = sorted(desk.create()["id"] for _ in range(5))
    made = make(desk, client_ids=people)
    first = group_members.select_group_members(desk.db, NOW, group_id=made["id"], limit=2)
    change(desk, made, add=[desk.create()["id"]], remove=[people[0], people[1]])
    rest = group_members.select_group_members(desk.db, NOW, group_id=made["id"], limit=9, cursor=first["cursor"])
    assert first["client_ids"] == people[:2]
    assert rest["client_ids"][:3] == people[2:]
    assert (len(rest["client_ids"]), rest["cursor"]) == (4, None)


@pytest.mark.parametrize("few", [1, 5000])
def test_members_are_paged_in_each_order(desk: Desk, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "FEW", few)  # many are looked for in another way
    desk.create(first_name="Nobody's")
    people = [desk.create(first_name=name)["id"] for name in ("Cid", "Ann", "Bob")]
    made = make(desk, client_ids=people)
    in_order = {"name": [people[1], people[2], people[0]], "-created_at": people[::-1], "last_activity_at": people}
    for sort, wanted in in_order.items():
        found, cursor = [], None
        while cursor or not found:
            page = group_members.list_group_members(
                desk.db, NOW, group_id=made["id"], sort=sort, limit=2, cursor=cursor
            )
            found += [client["id"] for client in page["data"]]
            assert page["meta"]["total"] == 3
            cursor = page["meta"]["next_cursor"]
        assert found == wanted, sort
    with pytest.raises(Invalid, match="invalid_sort"):
        listed(desk, made, sort="shoe_size")


def test_members_are_shown_as_who_asks_may_see_them(desk: Desk) -> None:
    desk.define("badge", sensitive=True)
    desk.define("court")
    ann = desk.create(
        date_of_birth=dt.date(1980, 2, 29), government_ids=[{"kind": "ssn", "number": "123-45-6789"}],
        custom_fields={"badge": "B-7", "court": "North"},
    )["id"]  # fmt: skip
    made = make(desk, client_ids=[ann])

    def member(context: Context) -> dict[str, Any]:
        with use(context):
            (found,) = group_members.list_group_members(desk.db, NOW, group_id=made["id"])["data"]
        return found

    assert member(desk.context) == desk.get(ann)
    seen = member(replace(desk.context, sees_sensitive=False))
    assert (seen["date_of_birth"], seen["government_ids"], seen["custom_fields"]) == (None, None, {"court": "North"})
    assert seen["hidden"] == ["date_of_birth", "government_ids", "custom_fields.badge"]
