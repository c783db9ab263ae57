"""A stand-in for Twilio's API that speaks HTTP to Twilio's own client library, and can fail in every way we know of.

    python -m tests.stand_ins.twilio --port 0          prints "listening on <port>"

    with TwilioStandIn() as twilio:                    # starts it as a process
        twilio.when(to="+12125550123", do="refuse", status=400, code=21610)
        client = Client("AC…", "token"); client.api.base_url = twilio.url
        twilio.accepted()                              # the oracle: every request that was accepted, with its time
        twilio.calls()                                 # the same of telephone calls
        twilio.press(twilio.calls()[0], "9")           # what somebody does in one; what they hear then
        twilio.charge("-0.0079", after=600)            # names a price for each, so many seconds later

What it can do wrong with a request is in `server.py`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from xml.etree import ElementTree

import requests

from tests.stand_ins.media import Media, give
from tests.stand_ins.server import Account, Connection, StandIn, post, response, serve, spawn
from tests.stand_ins.twilio_records import call_resource, listing, message_resource, refusal_of, sent_message


@dataclass
class Callbacks:
    """Status callbacks: which, when (seconds after acceptance, one after the other), how often each."""

    auth_token: str
    statuses: list[str] = field(default_factory=lambda: ["sent", "delivered"])
    call_statuses: list[str] = field(default_factory=lambda: ["initiated", "ringing", "in-progress", "completed"])
    delay: float = 0.0
    repeat: int = 1
    instead_of: str | None = None
    """The start of the callback's address that is replaced by `post_to`; the signature keeps the public one."""
    post_to: str | None = None


@dataclass
class Charges:
    """What Twilio takes off the account for each message and call, `after` seconds from its acceptance."""

    price: str
    after: float = 0.0


def new_sid(kind: str) -> str:
    """One that was never given before, as Twilio's are: also not before a reset."""
    return kind + uuid.uuid4().hex


class TwilioAccount(Account):
    """What the stand-in accepted, and where it tells of it."""

    def reset(self) -> None:
        super().reset()
        self.calls: list[dict[str, Any]] = []
        self.callbacks: Callbacks | None = None
        self.charges: Charges | None = None
        self.media: dict[str, Media] = {}
        self.fetched: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def counts(self) -> dict[str, int]:
        found = super().counts()
        return {**found, "accepted": found["accepted"] + len(self.calls)}

    def accept(self, form: dict[str, str]) -> dict[str, Any]:
        """Takes a message: from here on it counts as sent."""
        callback = form.get("StatusCallback", "")
        message = {
            "sid": new_sid("SM"),
            "to": form.get("To", ""),
            "from": form.get("From") or form.get("MessagingServiceSid", ""),
            "body": form.get("Body", ""),
            "at": self.now(),
            "callback": callback,
            "token": dict(parse_qsl(urlsplit(callback).query)).get("token"),
        }
        self.messages.append(message)
        return message

    def accept_call(self, form: dict[str, str], events: list[str]) -> dict[str, Any]:
        """Takes a call: from here on the telephone rings."""
        callback = form.get("StatusCallback", "")
        call = {
            "sid": new_sid("CA"),
            "to": form.get("To", ""),
            "from": form.get("From", ""),
            "twiml": form.get("Twiml", ""),
            "events": events,
            "machine_detection": form.get("MachineDetection"),
            "at": self.now(),
            "callback": callback,
            "token": dict(parse_qsl(urlsplit(callback).query)).get("token"),
        }
        self.calls.append(call)
        return call

    def price_of(self, one: dict[str, Any]) -> str | None:
        """As it is told now."""
        charges = self.charges
        return charges.price if charges and self.now() >= one["at"] + charges.after else None


class TwilioConnection(Connection):
    """Twilio's messages and calls."""

    account: TwilioAccount

    def __init__(self, account: TwilioAccount) -> None:
        super().__init__()
        self.account = account

    def handle(self, method: str, target: str, body: str) -> None:
        if method == "POST" and target.endswith("/Messages.json"):
            self.create(dict(parse_qsl(body, keep_blank_values=True)))
        elif method == "POST" and target.endswith("/Calls.json"):
            events = parse_qs(body).get("StatusCallbackEvent", [])
            self.create(dict(parse_qsl(body, keep_blank_values=True)), call_events=events)
        elif method == "GET" and "/Calls.json" in target:
            self.write(response(200, listing(self.account.calls, "calls", call_resource, target)))
        elif method == "GET" and "/Messages.json" in target:
            self.write(response(200, listing(self.account.messages, "messages", sent_message, target)))
        elif method == "GET" and "/Calls/" in target:
            self.tell(self.account.calls, call_resource, "completed", target)
        elif method == "GET" and "/Messages/" in target and "/Media/" not in target:
            self.tell(self.account.messages, message_resource, "delivered", target)
        elif method == "GET" and "/Media/" in target:
            name = target.rpartition("/")[2]
            authorized = b"\r\nauthorization:" in self.head.lower()
            self.account.fetched.append({"name": name, "authorized": authorized})
            give(self, self.account.media.get(name))
        else:
            self.write(response(404, {"status": 404, "code": 20404, "message": "Not found"}))

    def actions(self, given: dict[str, Any]) -> dict[str, Callable[[], Any]]:
        return {
            "calls": lambda: self.account.calls,
            "media": lambda: self.account.media.update({given.pop("name"): Media(**given)}),
            "fetched": lambda: self.account.fetched,
            "callbacks": lambda: setattr(self.account, "callbacks", Callbacks(**given)),
            "charges": lambda: setattr(self.account, "charges", Charges(**given)),
            "asked": lambda: self.account.asked,
        }

    def tell(
        self,
        kept: list[dict[str, Any]],
        resource: Callable[[dict[str, Any], str], dict[str, Any]],
        status: str,
        path: str,
    ) -> None:
        """The record of one message or call, unless a rule for its number refuses it."""
        sid = path.rpartition("/")[2].removesuffix(".json")
        one = next((one for one in kept if one["sid"] == sid), None)
        self.account.asked.append(sid)
        rule = self.account.decide(one["to"]) if one and self.account.rules else None
        if rule and rule.do == "cut":
            self.transport.abort()
        elif rule:
            self.write(refusal_of(rule))
        elif one is None:
            self.write(response(404, {"status": 404, "code": 20404, "message": "Not found"}))
        else:
            self.write(response(200, {**resource(one, status), "price": self.account.price_of(one)}))

    def create(self, form: dict[str, str], call_events: list[str] | None = None) -> None:
        account = self.account

        def accept() -> bytes:
            if call_events is None:
                message = account.accept(form)
                answer = response(201, message_resource(message))
            else:
                message = account.accept_call(form, call_events)
                answer = response(201, call_resource(message))
            if account.callbacks:
                spawn(_call_back(account.callbacks, message))
            return answer

        self.take(
            form.get("To", ""),
            refusal=refusal_of,
            accept=accept,
            failure=lambda rule: response(rule.status, {"status": rule.status, "code": 20500, "message": "error"}),
        )


