"""The entrypoints of portal: decode, call one use case, encode."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.database import Data
from chassis.events import ReceivedEvent, on
from chassis.rpc import Calls, serve
from contracts import accounts, cases, clients, messaging, portal, tasks
from services.portal import (
    asking,
    client_merges,
    contact,
    data_exports,
    ending,
    erasing,
    filling_in,
    limits,
    pages,
    uploads,
)
from services.portal import links as secure_links
from services.portal.firms import Firms
from services.portal.models import Base

Record = dict[str, Any]


class PortalService:
    """Secure links, and what a client sees and does behind them."""

    name = portal.OWNER
    db = Data(Base)
    calls = Calls(accounts, clients, cases, tasks, messaging)
    firms = Firms()

    @serve(portal.REGISTER_LINKS)
    def register_links(self, links: list[Record]) -> Record:
        return secure_links.register_links(self.db, utc_now(), links=links, link_days=self._link_days())

    @serve(portal.CREATE_LINK)
    def create_link(self, **link: Any) -> Record:
        pages.check_scope(self.calls, link)
        link = limits.within(self.calls, link)
        return secure_links.create_link(self.db, utc_now(), link=link, link_days=self._link_days())

    @serve(portal.GET_LINK)
    def get_link(self, link_id: str) -> Record:
        limits.demand_seen(self.db, self.calls, link_id)
        return secure_links.get_link(self.db, link_id)

    @serve(portal.REVOKE_LINK)
    def revoke_link(self, link_id: str) -> Record:
        limits.demand_seen(self.db, self.calls, link_id)
        return secure_links.revoke_link(self.db, utc_now(), link_id)

    @serve(portal.OPEN_LINK)
    def open_link(self, token_hash: str) -> Record:
        return secure_links.open_link(self.db, utc_now(), token_hash)

    @serve(portal.GET_PAGE)
    def get_page(self, link_id: str) -> Record:
        return pages.get_page(self.db, self.calls, self.firms, utc_now(), link_id)

    @serve(portal.SUBMIT_ANSWERS)
    def submit_answers(self, link_id: str, answers: Record) -> Record:
        return pages.submit_answers(self.db, self.calls, self.firms, utc_now(), link_id, answers)

    @serve(portal.SAVE_DRAFT)
    def save_draft(self, link_id: str, case_task_id: str, draft: Any) -> Record:
        return pages.save_draft(self.db, self.calls, self.firms, utc_now(), link_id, case_task_id, draft)

    @serve(portal.FILL_IN)
    def fill_in(self, **command: Any) -> Record:
        return filling_in.fill_in(self.db, self.calls, utc_now(), **command)

    @serve(portal.ATTACH_OWN_FILES)
    def attach_own_files(self, **command: Any) -> Record:
        return uploads.attach_own_files(self.db, self.calls, utc_now(), **command)

    @serve(portal.GET_CONTACT_PAGE)
    def get_contact_page(self, link_id: str) -> Record:
        return contact.get_contact_page(self.db, self.calls, self.firms, utc_now(), link_id)

    @serve(portal.WRITE_MESSAGE)
    def write_message(self, link_id: str, body: str, once: str) -> None:
        contact.write_message(self.db, self.calls, utc_now(), link_id, body, once)

    @serve(portal.SET_OWN_PREFERENCES)
    def set_own_preferences(self, link_id: str, **said: str) -> Record:
        return contact.set_own_preferences(self.db, self.calls, self.firms, utc_now(), link_id, **said)

    @serve(portal.REQUEST_NEW_LINK)
    def request_new_link(self, token_hash: str) -> None:
        asking.request_new_link(self.db, utc_now(), token_hash)

    @on(clients.CLIENT_DELETED)
    def end_links_of_deleted(self, event: ReceivedEvent) -> None:
        ending.end_links_of_deleted(self.db, utc_now(), event)

    @serve(portal.EXPORT_CLIENT_DATA)
    def export_client_data(self, **query: Any) -> Record:
        return data_exports.export_client_data(self.db, **query)

    @on(clients.CLIENT_ERASED, batch=100)
    def forget_clients(self, events: list[ReceivedEvent]) -> None:
        erasing.forget_clients(self.db, events, utc_now())

    @on(clients.CONTACT_ACCESS_CHANGED)
    def end_links_of_contact(self, event: ReceivedEvent) -> None:
        ending.end_links_of_contact(self.db, utc_now(), event)

    @on(clients.CLIENT_CHANGED)
    def end_links_to_old_address(self, event: ReceivedEvent) -> None:
        ending.end_links_to_old_address(self.db, utc_now(), event, self._answering_link)

    @on(clients.CLIENTS_MERGED, batch=20)
    def follow_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_merges(self.db, events)

    @on(clients.CLIENTS_UNMERGED, batch=20)
    def follow_undone_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_undone_merges(self.db, utc_now(), events)

    @on(accounts.FIRM_CHANGED, broadcast=True)
    def forget_firm(self, event: ReceivedEvent) -> None:
        self.firms.drop(event.data["firm_id"])

    def _link_days(self) -> int:
        firm = self.firms.get(self.db.firm_id, self.calls.accounts.get_firm)
        return int(firm["link_days"])

    def _answering_link(self, case_task_id: str) -> str | None:
        answers = self.calls.tasks.get_mapped_answers(case_task_ids=[case_task_id])["answers"]
        return answers[0]["link_id"] if answers else None
