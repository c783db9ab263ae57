"""clients: groups and their members."""

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
from chassis.wire import strict
from contracts import clients as contract
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import group_members, groups
from services.clients.saved_filters import SAVED_FILTERS
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]

LATER = NOW + dt.timedelta(hours=1)


def make(desk: Desk, name: str = "News", **given: Any) -> dict[str, Any]:
    return checked(contract.ClientGroup, groups.create_client_group(desk.db, NOW, name=name, **given))


def checked(schema: Any, record: dict[str, Any]) -> dict[str, Any]:
    """The record, held to the contract."""
    assert strict(schema).schema.validate(strict(schema).dump(record)) == {}
    return record


def get(desk: Desk, group: dict[str, Any]) -> dict[str, Any]:
    return checked(contract.ClientGroup, groups.get_client_group(desk.db, NOW, group_id=group["id"]))


def change(desk: Desk, group: dict[str, Any], **given: Any) -> dict[str, Any]:
    answer = group_members.change_group_members(desk.db, NOW, group_id=group["id"], **given)
    return checked(contract.GroupMembersChanged, answer)


def listed(desk: Desk, group: dict[str, Any], **paging: Any) -> list[str]:
    page = group_members.list_group_members(desk.db, NOW, group_id=group["id"], **paging)
    return [client["id"] for client in page["data"]]


def selected(desk: Desk, group: dict[str, Any], limit: int = 2) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = group_members.select_group_members(desk.db, NOW, group_id=group["id"], limit=limit, cursor=cursor)
        found += checked(contract.SelectedMembers, page)["client_ids"]
        cursor = page["cursor"]
        if cursor is None:
            return found


# Groups


def test_a_group_is_made_read_changed_and_deleted(desk: Desk) -> None:
    ann = desk.create()["id"]
    made = make(desk, "  Spring  news ", description="Twice a year", client_ids=[ann, ann])
    assert (made["name"], made["kind"], made["filter"], made["version"]) == ("Spring news", "static", None, 1)
    assert made["member_count"] == 1
    assert get(desk, made) == made
    changed = groups.update_client_group(
        desk.db, LATER, group_id=made["id"], changes={"name": "Autumn news"}, expected_version=1
    )
    assert (changed["name"], changed["description"], changed["version"]) == ("Autumn news", "Twice a year", 2)
    assert (changed["created_at"], changed["updated_at"]) == (NOW, LATER)
    same = groups.update_client_group(desk.db, LATER, group_id=made["id"], changes={"name": "Autumn news"})
    assert same["version"] == 2
    with pytest.raises(Conflict, match="stale_version"):
        groups.update_client_group(desk.db, LATER, group_id=made["id"], changes={"name": "X"}, expected_version=1)
    groups.delete_client_group(desk.db, group_id=made["id"])
    for call in (lambda: get(desk, made), lambda: listed(desk, made), lambda: selected(desk, made)):
        with pytest.raises(NotFound, match="client_group_not_found"):
            call()


def test_deleting_a_group_leaves_its_clients(desk: Desk) -> None:
    ann = desk.create()
    made = make(desk, client_ids=[ann["id"]])
    groups.delete_client_group(desk.db, group_id=made["id"])
    assert desk.get(ann["id"]) == ann


def test_a_name_is_a_firms_once(desk: Desk, tmp_path: Path) -> None:
    make(desk, "Café")
    other = make(desk, "Others")
    for again in (lambda: make(desk, " CAFE"), lambda: rename(desk, other, "cafe")):
        with pytest.raises(Conflict, match="name_taken") as refused:
            again()
        assert refused.value.fields[0]["field"] == "name"
    make(Desk(desk.everywhere, tmp_path), "Café")
    assert get(desk, other)["name"] == "Others"


def rename(desk: Desk, group: dict[str, Any], name: str) -> None:
    groups.update_client_group(desk.db, NOW, group_id=group["id"], changes={"name": name})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " \t"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"description": "a\x07b"}, "description"),
        ({"filter": {"field": "status", "op": "eq", "value": "active"}}, "filter"),
        ({"kind": "filter"}, "filter"),
        ({"kind": "filter", "filter": {"field": "shoe_size", "op": "eq", "value": 4}}, "filter.field"),
        ({"kind": "filter", "filter": {"and": []}}, "filter.and"),
        (
            {"kind": "filter", "filter": {"field": "status", "op": "eq", "value": "active"}, "client_ids": [new_id()]},
            "client_ids",
        ),
    ],
)
def test_a_bad_group_is_refused_and_leaves_nothing(desk: Desk, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(desk, **given)
    assert refused.value.fields[0]["field"] == field
    assert groups.list_client_groups(desk.db)["data"] == []


def test_groups_are_listed_by_name_with_their_counts(desk: Desk, tmp_path: Path) -> None:
    people = [desk.create()["id"] for _ in range(3)]
    for name, members in (("Zoo", people), ("émile", people[:1]), ("Bar", [])):
        make(desk, name, client_ids=members)
    make(Desk(desk.everywhere, tmp_path), "Another firm's")
    desk.delete(people[2])
    page = groups.list_client_groups(desk.db, limit=2)
    checked(contract.LIST_CLIENT_GROUPS.response, page)
    rest = groups.list_client_groups(desk.db, limit=2, cursor=page["meta"]["next_cursor"])
    found = [(group["name"], group["member_count"]) for group in page["data"] + rest["data"]]
    assert found == [("Bar", 0), ("émile", 1), ("Zoo", 2)]
    assert page["meta"]["total"] == 3


def test_a_count_is_exact_and_then_a_lower_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_members, "TOTAL_CAP", 2)
    made = make(desk, client_ids=[desk.create()["id"] for _ in range(2)])
    assert (made["member_count"], "member_count_is_lower_bound" in made) == (2, False)
    answer = change(desk, made, add=[desk.create()["id"]])
    assert (answer["member_count"], answer["member_count_is_lower_bound"]) == (2, True)


