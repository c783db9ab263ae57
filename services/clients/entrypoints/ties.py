"""Entrypoints for what clients are tied to: groups."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from contracts import clients as contract
from services.clients import group_members, groups

Answer = dict[str, Any]


class TiesEntrypoints:
    """Groups of clients."""

    db: Any

    @serve(contract.CREATE_CLIENT_GROUP)
    def create_client_group(self, **command: Any) -> Answer:
        return groups.create_client_group(self.db, utc_now(), **command)

    @serve(contract.GET_CLIENT_GROUP)
    def get_client_group(self, group_id: str) -> Answer:
        return groups.get_client_group(self.db, utc_now(), group_id=group_id)

    @serve(contract.LIST_CLIENT_GROUPS)
    def list_client_groups(self, **query: Any) -> Answer:
        return groups.list_client_groups(self.db, **query)

    @serve(contract.UPDATE_CLIENT_GROUP)
    def update_client_group(self, **command: Any) -> Answer:
        return groups.update_client_group(self.db, utc_now(), **command)

    @serve(contract.DELETE_CLIENT_GROUP)
    def delete_client_group(self, group_id: str) -> None:
        groups.delete_client_group(self.db, group_id=group_id)

    @serve(contract.LIST_GROUP_MEMBERS)
    def list_group_members(self, **query: Any) -> Answer:
        return group_members.list_group_members(self.db, utc_now(), **query)

    @serve(contract.CHANGE_GROUP_MEMBERS)
    def change_group_members(self, **command: Any) -> Answer:
        return group_members.change_group_members(self.db, utc_now(), **command)

    @serve(contract.SELECT_GROUP_MEMBERS)
    def select_group_members(self, **query: Any) -> Answer:
        return group_members.select_group_members(self.db, utc_now(), **query)
