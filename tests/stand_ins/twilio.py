"""A stand-in for Twilio's API that speaks HTTP to Twilio's own client library, and can fail in every way we know of.

    python -m tests.stand_ins.twilio --port 0          prints "listening on <port>"

    with TwilioStandIn() as twilio:                    # starts it as a process
        twilio.when(to="+12125550123", do="refuse", status=400, code=21610)
        client = Client("AC…", "token"); client.api.base_url = twilio.url
        twilio.accepted()                              # the oracle: every request that was accepted, with its time
        twilio.calls()                                 # the same of telephone calls

Rules are tried in order, the first that fits decides; `every` counts the requests that it might fit, `times` ends it.
`do`: refuse (`status`, `code`, `retry_after`), stall (never answers), late (answers after `seconds`), cut (accepts,
then closes without an answer), cut_before (closes without accepting), error (accepts, then answers `status`), accept.

It answers in one write per response and serves several thousand requests a second, so that it does not measure itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import email.utils
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests


@dataclass
class Rule:
    """What to do with a request that fits."""

    do: str
    to: str | None = None
    every: int = 1
    times: int | None = None
    status: int = 500
    code: int | None = None
    retry_after: float | None = None
    seconds: float = 0.0
    _seen: int = field(default=0, repr=False)

    def fits(self, to: str) -> bool:
        """Whether this request is one of those it is meant for. Counts it."""
        if (self.to is not None and self.to != to) or self.times == 0:
            return False
        self._seen += 1
        if self._seen % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True


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


class Account:
    """What the stand-in knows: rules, accepted messages, callbacks."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.rules: list[Rule] = []
        self.messages: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.refused = 0
        self.requests = 0
        self.latency = 0.0
        self.callbacks: Callbacks | None = None
        self._numbers = itertools.count(1)

    def accept(self, form: dict[str, str]) -> dict[str, Any]:
        """Takes a message: from here on it counts as sent."""
        callback = form.get("StatusCallback", "")
        message = {
            "sid": f"SM{next(self._numbers):032x}",
            "to": form.get("To", ""),
            "from": form.get("From") or form.get("MessagingServiceSid", ""),
            "body": form.get("Body", ""),
            "at": time.time(),
            "callback": callback,
            "token": dict(parse_qsl(urlsplit(callback).query)).get("token"),
        }
        self.messages.append(message)
        return message

    def accept_call(self, form: dict[str, str], events: list[str]) -> dict[str, Any]:
        """Takes a call: from here on the telephone rings."""
        callback = form.get("StatusCallback", "")
        call = {
            "sid": f"CA{next(self._numbers):032x}",
            "to": form.get("To", ""),
            "from": form.get("From", ""),
            "twiml": form.get("Twiml", ""),
            "events": events,
            "machine_detection": form.get("MachineDetection"),
            "at": time.time(),
            "callback": callback,
            "token": dict(parse_qsl(urlsplit(callback).query)).get("token"),
        }
        self.calls.append(call)
        return call

    def decide(self, to: str) -> Rule | None:
        """The rule for a request, if there is one."""
        for rule in self.rules:
            if rule.fits(to):
                return rule
        return None


def _resource(message: dict[str, Any], status: str = "queued") -> dict[str, Any]:
    created = email.utils.formatdate(message["at"])
    return {
        "sid": message["sid"],
        "account_sid": "ACstandin",
        "to": message["to"],
        "from": message["from"],
        "body": message["body"],
        "status": status,
        "direction": "outbound-api",
        "num_segments": "1",
        "num_media": "0",
        "price": None,
        "price_unit": "USD",
        "error_code": None,
        "error_message": None,
        "date_created": created,
        "date_updated": created,
        "date_sent": None,
        "api_version": "2010-04-01",
        "uri": f"/2010-04-01/Accounts/ACstandin/Messages/{message['sid']}.json",
        "subresource_uris": {},
        "messaging_service_sid": None,
    }


def _call_resource(call: dict[str, Any], status: str = "queued") -> dict[str, Any]:
    created = email.utils.formatdate(call["at"])
    names = ("answered_by", "duration", "end_time", "parent_call_sid", "price", "start_time", "group_sid", "trunk_sid")
    return {
        **dict.fromkeys(names),
        "sid": call["sid"],
        "account_sid": "ACstandin",
        "to": call["to"],
        "from": call["from"],
        "status": status,
        "direction": "outbound-api",
        "price_unit": "USD",
        "date_created": created,
        "date_updated": created,
        "api_version": "2010-04-01",
        "uri": f"/2010-04-01/Accounts/ACstandin/Calls/{call['sid']}.json",
        "subresource_uris": {},
    }


_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Error"}


def _response(status: int, body: Any, headers: str = "") -> bytes:
    payload = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(payload)}\r\n{headers}\r\n"
    )
    return head.encode() + payload


