"""The entrypoints of accounts: decode, call one use case, encode."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.database import Data
from chassis.rpc import serve
from contracts import accounts
from services.accounts import credentials, firms, staff
from services.accounts.models import Base

Record = dict[str, Any]


class AccountsService:
    """Firms and their settings, staff with roles, API keys."""

    name = accounts.OWNER
    db = Data(Base)

    @serve(accounts.CREATE_FIRM)
    def create_firm(self, **command: Any) -> Record:
        return firms.create_firm(self.db, utc_now(), credentials.new_key(), **command)

    @serve(accounts.GET_FIRM)
    def get_firm(self) -> Record:
        return firms.get_firm(self.db)

    @serve(accounts.UPDATE_FIRM)
    def update_firm(self, changes: Record, expected_version: int | None) -> Record:
        return firms.update_firm(self.db, utc_now(), changes, expected_version)

    @serve(accounts.LIST_STAFF)
    def list_staff(self, **paging: Any) -> Record:
        return staff.list_staff(self.db, **paging)

    @serve(accounts.GET_STAFF)
    def get_staff(self, staff_id: str) -> Record:
        return staff.get_staff(self.db, staff_id)

    @serve(accounts.GET_STAFF_FACTS)
    def get_staff_facts(self, staff_ids: list[str]) -> Record:
        return staff.get_staff_facts(self.db, staff_ids)

    @serve(accounts.CREATE_STAFF)
    def create_staff(self, **values: Any) -> Record:
        return staff.create_staff(self.db, utc_now(), **values)

    @serve(accounts.UPDATE_STAFF)
    def update_staff(self, staff_id: str, changes: Record, expected_version: int | None) -> Record:
        return staff.update_staff(self.db, utc_now(), staff_id, changes, expected_version)

    @serve(accounts.RESOLVE_API_KEY)
    def resolve_api_key(self, key_hash: str) -> Record:
        return credentials.resolve_api_key(self.db, utc_now(), key_hash)

    @serve(accounts.LIST_API_KEYS)
    def list_api_keys(self, **paging: Any) -> Record:
        return credentials.list_api_keys(self.db, **paging)

    @serve(accounts.CREATE_API_KEY)
    def create_api_key(self, **values: Any) -> Record:
        return credentials.create_api_key(self.db, utc_now(), credentials.new_key(), **values)

    @serve(accounts.REVOKE_API_KEY)
    def revoke_api_key(self, api_key_id: str) -> Record:
        return credentials.revoke_api_key(self.db, utc_now(), api_key_id)
