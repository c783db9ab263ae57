"""Entrypoints for consent: what people said about being written to, and what a person must decide."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.events import ReceivedEvent, on
from chassis.rpc import serve
from contracts import accounts, clients
from contracts import messaging as contract
from services.messaging import client_merges, data_exports, firm_rules
from services.messaging.consents import consent_ledger, consent_reviews, preferences, stated_consents, unsubscribing
from services.messaging.dependencies import Answer, Dependencies
from services.messaging.erasures import address_erasing
from services.messaging.merges import merged_consent


class ConsentEntrypoints(Dependencies):
    """Who may be written to, and the proof of it."""

    @serve(contract.LIST_CONSENTS)
    def list_consents(self, **query: Any) -> Answer:
        return consent_ledger.list_consents(self.db, self.calls, **query)

    @serve(contract.DESCRIBE_UNSUBSCRIPTION)
    def describe_unsubscription(self, token: str) -> Answer:
        return unsubscribing.describe_unsubscription(self.db, self.calls, self.settings.unsubscribing, token=token)

    @serve(contract.UNSUBSCRIBE)
    def unsubscribe(self, token: str) -> Answer:
        return unsubscribing.unsubscribe(self.db, self.calls, self.settings.unsubscribing, token=token, now=utc_now())

    @serve(contract.RECORD_CONSENTS)
    def record_consents(self, **command: Any) -> Answer:
        return stated_consents.record_consents(self.db, self.calls, actor_id=self._actor, **command)

    @serve(contract.GET_PREFERENCES)
    def get_preferences(self, client_id: str) -> Answer:
        return preferences.get_preferences(self.db, self.calls, client_id=client_id)

    @serve(contract.SET_PREFERENCES)
    def set_preferences(self, **command: Any) -> Answer:
        return preferences.set_preferences(self.db, self.calls, actor_id=self._actor, **command)

    @serve(contract.LIST_CONSENT_REVIEWS)
    def list_consent_reviews(self, **query: Any) -> Answer:
        return consent_reviews.list_reviews(self.db, **query)

    @serve(contract.DECIDE_CONSENT_REVIEW)
    def decide_consent_review(self, **command: Any) -> Answer:
        return consent_reviews.decide_review(self.db, actor_id=self._actor, **command)

    # Clients that are one person

    @serve(contract.JOIN_CONSENTS)
    def join_consents(self, **command: Any) -> Answer:
        return merged_consent.join_consents(self.db, now=utc_now(), **command)

    @on(clients.CLIENTS_MERGED, batch=20)
    def follow_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_merges(self.db, events, utc_now())

    @on(clients.CLIENTS_UNMERGED, batch=20)
    def follow_undone_merges(self, events: list[ReceivedEvent]) -> None:
        client_merges.follow_undone_merges(self.db, events, utc_now())

    # Handed out and forgotten

    @serve(contract.EXPORT_CLIENT_DATA)
    def export_client_data(self, **query: Any) -> Answer:
        return data_exports.export_client_data(self.db, self.calls, **query)

    @serve(contract.FORGET_ADDRESSES)
    def forget_addresses(self, people: list[Answer]) -> None:
        address_erasing.forget_addresses(self.db, self.files, utc_now(), people=people)

    @on(accounts.FIRM_CHANGED)
    def keep_firm_rules(self, event: ReceivedEvent) -> None:
        firm_rules.refresh(self.db, self.calls, event)
