"""Text messages and calls through Twilio's REST API. What a call is made of is `twilio_voice.py`.

https://www.twilio.com/docs/messaging/api/message-resource: there is no idempotency key, so that a request is made once
and what became of it, if no answer came, is looked up among the messages to the same number.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from chassis.telemetry import log_of
from services.messaging.adapters.base import (
    CLOCK_SLACK,
    Absent,
    Accepted,
    Deferred,
    Figures,
    Finding,
    NotConnected,
    Outgoing,
    Question,
    Refused,
    Result,
    Unknown,
)
from services.messaging.adapters.http import NeverSent, NoAnswer, PooledHttpClient, TooManyRequests
from services.messaging.adapters.in_time import TooLate
from services.messaging.adapters.twilio_voice import call_fields, find_call
from services.messaging.links import matches_stored

log = log_of(__name__)

DEFAULT_DELAY = 5.0
"""Seconds to wait after a 429 that names none."""
LONGEST_DELAY = 3600.0
LOOKED_THROUGH = 200
"""Messages to one number, newest first, that are looked through for one of unknown fate. Where there are more, nothing
can be told."""


class TwilioProvider:
    """`callback_url` and `voice_url` are the addresses of our webhooks for texts and for calls; the delivery's token is
    added to them."""

    name = "twilio"
    ask_after: tuple[float, ...] = (60.0, 300.0, 1800.0)

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        callback_url: str,
        voice_url: str,
        api_url: str | None = None,
        connections: int = 32,
        seconds: float = 10.0,
    ) -> None:
        self.seconds = seconds + 3.0
        self._callback_url, self._voice_url = callback_url, voice_url
        self._client = Client(account_sid, auth_token, http_client=PooledHttpClient(connections, seconds))
        if api_url:
            self._client.api.base_url = api_url.rstrip("/")

    def send(self, message: Outgoing) -> Result:
        """One request to create a message or a call."""
        if message.channel == "phone":
            fields = call_fields(message, self._voice_url)
            return self._request(lambda: self._client.calls.create(**fields))
        origin = (
            {"messaging_service_sid": message.messaging_service_sid}
            if message.messaging_service_sid
            else {"from_": message.sender}
        )
        return self._request(
            lambda: self._client.messages.create(
                to=message.to,
                body=message.body,
                status_callback=f"{self._callback_url}?token={quote(message.token)}",
                **origin,
            )
        )

    def _request(self, create: Callable[[], Any]) -> Result:
        try:
            created = create()
        except NeverSent:
            return NotConnected()
        except NoAnswer as error:
            return Unknown(error.code)
        except TooManyRequests as error:
            return _later(error)
        except TwilioRestException as error:
            if 400 <= error.status < 500:
                return Refused(str(error.code or f"http_{error.status}"))
            return Unknown(f"http_{error.status}")
        except TooLate:
            raise
        except Exception as error:
            # The request may have been made, whatever went wrong with its answer.
            log.warning("provider_answer_unreadable", provider=self.name, error=type(error).__name__)
            return Unknown("unreadable")
        return Accepted(str(created.sid), str(created.status or "queued"), **figures_of(created))

    def find(self, question: Question) -> Finding:
        """Looks through what went to the number since the request was begun."""
        try:
            return find_call(self._client, question) if question.channel == "phone" else self._find_text(question)
        except (NeverSent, NoAnswer, TooManyRequests, TwilioRestException, ValueError):
            return None

    def _find_text(self, question: Question) -> Finding:
        since = question.begun_at - CLOCK_SLACK
        messages = self._client.messages.stream(to=question.to, limit=LOOKED_THROUGH, page_size=100)
        for number, message in enumerate(messages, 1):
            if message.date_created is not None and message.date_created < since:
                break
            ours = str(message.direction).startswith("outbound") and message.sid not in question.taken
            if ours and matches_stored(str(message.body), question.body):
                return Accepted(str(message.sid), str(message.status), **figures_of(message))
            if number == LOOKED_THROUGH:
                return None
        return Absent()

    def figures(self, provider_id: str, channel: str) -> Figures | Deferred | None:
        """Those of the message's or call's record: of what it says no more about, none."""
        kept: Any = self._client.calls if channel == "phone" else self._client.messages
        try:
            return Figures(**figures_of(kept(provider_id).fetch()))
        except TooManyRequests as error:
            return _later(error)
        except (NeverSent, NoAnswer):
            return None
        except (TwilioRestException, ValueError) as error:
            log.warning("price_not_told", provider=self.name, error=type(error).__name__)
            return Figures()


def _later(error: TooManyRequests) -> Deferred:
    seconds = DEFAULT_DELAY if error.seconds is None else error.seconds
    return Deferred(min(seconds, LONGEST_DELAY), of_account=True)


def figures_of(message: Any) -> dict[str, Any]:
    """Twilio's own figures for a message or call. It names the price once it has charged for it, as what is taken off
    the account, and no segments (0) of what a messaging service has not sent yet."""
    segments, price = getattr(message, "num_segments", None), getattr(message, "price", None)
    try:
        charged = abs(Decimal(str(price)))
    except ArithmeticError:
        charged = None
    return {
        "segments": int(segments) or None if segments and str(segments).isdigit() else None,
        "price": charged,
        "currency": None if charged is None else message.price_unit,
    }
