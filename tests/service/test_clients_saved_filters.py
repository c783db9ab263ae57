"""clients: filters with a name, wherever a filter is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chassis.columns import new_id
from contracts.clients import GET_SAVED_FILTER
from contracts.errors import CasewireError, Conflict, Invalid, NotFound
from services.clients import groups
from services.clients.saved_filters import SAVED_FILTERS
from tests.service.clients_desk import NOW, Desk, desk

__all__ = ["desk"]

ACTIVE = {"field": "status", "op": "eq", "value": "active"}
VIP = {"field": "tags", "op": "contains", "value": "vip"}


def save(desk: Desk, name: str, wire: dict[str, Any]) -> str:
    made = SAVED_FILTERS.create(desk.db, NOW, name=name, filter=wire)
    assert GET_SAVED_FILTER.response().validate(GET_SAVED_FILTER.response().dump(made)) == {}
    assert (made["target"], made["version"]) == ("clients", 1)
    return str(made["id"])


def refused(kind: type[CasewireError], call: Any, *args: Any, **command: Any) -> CasewireError:
    with pytest.raises(kind) as caught:
        call(*args, **command)
    return caught.value


def test_a_saved_filter_is_a_filter(desk: Desk) -> None:
    ann = desk.create(tags=["vip"])["id"]
    bob = desk.create(first_name="Bob")["id"]
    vip = save(desk, "Important", VIP)
    inner = save(desk, "Not important", {"not": {"saved_filter_id": vip}})
    assert desk.listed(filter={"saved_filter_id": vip}) == [ann]
    assert desk.listed(filter={"saved_filter_id": inner.upper()}) == [bob]
    assert desk.listed(filter={"and": [ACTIVE, {"saved_filter_id": inner}]}) == [bob]
    group = groups.create_client_group(desk.db, NOW, name="VIPs", kind="filter", filter={"saved_filter_id": vip})
    assert desk.listed(group_id=group["id"]) == [ann]


def test_a_change_holds_wherever_it_is_referred_to(desk: Desk) -> None:
    ann = desk.create(tags=["vip"])["id"]
    bob = desk.create(first_name="Bob", status="inactive")["id"]
    saved = save(desk, "Some", VIP)
    wire = {"not": {"saved_filter_id": saved}}
    assert desk.listed(filter=wire) == [bob]
    changed = SAVED_FILTERS.update(
        desk.db, NOW, saved_filter_id=saved, changes={"filter": {"not": ACTIVE}, "name": "Others"}, expected_version=1
    )
    assert (changed["name"], changed["version"]) == ("Others", 2)
    assert desk.listed(filter=wire) == [ann]
    again = SAVED_FILTERS.update(desk.db, NOW, saved_filter_id=saved, changes={"name": "Others"})
    assert again["version"] == 2
    stale = refused(Conflict, SAVED_FILTERS.update, desk.db, NOW, saved_filter_id=saved, changes={},
                    expected_version=1)  # fmt: skip
    assert stale.code == "stale_version"


def test_a_filter_that_cannot_be_read_is_not_saved(desk: Desk) -> None:
    wrong = refused(Invalid, save, desk, "Wrong", {"field": "court", "op": "eq", "value": "x"})
    assert (wrong.code, wrong.fields[0]["field"]) == ("invalid_filter", "filter.field")
    refused(NotFound, save, desk, "Unknown", {"saved_filter_id": new_id()})
    first = save(desk, "First", VIP)
    second = save(desk, "Second", {"saved_filter_id": first})
    change = {"saved_filter_id": first, "changes": {"filter": {"or": [VIP, {"saved_filter_id": second}]}}}
    circle = refused(Invalid, SAVED_FILTERS.update, desk.db, NOW, **change)
    assert circle.code == "invalid_filter"
    assert SAVED_FILTERS.get(desk.db, first)["filter"] == VIP


def test_a_name_is_a_firms_once(desk: Desk, tmp_path: Path) -> None:
    save(desk, "Important", VIP)
    other = save(desk, "Other", VIP)
    assert refused(Conflict, save, desk, "Important", ACTIVE).code == "name_taken"
    taken = refused(Conflict, SAVED_FILTERS.update, desk.db, NOW, saved_filter_id=other,
                    changes={"name": "Important"})  # fmt: skip
    assert taken.code == "name_taken"
    save(Desk(desk.everywhere, tmp_path), "Important", VIP)
    listed = SAVED_FILTERS.list(desk.db)
    assert [saved["name"] for saved in listed["data"]] == ["Important", "Other"]


def test_what_is_referred_to_is_not_deleted(desk: Desk) -> None:
    vip = save(desk, "Important", VIP)
    outer = save(desk, "Outer", {"not": {"saved_filter_id": vip}})
    group = groups.create_client_group(desk.db, NOW, name="G", kind="filter", filter={"saved_filter_id": outer})
    for used, user in ((vip, outer), (outer, group["id"])):
        error = refused(Conflict, SAVED_FILTERS.delete, desk.db, saved_filter_id=used)
        assert (error.code, error.meta["used_by"]) == ("saved_filter_in_use", user)
    groups.update_client_group(desk.db, NOW, group_id=group["id"], changes={"filter": {"saved_filter_id": vip}})
    SAVED_FILTERS.delete(desk.db, saved_filter_id=outer)
    assert refused(Conflict, SAVED_FILTERS.delete, desk.db, saved_filter_id=vip).meta["used_by"] == group["id"]
    groups.delete_client_group(desk.db, group_id=group["id"])
    SAVED_FILTERS.delete(desk.db, saved_filter_id=vip)
    refused(NotFound, SAVED_FILTERS.get, desk.db, vip)


def test_another_firms_filter_is_not_found(desk: Desk, tmp_path: Path) -> None:
    vip = save(desk, "Important", VIP)
    stranger = Desk(desk.everywhere, tmp_path)
    refused(NotFound, SAVED_FILTERS.get, stranger.db, vip)
    refused(NotFound, SAVED_FILTERS.delete, stranger.db, saved_filter_id=vip)
    refused(NotFound, stranger.listed, filter={"saved_filter_id": vip})
