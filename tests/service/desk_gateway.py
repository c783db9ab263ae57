"""The gateway's webhooks in front of a desk, over real HTTP, so that what a provider posts reaches messaging."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import eventlet
import eventlet.wsgi
from flask import g

from chassis.testing import FakeCalls
from contracts import messaging
from services.messaging import inbound, phone_calls, statuses
from services.messaging.emails import email_events
from tests.service.edge_app import edge_app
from tests.service.messaging_desk import PUBLIC_URL, Desk

SECRET = "a provider's secret"


@contextmanager
def serving(desk: Desk) -> Iterator[str]:
    """The address where the gateway serves; it believes itself at the desk's public one."""
    everywhere = desk.everywhere
    calls = FakeCalls(messaging, raw=True, answers={
        messaging.RECEIVE_INBOUND_MESSAGE: lambda **told: inbound.receive(everywhere, **told),
        messaging.RECORD_DELIVERY_STATUS: lambda **told: statuses.record_delivery_status(everywhere, **told),
        messaging.RECORD_EMAIL_EVENT: lambda **told: email_events.record_email_event(everywhere, **told),
        messaging.RECORD_KEY_PRESS: lambda **told: phone_calls.press_key(everywhere, desk.calls, **told),
    })  # fmt: skip
    config = {"PUBLIC_URL": PUBLIC_URL, "SECRET_KEY": "s", "TWILIO_AUTH_TOKEN": SECRET, "SANDBOX_PAGES": True}
    app, _ = edge_app(lambda: setattr(g, "calls", calls), config)
    listening = eventlet.listen(("127.0.0.1", 0))
    server = eventlet.spawn(eventlet.wsgi.server, listening, app, log_output=False)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.kill()
    listening.close()