async def _call_back(callbacks: Callbacks, message: dict[str, Any]) -> None:
    """Posts the signed status callbacks of one message."""
    from twilio.request_validator import RequestValidator

    if not message["callback"]:
        return
    address = message["callback"]
    target = address
    if callbacks.instead_of and callbacks.post_to:
        target = address.replace(callbacks.instead_of, callbacks.post_to, 1)
    is_call = message["sid"].startswith("CA")
    for status in callbacks.call_statuses if is_call else callbacks.statuses:
        if callbacks.delay:
            await asyncio.sleep(callbacks.delay)
        named = {"CallSid": "CallStatus"} if is_call else {"MessageSid": "MessageStatus", "SmsSid": "SmsStatus"}
        form = {"AccountSid": "ACstandin", "From": message["from"], "To": message["to"]}
        if is_call:
            form["Direction"] = "outbound-api"
        for sid_name, status_name in named.items():
            form |= {sid_name: message["sid"], status_name: status}
        signature = RequestValidator(callbacks.auth_token).compute_signature(address, form)
        for _ in range(callbacks.repeat):
            await post(target, data=form, headers={"X-Twilio-Signature": signature})


class TwilioStandIn(StandIn):
    """The stand-in as a process of its own, and what a test asks of it. An accepted request: sid, to, from, body, at,
    token."""

    module = "tests.stand_ins.twilio"

    def call_back(self, auth_token: str, **given: Any) -> None:
        """Posts status callbacks from now on: see `Callbacks`."""
        self._callbacks = {"auth_token": auth_token, **given}
        self.ask("callbacks", self._callbacks)

    def press(self, call: dict[str, Any], digits: str) -> str:
        """Presses a key in a call, where its TwiML says that keys go; the TwiML that comes back. Signed, led elsewhere
        and repeated as `call_back` said; each time with the token that tells a repeat."""
        from twilio.request_validator import RequestValidator

        gather = ElementTree.fromstring(call["twiml"]).find("Gather")  # noqa: S314 - our own code wrote it
        assert gather is not None
        address = gather.get("action", "")
        form = {
            "CallSid": call["sid"],
            "AccountSid": "ACstandin",
            "From": call["from"],
            "To": call["to"],
            "Direction": "outbound-api",
            "CallStatus": "in-progress",
            "Digits": digits,
        }
        signature = RequestValidator(self._callbacks["auth_token"]).compute_signature(address, form)
        target = address.replace(self._callbacks["instead_of"], self._callbacks["post_to"], 1)
        headers = {"X-Twilio-Signature": signature, "I-Twilio-Idempotency-Token": str(uuid.uuid4())}
        for _ in range(self._callbacks.get("repeat", 1)):
            answer = requests.post(target, data=form, headers=headers, timeout=30)
            answer.raise_for_status()
        return answer.text

    def keep_media(self, name: str, content: bytes = b"", **given: Any) -> str:
        """Keeps a file (see `Media`) and returns its address."""
        self.ask("media", {"name": name, "content": content.hex(), **given})
        return f"{self.url}/2010-04-01/Accounts/ACstandin/Messages/MM1/Media/{name}"

    def fetched(self) -> list[dict[str, Any]]:
        """Requests for files: {name, authorized}."""
        found: list[dict[str, Any]] = self.ask("fetched")
        return found

    def charge(self, price: str, after: float = 0.0) -> None:
        """Names a price for what it accepted, `after` seconds from then: see `Charges`."""
        self.ask("charges", {"price": price, "after": after})

    def asked(self) -> list[str]:
        """Of which messages and calls the records were asked for, in order: their sids."""
        found: list[str] = self.ask("asked")
        return found

    def calls(self) -> list[dict[str, Any]]:
        """Every accepted call, in order: sid, to, from, twiml, events, machine_detection, at, token."""
        found: list[dict[str, Any]] = self.ask("calls")
        return found


if __name__ == "__main__":
    account = TwilioAccount()
    serve(lambda: TwilioConnection(account))
