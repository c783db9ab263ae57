"""A stand-in for a mail server, by aiosmtpd: takes email from the standard library's client, and can fail at each step.

    with SmtpStandIn() as smtp:
        smtp.when("refuse", to="nobody@example.com", status=550, code="5.1.1 no such mailbox")     # at RCPT
        smtp.accepted()                                # from, to, source (the message as it came), at

`do`: refuse at RCPT, or later or earlier if `step` says so (connect, mail, rcpt, data); stall and cut after the whole
message has come; cut_before: closes at MAIL.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.stand_ins.server import Account, Connection, StandIn, serve


class MailAccount(Account):
    """What the server accepted, and at which step it fails."""

    smtp_port = 0

    def reset(self) -> None:
        super().reset()
        self.step: str | None = None
        self.connections = 0


class Handler:
    """aiosmtpd's hooks, as the rules say."""

    def __init__(self, account: MailAccount) -> None:
        self.account = account

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        self.account.requests += 1
        refusal = self._refusal("mail", address)
        if refusal is not None:
            return refusal
        if any(rule.do == "cut_before" for rule in self.account.rules):
            _cut(server)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        refusal = self._refusal("rcpt", address)
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        refusal = self._refusal("data", envelope.rcpt_tos[0])
        if refusal is not None:
            return refusal
        assert isinstance(envelope.content, bytes)
        source = envelope.content.decode("utf-8", "replace")
        self.account.messages.append(
            {"from": envelope.mail_from, "to": envelope.rcpt_tos, "source": source, "at": time.time()}
        )
        for rule in self.account.rules:
            if rule.do == "stall":
                await asyncio.sleep(3600)
            if rule.do == "cut":
                _cut(server)
        return "250 OK"

    def _refusal(self, step: str, address: str) -> str | None:
        rule = self.account.decide(address) if step == (self.account.step or "rcpt") else None
        if rule is None or rule.do != "refuse":
            return None
        self.account.refuse(address, rule)
        return f"{rule.status} {rule.code or 'refused'}"


def _cut(server: SMTP) -> None:
    assert server.transport is not None
    server.transport.abort()


class Controls(Connection):
    """The test's side."""

    account: MailAccount

    def __init__(self, account: MailAccount) -> None:
        super().__init__()
        self.account = account

    def actions(self, given: dict[str, Any]) -> dict[str, Callable[[], Any]]:
        return {
            "port": lambda: self.account.smtp_port,
            "step": lambda: setattr(self.account, "step", given["step"]),
            "connections": lambda: self.account.connections,
        }


class SmtpStandIn(StandIn):
    """The stand-in as a process of its own, and what a test asks of it."""

    module = "tests.stand_ins.smtp"

    @property
    def port(self) -> int:
        """Where it takes email."""
        return int(self.ask("port"))

    @property
    def connections(self) -> int:
        """How many were opened."""
        return int(self.ask("connections"))

    def at(self, step: str) -> None:
        """The step at which it refuses."""
        self.ask("step", {"step": step})


async def _serve_smtp(account: MailAccount) -> None:
    def connected() -> SMTP:
        account.connections += 1
        return SMTP(Handler(account), hostname="mail.stand-in.test", enable_SMTPUTF8=False)

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    account.smtp_port = server.sockets[0].getsockname()[1]


if __name__ == "__main__":
    account = MailAccount()
    serve(lambda: Controls(account), before=lambda: _serve_smtp(account))
