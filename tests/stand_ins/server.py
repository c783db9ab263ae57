"""What the stand-ins for providers have in common: an HTTP server in a process of its own, its rules and its controls.

Rules are tried in order, the first that fits decides; `every` counts the requests that it might fit, `times` ends it.
`do`: refuse (`status`, `code`, `retry_after`), stall (never answers), late (answers after `seconds`), cut (accepts,
then closes without an answer), cut_before (closes without accepting), error (accepts, then answers `status`), accept.

It answers in one write per response and serves several thousand requests a second, so that it does not measure itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import requests

CONTROLS = "/_stand_in/"


@dataclass
class Rule:
    """What to do with a request that fits."""

    do: str
    to: str | None = None
    every: int = 1
    times: int | None = None
    status: int = 500
    code: int | str | None = None
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


class Account:
    """What a stand-in knows: rules, and what it accepted and refused."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        self.rules: list[Rule] = []
        self.messages: list[dict[str, Any]] = []
        self.refusals: list[dict[str, Any]] = []
        self.requests = 0
        self.latency = 0.0
        self.clock = 0.0

    def now(self) -> float:
        """Seconds since the epoch, by a clock that a test may have set."""
        return time.time() + self.clock

    def decide(self, to: str) -> Rule | None:
        """The rule for a request, if there is one."""
        for rule in self.rules:
            if rule.fits(to):
                return rule
        return None

    def refuse(self, to: str, rule: Rule) -> None:
        """Notes a request that was not taken."""
        self.refusals.append({"to": to, "at": self.now(), "status": rule.status, "retry_after": rule.retry_after})

    def counts(self) -> dict[str, int]:
        """requests, accepted, refused."""
        return {"requests": self.requests, "accepted": len(self.messages), "refused": len(self.refusals)}


_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Error"}


def response(status: int, body: Any, headers: str = "", content_type: str = "application/json") -> bytes:
    """One whole response. `body` is made JSON unless it is bytes; `headers` are lines with their ends."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(payload)}\r\n{headers}\r\n"
    )
    return head.encode() + payload


class Connection(asyncio.Protocol):
    """One client connection: HTTP/1.1 with keep-alive and Content-Length, no more."""

    account: Account

    def __init__(self) -> None:
        self.buffer = b""
        self.head = b""
        """Of the request that is dealt with: its first line and headers."""
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
            self.head = head
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            if target.startswith(CONTROLS):
                self.control(method, target.removeprefix(CONTROLS), json.loads(body or b"{}"))
            else:
                self.handle(method, target, body.decode())

    def handle(self, method: str, target: str, body: str) -> None:
        """A request of the provider's own API."""
        raise NotImplementedError

    def actions(self, given: dict[str, Any]) -> dict[str, Callable[[], Any]]:
        """What a test may tell this stand-in besides what all take."""
        return {}

    def control(self, method: str, name: str, given: dict[str, Any]) -> None:
        """A request of the test's."""
        account = self.account
        common: dict[str, Callable[[], Any]] = {
            "accepted": lambda: account.messages,
            "refusals": lambda: account.refusals,
            "counts": account.counts,
            "rules": lambda: account.rules.append(Rule(**given)),
            "latency": lambda: setattr(account, "latency", float(given["seconds"])),
            "clock": lambda: setattr(account, "clock", float(given["ahead"])),
            "clear_rules": account.rules.clear,
            "reset": account.reset,
        }
        answer = {**common, **self.actions(given)}[name]()
        if asyncio.iscoroutine(answer):
            spawn(self._answer_later(answer))
        else:
            self.write(response(200, {} if answer is None else answer))

    async def _answer_later(self, work: Any) -> None:
        self.write(response(200, await work))

    def take(
        self,
        to: str,
        *,
        refusal: Callable[[Rule], bytes],
        accept: Callable[[], bytes],
        failure: Callable[[Rule], bytes],
    ) -> None:
        """A request to send, dealt with as the rules say. `accept` takes it, and makes the answer."""
        account = self.account
        account.requests += 1
        rule = account.decide(to) if account.rules else None
        do = rule.do if rule else "accept"
        if rule and do == "refuse":
            account.refuse(to, rule)
            self.write(refusal(rule))
            return
        if do == "cut_before":
            self.transport.abort()
            return
        answer = accept()
        if do == "stall":
            return
        if do == "cut":
            self.transport.abort()
        elif rule and do == "error":
            self.write(failure(rule))
        else:
            wait = rule.seconds if rule and do == "late" else account.latency
            if wait:
                asyncio.get_running_loop().call_later(wait, self.write, answer)
            else:
                self.write(answer)

    def write(self, answer: bytes) -> None:
        """Answers, if somebody still listens."""
        if not self.transport.is_closing():
            self.transport.write(answer)


_tasks: set[asyncio.Task[None]] = set()
_session: list[Any] = []


def spawn(work: Any) -> None:
    """Runs a coroutine beside the server."""
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def post(target: str, **given: Any) -> int:
    """Posts to the system under test and returns the status of its answer, 0 if there was none."""
    import aiohttp

    if not _session:
        _session.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16)))
    try:
        async with _session[0].post(target, **given) as answer:
            await answer.read()
            return int(answer.status)
    except (TimeoutError, aiohttp.ClientError):
        return 0


def serve(
    connection: Callable[[], Connection],
    began: Callable[[int], None] = lambda port: None,
    before: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serves until the process ends, on `--port` of the command line. `began` gets the port; `before` starts what else
    there is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        if before is not None:
            await before()
        server = await loop.create_server(connection, "127.0.0.1", parser.parse_args().port, backlog=1024)
        port = server.sockets[0].getsockname()[1]
        began(port)
        print(f"listening on {port}", flush=True)
        async with server:
            await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


class StandIn:
    """A stand-in as a process of its own, and what a test asks of it."""

    module: str

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> Any:
        """Starts the process and waits until it serves."""
        command = [sys.executable, "-m", self.module, "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"{self.module} ended at its start"
        self.url = f"http://127.0.0.1:{line.rpartition(' ')[2].strip()}"
        return self

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            assert self._process.stdout is not None
            self._process.stdout.close()

    def __enter__(self) -> Any:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def when(self, do: str, **rule: Any) -> None:
        """Adds a rule: see `Rule`."""
        self.ask("rules", {"do": do, **rule})

    def take_everything(self) -> None:
        """Removes the rules."""
        self.ask("clear_rules", {})

    def answer_after(self, seconds: float) -> None:
        """How long every answer takes."""
        self.ask("latency", {"seconds": seconds})

    def set_clock(self, ahead: float) -> None:
        """Lets its clock be so many seconds ahead of the machine's."""
        self.ask("clock", {"ahead": ahead})

    def reset(self) -> None:
        """Forgets messages, rules, callbacks and its clock."""
        self.ask("reset", {})

    def accepted(self) -> list[dict[str, Any]]:
        """Every accepted request, in order, with its time (`at`, seconds since the epoch)."""
        found: list[dict[str, Any]] = self.ask("accepted")
        return found

    def refusals(self) -> list[dict[str, Any]]:
        """Every refused request, in order: to, at (seconds since the epoch), status, retry_after."""
        found: list[dict[str, Any]] = self.ask("refusals")
        return found

    def counts(self) -> dict[str, int]:
        """requests, accepted, refused."""
        found: dict[str, int] = self.ask("counts")
        return found

    def ask(self, name: str, body: dict[str, Any] | None = None) -> Any:
        """Uses a control of the stand-in."""
        method = "GET" if body is None else "POST"
        answer = requests.request(method, f"{self.url}{CONTROLS}{name}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()
