"""clients: groups that filters name. Who is to be left out must not be written to because a group is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import eventlet
import pytest

from chassis.columns import new_id
from chassis.context import use
from contracts.errors import Conflict, Invalid
from services.clients import groups
from services.clients.filter_lookup import read_filter_to_save
from services.clients.models import ClientGroup
from services.clients.saved_filters import SAVED_FILTERS
from services.clients.selecting import find_group
from tests.service.clients_desk import NOW, Desk, desk
from tests.service.groups_desk import get, listed, make, rename, selected
from tests.service.races import until_held_up

__all__ = ["desk"]

ANN = {"field": "first_name", "op": "eq", "value": "Ann"}


def within(group_id: str) -> dict[str, Any]:
    return {"field": "groups", "op": "eq", "value": group_id}


def new_group(desk: Desk) -> str:
    return str(make(desk, f"Another {new_id()}")["id"])


def all_but(group_id: str) -> dict[str, Any]:
    return {"and": [ANN, {"not": within(group_id)}]}


def in_use(desk: Desk, group: dict[str, Any]) -> Any:
    with pytest.raises(Conflict) as refused:
        groups.delete_client_group(desk.db, group_id=group["id"])
    assert refused.value.code == "client_group_in_use"
    return refused.value.meta["used_by"]


def test_a_group_that_a_filter_leaves_out_is_not_deleted(desk: Desk) -> None:
    ann = desk.create(first_name="Ann")["id"]
    out = make(desk, "Leave out", client_ids=[ann])
    others = make(desk, "All others", kind="filter", filter=all_but(out["id"].upper()))
    assert in_use(desk, out) == others["id"]
    assert listed(desk, others) == selected(desk, others) == []
    groups.update_client_group(desk.db, NOW, group_id=others["id"], changes={"filter": ANN})
    groups.delete_client_group(desk.db, group_id=out["id"])
    groups.delete_client_group(desk.db, group_id=others["id"])


@pytest.mark.parametrize("op", ["eq", "ne", "in", "not_in"])
def test_a_group_that_a_saved_filter_names_is_not_deleted(desk: Desk, op: str) -> None:
    out = make(desk, "Leave out")
    value = [new_group(desk), out["id"]] if op.endswith("in") else out["id"]
    wire = {"or": [ANN, {"field": "groups", "op": op, "value": value}]}
    saved = SAVED_FILTERS.create(desk.db, NOW, name="Some", filter=wire)["id"]
    assert in_use(desk, out) == saved
    SAVED_FILTERS.update(desk.db, NOW, saved_filter_id=saved, changes={"filter": ANN})
    groups.delete_client_group(desk.db, group_id=out["id"])


def test_a_filter_of_another_firms_or_of_other_ids_holds_no_group(desk: Desk, tmp_path: Path) -> None:
    out = make(desk, "Leave out")
    stranger = Desk(desk.everywhere, tmp_path)
    make(stranger, "Theirs", kind="filter", filter={"not": within(new_group(stranger))})
    wire = {"field": "assigned_staff_id", "op": "eq", "value": out["id"]}
    make(desk, "Of staff", kind="filter", filter={"and": [wire, {"field": "groups", "op": "is_empty"}]})
    groups.delete_client_group(desk.db, group_id=out["id"])


@pytest.mark.parametrize("another_firms", [False, True])
def test_a_filter_that_names_an_unknown_group_is_refused(desk: Desk, tmp_path: Path, another_firms: bool) -> None:
    desk.create(first_name="Ann")
    unknown = new_group(Desk(desk.everywhere, tmp_path)) if another_firms else new_id()
    made = make(desk, "Some", kind="filter", filter=ANN)
    saved = SAVED_FILTERS.create(desk.db, NOW, name="Some", filter=ANN)["id"]
    wire = all_but(unknown)
    change = {"changes": {"filter": wire}}
    for call in (
        lambda: make(desk, kind="filter", filter=wire),
        lambda: groups.update_client_group(desk.db, NOW, group_id=made["id"], **change),
        lambda: SAVED_FILTERS.create(desk.db, NOW, name="Others", filter=wire),
        lambda: SAVED_FILTERS.update(desk.db, NOW, saved_filter_id=saved, **change),
        lambda: desk.listed(filter=wire),
    ):
        with pytest.raises(Invalid, match="invalid_filter") as refused:
            call()
        (wrong,) = refused.value.fields
        assert (wrong["field"], unknown in wrong["message"]) == ("filter.and.1.not.value", True)
    with pytest.raises(Invalid) as refused:
        desk.listed(filter={"field": "groups", "op": "in", "value": [new_group(desk), unknown]})
    assert refused.value.fields[0]["field"] == "filter.value"


def test_a_group_by_a_filter_is_asked_for_by_its_filter(desk: Desk) -> None:
    """It has no members of its own: whoever it would leave out would be written to."""
    desk.create(first_name="Ann")
    anns = make(desk, "Anns", kind="filter", filter=ANN)
    rest = {"not": within(anns["id"])}
    for call in (lambda: make(desk, "Rest", kind="filter", filter=rest), lambda: desk.listed(filter=rest)):
        with pytest.raises(Invalid, match="invalid_filter") as refused:
            call()
        (wrong,) = refused.value.fields
        assert (wrong["field"], "its filter" in wrong["message"]) == ("filter.not.value", True)


def test_a_filter_whose_group_vanished_has_no_members(desk: Desk) -> None:
    """Its group was deleted before that was refused."""
    desk.create(first_name="Ann")
    out = make(desk, "Leave out")
    saved = SAVED_FILTERS.create(desk.db, NOW, name="Others", filter=all_but(out["id"]))["id"]
    by_name = make(desk, "By a name", kind="filter", filter={"saved_filter_id": saved})
    others = make(desk, "All others", kind="filter", filter=all_but(out["id"]))
    assert len(listed(desk, others)) == len(listed(desk, by_name)) == 1
    with desk.db.unit_of_work() as uow:
        uow.session.delete(uow.session.get_one(ClientGroup, (desk.firm_id, out["id"])))
        uow.answer({})
    for group in (others, by_name):
        assert get(desk, group)["member_count"] is None
        for read in (listed, selected):
            with pytest.raises(Invalid, match="invalid_filter"):
                read(desk, group)
    rename(desk, others, "Still there")


def test_of_a_filter_and_its_group_deleted_at_once_the_filter_is_refused(desk: Desk) -> None:
    out = make(desk, "Leave out")

    def save() -> str | None:
        with use(desk.context):
            try:
                SAVED_FILTERS.create(desk.db, NOW, name="Others", filter=all_but(out["id"]))
            except Invalid as refused:
                return str(refused.fields[0]["field"])
            return None

    with desk.db.unit_of_work() as uow:
        uow.session.delete(find_group(uow.session, out["id"], lock=True))
        uow.session.flush()
        saving = eventlet.spawn(save)
        until_held_up(desk.db, saving)
        uow.answer({})
    assert saving.wait() == "filter.and.1.not.value"


def test_of_a_group_and_a_filter_saved_at_once_the_deletion_is_refused(desk: Desk) -> None:
    out = make(desk, "Leave out")

    def delete() -> str | None:
        with use(desk.context):
            try:
                groups.delete_client_group(desk.db, group_id=out["id"])
            except Conflict as refused:
                return refused.code
            return None

    with desk.db.unit_of_work() as uow:
        wire = {"not": within(out["id"])}
        read_filter_to_save(uow.session, wire, path="filter")
        deleting = eventlet.spawn(delete)
        until_held_up(desk.db, deleting)
        others = ClientGroup(id=new_id(), kind="filter", name="Others", name_key="others", filter=wire,
                             created_at=NOW, updated_at=NOW)  # fmt: skip
        uow.session.add(others)
        uow.answer({})
    assert deleting.wait() == "client_group_in_use"
