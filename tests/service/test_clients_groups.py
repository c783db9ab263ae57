"""clients: groups, static and of a filter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chassis.columns import new_id
from contracts import clients as contract
from contracts.errors import Conflict, Invalid, NotFound
from services.clients import custom_fields, group_members, groups
from services.clients.saved_filters import SAVED_FILTERS
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.groups_desk import LATER, change, checked, get, listed, make, rename, selected

__all__ = ["desk"]


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


def test_a_filter_that_can_no_longer_be_read_has_no_members(desk: Desk) -> None:
    desk.define("court")
    made = make(desk, kind="filter", filter={"field": "custom_fields.court", "op": "eq", "value": "North"})
    assert get(desk, made)["member_count"] == 0
    (field,) = custom_fields.list_client_fields(desk.db)["data"]
    custom_fields.delete_client_field(desk.db, NOW, client_field_id=field["id"])
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
