"""The call that follows a claim: begun at once or not at all."""

from __future__ import annotations

import eventlet

from chassis.telemetry import log_of, log_unexpected
from services.messaging.adapters.base import Called, NotBegun, Outgoing, Provider, Result, Unknown
from services.messaging.adapters.in_time import TooLate, begin_by
from services.messaging.dispatching.claims import DueSender, Ready

log = log_of(__name__)


def call(provider: Provider, sender: DueSender, item: Ready, by: float) -> Called:
    """Calls the provider for a claimed delivery, if that can begin `by` then (of `time.monotonic`)."""
    result: Result = Unknown("timeout")
    try:
        with eventlet.Timeout(provider.seconds, False), begin_by(by):
            result = provider.send(_outgoing(sender, item))
    except TooLate:
        result = NotBegun()
    except Exception as error:
        log_unexpected(log, error, event="provider_call_failed", provider=provider.name)
        result = Unknown("error")
    reserved = item.reserved
    return Called(reserved.id, reserved.attempts + 1, reserved.address, reserved.channel, sender.id, result)


def _outgoing(sender: DueSender, item: Ready) -> Outgoing:
    reserved = item.reserved
    return Outgoing(
        token=reserved.id,
        channel=reserved.channel,
        to=reserved.address,
        sender=sender.address,
        body=item.body,
        subject=item.subject,
        messaging_service_sid=sender.messaging_service_sid,
        language=reserved.language,
        html=item.html,
        sender_name=item.sender_name,
        unsubscribe_url=item.unsubscribe_url,
    )
