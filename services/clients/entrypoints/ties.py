"""Entrypoints for what clients are tied to: groups, contacts of businesses, and companies of the shared directory."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.events import ReceivedEvent, on
from chassis.rpc import serve
from contracts import clients as contract
from services.clients import companies, company_proposals, contact_ties, contacts, group_members, groups
from services.clients.entrypoints.days import FirmDays
from services.clients.erasures import contact_erasing

Answer = dict[str, Any]


class TiesEntrypoints(FirmDays):
    """Groups of clients, contacts of business clients, and the directory of companies."""

    @serve(contract.CREATE_CLIENT_GROUP)
    def create_client_group(self, **command: Any) -> Answer:
        return groups.create_client_group(self.db, self._now_for(command), **command)

    @serve(contract.GET_CLIENT_GROUP)
    def get_client_group(self, group_id: str) -> Answer:
        return groups.get_client_group(self.db, self._now_for({"group_id": group_id}), group_id=group_id)

    @serve(contract.LIST_CLIENT_GROUPS)
    def list_client_groups(self, **query: Any) -> Answer:
        return groups.list_client_groups(self.db, **query)

    @serve(contract.UPDATE_CLIENT_GROUP)
    def update_client_group(self, **command: Any) -> Answer:
        now = self._now_for({"group_id": command["group_id"], **command["changes"]})
        return groups.update_client_group(self.db, now, **command)

    @serve(contract.DELETE_CLIENT_GROUP)
    def delete_client_group(self, group_id: str) -> None:
        groups.delete_client_group(self.db, group_id=group_id)

    @serve(contract.LIST_GROUP_MEMBERS)
    def list_group_members(self, **query: Any) -> Answer:
        return group_members.list_group_members(self.db, self._now_for(query), **query)

    @serve(contract.CHANGE_GROUP_MEMBERS)
    def change_group_members(self, **command: Any) -> Answer:
        return group_members.change_group_members(self.db, self._now_for(command.get("add_matching") or {}), **command)

    @serve(contract.SELECT_GROUP_MEMBERS)
    def select_group_members(self, **query: Any) -> Answer:
        return group_members.select_group_members(self.db, self._now_for(query), **query)

    # Contacts

    @serve(contract.CREATE_CONTACT)
    def create_contact(self, **command: Any) -> Answer:
        return contacts.create_contact(self.db, utc_now(), **command)

    @serve(contract.ADD_CLIENT_CONTACT)
    def add_client_contact(self, **command: Any) -> Answer:
        return contacts.add_client_contact(self.db, utc_now(), **command)

    @serve(contract.GET_CONTACT)
    def get_contact(self, contact_id: str) -> Answer:
        return contacts.get_contact(self.db, contact_id=contact_id)

    @serve(contract.LIST_CONTACTS)
    def list_contacts(self, **query: Any) -> Answer:
        return contacts.list_contacts(self.db, **query)

    @serve(contract.UPDATE_CONTACT)
    def update_contact(self, **command: Any) -> Answer:
        return contacts.update_contact(self.db, utc_now(), **command)

    @serve(contract.DELETE_CONTACT)
    def delete_contact(self, contact_id: str) -> None:
        contacts.delete_contact(self.db, utc_now(), contact_id=contact_id)

    @on(contract.CONTACT_DELETION_REQUESTED, batch=contact_erasing.AT_ONCE)
    def forget_contacts(self, events: list[ReceivedEvent]) -> None:
        contact_erasing.forget_contacts(self.db, self.calls, events)

    @serve(contract.UPDATE_CLIENT_CONTACT)
    def update_client_contact(self, **command: Any) -> Answer:
        return contacts.update_client_contact(self.db, **command)

    @serve(contract.REMOVE_CLIENT_CONTACT)
    def remove_client_contact(self, client_id: str, contact_id: str) -> None:
        contact_ties.remove_client_contact(self.db, utc_now(), client_id=client_id, contact_id=contact_id)

    @serve(contract.GET_CONTACT_ACCESS)
    def get_contact_access(self, client_id: str, contact_id: str) -> Answer:
        return contact_ties.get_contact_access(self.db, client_id=client_id, contact_id=contact_id)

    # Companies

    @serve(contract.LIST_COMPANIES)
    def list_companies(self, **query: Any) -> Answer:
        return companies.list_companies(self.db, **query)

    @serve(contract.GET_COMPANY)
    def get_company(self, company_id: str) -> Answer:
        return companies.get_company(self.db, company_id=company_id)

    @serve(contract.GET_CLIENT_COMPANY)
    def get_client_company(self, client_id: str) -> Answer:
        return companies.get_client_company(self.db, client_id=client_id)

    @serve(contract.LINK_COMPANY)
    def link_company(self, client_id: str, company_id: str) -> Answer:
        return companies.link_company(self.db, client_id=client_id, company_id=company_id)

    @serve(contract.UNLINK_COMPANY)
    def unlink_company(self, client_id: str) -> None:
        companies.unlink_company(self.db, client_id=client_id)

    @serve(contract.PROPOSE_COMPANY)
    def propose_company(self, **command: Any) -> Answer:
        return company_proposals.propose_company(self.db, utc_now(), **command)

    @serve(contract.GET_COMPANY_PROPOSAL)
    def get_company_proposal(self, proposal_id: str) -> Answer:
        return company_proposals.get_company_proposal(self.db, proposal_id=proposal_id)

    @serve(contract.LIST_COMPANY_PROPOSALS)
    def list_company_proposals(self, **query: Any) -> Answer:
        return company_proposals.list_company_proposals(self.db, **query)