# Members of a static group


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
        change(desk, made, add_matching={})
    assert listed(desk, made) == []


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


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
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
    monkeypatch.setattr(group_members, "FEW", few)  # many are looked for in another way
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


# Groups of a filter

SPANISH = {"field": "language", "op": "eq", "value": "es"}


def test_a_filter_groups_members_are_those_who_answer_when_it_is_read(desk: Desk) -> None:
    ann, bob = desk.create(language="es")["id"], desk.create(language="en")["id"]
    made = make(desk, kind="filter", filter=SPANISH)
    assert (made["filter"], made["member_count"]) == (SPANISH, 1)
    assert listed(desk, made) == selected(desk, made) == [ann]
    desk.change(bob, language="es")
    assert get(desk, made)["member_count"] == 2
    desk.delete(ann)
    assert listed(desk, made) == selected(desk, made) == [bob]


def test_a_filter_group_takes_no_members_and_keeps_a_filter(desk: Desk) -> None:
    ann = desk.create(language="es")["id"]
    made = make(desk, kind="filter", filter=SPANISH)
    with pytest.raises(Conflict, match="not_a_static_group"):
        change(desk, made, add=[ann])
    for filter in (None, {"field": "language", "op": "sounds_like", "value": "es"}):
        with pytest.raises(Invalid):
            groups.update_client_group(desk.db, NOW, group_id=made["id"], changes={"filter": filter})
    english = {"not": SPANISH}
    changed = groups.update_client_group(desk.db, NOW, group_id=made["id"], changes={"filter": english})
    assert (changed["filter"], changed["version"], changed["member_count"]) == (english, 2, 0)


def test_a_filter_group_is_counted_when_it_is_read_not_in_a_list(desk: Desk) -> None:
    desk.create(language="es")
    made = make(desk, kind="filter", filter=SPANISH)
    (in_list,) = groups.list_client_groups(desk.db)["data"]
    assert in_list == {**made, "member_count": None}


def test_a_filter_that_can_no_longer_be_read_has_no_members(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(desk, kind="filter", filter=SPANISH)

    def unreadable(*args: Any, **kwargs: Any) -> None:
        raise Invalid("invalid_filter", fields=[{"field": "filter.field", "message": "No such field."}])

    monkeypatch.setattr(group_members, "conditions", unreadable)
    assert get(desk, made)["member_count"] is None
    for read in (listed, selected):
        with pytest.raises(Invalid, match="invalid_filter"):
            read(desk, made)


def test_all_who_answer_a_filter_are_added(desk: Desk) -> None:
    ann = desk.create(language="es")["id"]
    desk.create(language="en")
    made = make(desk)
    assert change(desk, made, add_matching={"filter": SPANISH})["added"] == 1
    assert listed(desk, made) == [ann]
    with pytest.raises(Invalid) as refused:
        change(desk, made, add_matching={"filter": {"field": "shoe_size", "op": "eq", "value": 4}})
    assert refused.value.fields[0]["field"] == "add_matching.filter.field"


def test_a_saved_filter_is_a_groups_filter_too_and_stays_while_it_is(desk: Desk) -> None:
    ann = desk.create(language="es")["id"]
    saved = SAVED_FILTERS.create(desk.db, NOW, name="Spanish", filter=SPANISH)["id"]
    made = make(desk, kind="filter", filter={"saved_filter_id": saved})
    assert listed(desk, made) == selected(desk, made) == [ann]
    english = {"not": SPANISH}
    SAVED_FILTERS.update(desk.db, NOW, saved_filter_id=saved, changes={"filter": english})
    assert listed(desk, made) == []
    with pytest.raises(Conflict, match="saved_filter_in_use"):
        SAVED_FILTERS.delete(desk.db, saved_filter_id=saved)
    groups.update_client_group(desk.db, NOW, group_id=made["id"], changes={"filter": SPANISH})
    other = make(desk, "Other", kind="filter", filter={"saved_filter_id": saved})
    groups.delete_client_group(desk.db, group_id=other["id"])
    SAVED_FILTERS.delete(desk.db, saved_filter_id=saved)
    with pytest.raises(NotFound, match="saved_filter_not_found"):
        make(desk, "Again", kind="filter", filter={"saved_filter_id": saved})