class Connection(asyncio.Protocol):
    """One client connection: HTTP/1.1 with keep-alive and Content-Length, no more."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end]
            length = 0
            at = head.lower().find(b"content-length:")
            if at >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            self.handle(method, target, body.decode())

    def handle(self, method: str, target: str, body: str) -> None:
        if target.startswith("/_stand_in/"):
            self.transport.write(_control(self.account, method, target.removeprefix("/_stand_in/"), body))
        elif method == "POST" and target.endswith("/Messages.json"):
            self.create(dict(parse_qsl(body, keep_blank_values=True)))
        elif method == "POST" and target.endswith("/Calls.json"):
            events = parse_qs(body).get("StatusCallbackEvent", [])
            self.create(dict(parse_qsl(body, keep_blank_values=True)), call_events=events)
        elif method == "GET" and "/Calls.json" in target:
            self.transport.write(_response(200, _listing(self.account.calls, "calls", _call_resource, target)))
        elif method == "GET" and "/Messages.json" in target:
            self.transport.write(_response(200, _listing(self.account.messages, "messages", _sent, target)))
        else:
            self.transport.write(_response(404, {"status": 404, "code": 20404, "message": "Not found"}))

    def create(self, form: dict[str, str], call_events: list[str] | None = None) -> None:
        account = self.account
        account.requests += 1
        rule = account.decide(form.get("To", "")) if account.rules else None
        do = rule.do if rule else "accept"
        if rule and do == "refuse":
            account.refused += 1
            headers = "" if rule.retry_after is None else f"Retry-After: {rule.retry_after:g}\r\n"
            error = {"status": rule.status, "code": rule.code or 20000 + rule.status, "message": "refused"}
            self.transport.write(_response(rule.status, error, headers))
            return
        if do == "cut_before":
            self.transport.abort()
            return
        is_call = call_events is not None
        message = account.accept_call(form, call_events) if call_events is not None else account.accept(form)
        if account.callbacks:
            _spawn(_call_back(account.callbacks, message))
        if do == "stall":
            return
        if do == "cut":
            self.transport.abort()
        elif rule and do == "error":
            self.transport.write(_response(rule.status, {"status": rule.status, "code": 20500, "message": "error"}))
        else:
            wait = rule.seconds if rule and do == "late" else account.latency
            answer = _response(201, _call_resource(message) if is_call else _resource(message))
            if wait:
                asyncio.get_running_loop().call_later(wait, self._write, answer)
            else:
                self.transport.write(answer)

    def _write(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


def _sent(message: dict[str, Any]) -> dict[str, Any]:
    return _resource(message, "sent")


def _listing(
    kept: list[dict[str, Any]], name: str, resource: Callable[[dict[str, Any]], dict[str, Any]], target: str
) -> dict[str, Any]:
    query = dict(parse_qsl(urlsplit(target).query))
    wanted = {key: query[name] for name, key in (("To", "to"), ("From", "from")) if name in query}
    found = [one for one in reversed(kept) if all(one[key] == value for key, value in wanted.items())]
    return {
        name: [resource(one) for one in found[:1000]],
        "end": len(found),
        "first_page_uri": target,
        "next_page_uri": None,
        "page": 0,
        "page_size": 1000,
        "previous_page_uri": None,
        "start": 0,
        "uri": target,
    }


def _control(account: Account, method: str, name: str, body: str) -> bytes:
    if (method, name) == ("GET", "accepted"):
        return _response(200, account.messages)
    if (method, name) == ("GET", "calls"):
        return _response(200, account.calls)
    if (method, name) == ("GET", "counts"):
        return _response(
            200,
            {
                "requests": account.requests,
                "accepted": len(account.messages) + len(account.calls),
                "refused": account.refused,
            },
        )
    given = json.loads(body or "{}")
    actions: dict[str, Callable[[], Any]] = {
        "rules": lambda: account.rules.append(Rule(**given)),
        "latency": lambda: setattr(account, "latency", float(given["seconds"])),
        "callbacks": lambda: setattr(account, "callbacks", Callbacks(**given)),
        "clear_rules": lambda: account.rules.clear(),
        "reset": account.reset,
    }
    actions[name]()
    return _response(200, {})


_tasks: set[asyncio.Task[None]] = set()
_session: list[Any] = []


def _spawn(work: Any) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _call_back(callbacks: Callbacks, message: dict[str, Any]) -> None:
    """Posts the signed status callbacks of one message."""
    import aiohttp
    from twilio.request_validator import RequestValidator

    if not message["callback"]:
        return
    if not _session:
        _session.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16)))
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
            with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
                headers = {"X-Twilio-Signature": signature}
                async with _session[0].post(target, data=form, headers=headers) as answer:
                    await answer.read()


async def _serve(port: int) -> None:
    account = Account()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(account), "127.0.0.1", port, backlog=1024
    )
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


class TwilioStandIn:
    """The stand-in as a process of its own, and what a test asks of it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> TwilioStandIn:
        """Starts the process and waits until it serves."""
        command = [sys.executable, "-m", "tests.stand_ins.twilio", "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.url = f"http://127.0.0.1:{line.rpartition(' ')[2].strip()}"
        return self

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            assert self._process.stdout is not None
            self._process.stdout.close()

    def __enter__(self) -> TwilioStandIn:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def when(self, do: str, **rule: Any) -> None:
        """Adds a rule: see `Rule`."""
        self._ask("rules", {"do": do, **rule})

    def take_everything(self) -> None:
        """Removes the rules."""
        self._ask("clear_rules", {})

    def answer_after(self, seconds: float) -> None:
        """How long every answer takes."""
        self._ask("latency", {"seconds": seconds})

    def call_back(self, auth_token: str, **given: Any) -> None:
        """Posts status callbacks from now on: see `Callbacks`."""
        self._ask("callbacks", {"auth_token": auth_token, **given})

    def reset(self) -> None:
        """Forgets messages, rules and callbacks."""
        self._ask("reset", {})

    def accepted(self) -> list[dict[str, Any]]:
        """Every accepted request, in order: sid, to, from, body, at (seconds since the epoch), token."""
        return self._ask("accepted")

    def calls(self) -> list[dict[str, Any]]:
        """Every accepted call, in order: sid, to, from, twiml, events, machine_detection, at, token."""
        return self._ask("calls")

    def counts(self) -> dict[str, int]:
        """requests, accepted, refused."""
        return self._ask("counts")

    def _ask(self, name: str, body: dict[str, Any] | None = None) -> Any:
        method = "GET" if body is None else "POST"
        answer = requests.request(method, f"{self.url}/_stand_in/{name}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args().port))
