"""Entrypoints for what providers tell us, their signatures checked."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from chassis.timers import every
from contracts import messaging as contract
from services.messaging import inbound, phone_calls, portal_messages, statuses
from services.messaging.dependencies import Answer, Dependencies
from services.messaging.emails import email_events


class ProviderEntrypoints(Dependencies):
    """Messages and calls that come in, and what becomes of ours."""

    @serve(contract.RECEIVE_INBOUND_MESSAGE)
    def receive_inbound_message(self, **message: Any) -> Answer:
        return inbound.receive(self.db, **message)

    @serve(contract.RECEIVE_PORTAL_MESSAGE)
    def receive_portal_message(self, **message: Any) -> Answer:
        return portal_messages.receive_portal_message(self.db, now=utc_now(), **message)

    @serve(contract.RECORD_EMAIL_EVENT)
    def record_email_event(self, **event: Any) -> Answer:
        return email_events.record_email_event(self.db, **event)

    @every(3600, "messaging: forget provider events")
    def forget_provider_events(self) -> bool:
        return email_events.forget_old_events(self.db, utc_now())

    @serve(contract.RECORD_KEY_PRESS)
    def record_key_press(self, **press: Any) -> Answer:
        return phone_calls.press_key(self.db, self.calls, **press)

    @serve(contract.RECEIVE_INBOUND_CALL)
    def receive_inbound_call(self, **call: Any) -> Answer:
        return phone_calls.receive_call(self.db, self.calls, **call)

    @serve(contract.RECORD_DELIVERY_STATUS)
    def record_delivery_status(self, **status: Any) -> Answer:
        return statuses.record_delivery_status(self.db, **status)
