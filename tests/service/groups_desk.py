"""Groups of clients at a desk, for the tests of clients: every answer is held to the contract."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.wire import strict
from contracts import clients as contract
from services.clients import group_members, groups
from tests.service.clients_desk import NOW, Desk

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


def rename(desk: Desk, group: dict[str, Any], name: str) -> None:
    groups.update_client_group(desk.db, NOW, group_id=group["id"], changes={"name": name})
