"""The SMTP adapter against a mail server: what a failure means at each step."""

from __future__ import annotations

import email
import email.policy
import socket
import time
from collections.abc import Iterator

import pytest

from services.messaging.adapters.base import Accepted, Deferred, NotConnected, Outgoing, Refused, Result, Unknown
from services.messaging.adapters.in_time import TooLate, begin_by
from services.messaging.adapters.smtp import SmtpProvider
from tests.stand_ins.smtp import SmtpStandIn

TO = "ann@example.com"


@pytest.fixture(scope="module")
def running() -> Iterator[SmtpStandIn]:
    with SmtpStandIn() as smtp:
        yield smtp


@pytest.fixture
def smtp(running: SmtpStandIn) -> SmtpStandIn:
    running.reset()
    return running


@pytest.fixture
def adapter(smtp: SmtpStandIn) -> Iterator[SmtpProvider]:
    made = SmtpProvider(f"smtp://127.0.0.1:{smtp.port}", seconds=0.7)
    yield made
    made.close()


def send(adapter: SmtpProvider, to: str = TO, sender: str = "office@firm.example", **given: str) -> Result:
    told = {"subject": "Your case", "body": "Hi\n.\nbye", "html": "<p>Hi</p>", "sender_name": "Harbor & Lane", **given}
    return adapter.send(Outgoing(token="t-1", channel="email", to=to, sender=sender, **told))


def test_an_accepted_email_carries_both_parts_and_its_headers(smtp: SmtpStandIn, adapter: SmtpProvider) -> None:
    result = send(adapter, unsubscribe_url="https://casewire.test/u/x", subject="¿Qué tal?\r\nBcc: evil@x.example")
    assert result == Accepted("<t-1@firm.example>", "sent")
    (message,) = smtp.accepted()
    assert (message["from"], message["to"]) == ("office@firm.example", [TO])
    mime = email.message_from_string(message["source"], policy=email.policy.default)
    assert [mime[name] for name in ("From", "To", "Subject", "Message-ID", "Bcc")] == [
        "Harbor & Lane <office@firm.example>", TO, "¿Qué tal? Bcc: evil@x.example", "<t-1@firm.example>", None,
    ]  # fmt: skip
    assert mime["List-Unsubscribe"] == "<https://casewire.test/u/x>"
    assert mime["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mime.get_content_type() == "multipart/alternative"
    text, html = mime.iter_parts()  # type: ignore[attr-defined]
    assert (text.get_content().split(), html.get_content().strip()) == (["Hi", ".", "bye"], "<p>Hi</p>")


def test_a_message_id_is_no_longer_than_what_keeps_it(smtp: SmtpStandIn, adapter: SmtpProvider) -> None:
    domain = f"{'a' * 63}.{'b' * 63}.example"
    result = send(adapter, sender=f"office@{domain}")
    assert isinstance(result, Accepted)
    assert len(result.provider_id) <= 120
    assert (result.provider_id[:5], result.provider_id[-13:]) == ("<t-1@", "bbbb.example>")


def test_one_connection_serves_several_messages(smtp: SmtpStandIn, adapter: SmtpProvider) -> None:
    smtp.when("refuse", to="nobody@example.com", status=550)
    results = [send(adapter), send(adapter, to="nobody@example.com"), send(adapter)]
    assert [type(result) for result in results] == [Accepted, Refused, Accepted]
    assert smtp.connections == 1


def test_a_message_that_is_too_late_is_not_begun_and_its_connection_waits_for_the_next(
    smtp: SmtpStandIn, adapter: SmtpProvider
) -> None:
    with begin_by(time.monotonic() - 1), pytest.raises(TooLate):
        send(adapter)
    assert smtp.accepted() == []
    assert isinstance(send(adapter), Accepted)
    assert smtp.connections == 1


@pytest.mark.parametrize(
    ("step", "status", "code", "result"),
    [
        ("mail", 451, None, Deferred(60.0)),
        ("mail", 550, None, Refused("smtp_550")),
        ("rcpt", 550, "5.1.1 no such mailbox", Refused("recipient_refused")),
        ("rcpt", 550, None, Refused("recipient_refused")),
        ("rcpt", 550, "5.7.1 not from you", Refused("smtp_550")),
        ("rcpt", 554, None, Refused("smtp_554")),
        ("rcpt", 450, "4.2.0 grey", NotConnected()),
        ("rcpt", 452, "4.2.2 full", NotConnected()),
        ("data", 451, None, Deferred(60.0)),
        ("data", 554, "5.7.1 spam", Refused("smtp_554")),
    ],
)
def test_a_refusal_means_what_its_step_and_code_say(
    smtp: SmtpStandIn, adapter: SmtpProvider, step: str, status: int, code: str | None, result: Result
) -> None:
    smtp.at(step)
    smtp.when("refuse", status=status, code=code)
    assert send(adapter) == result
    assert smtp.accepted() == []


@pytest.mark.parametrize(("do", "code"), [("cut", "cut"), ("stall", "timeout")])
def test_a_line_that_ends_after_the_message_leaves_its_fate_unknown(
    smtp: SmtpStandIn, adapter: SmtpProvider, do: str, code: str
) -> None:
    smtp.when(do)
    assert send(adapter) == Unknown(code)
    assert smtp.counts()["requests"] == 1, "never sent twice"
    smtp.take_everything()
    assert isinstance(send(adapter), Accepted), "on a connection of its own"


def test_a_line_that_ends_before_the_message_may_be_tried_again(smtp: SmtpStandIn, adapter: SmtpProvider) -> None:
    smtp.when("cut_before")
    assert send(adapter) == NotConnected()
    assert smtp.accepted() == []


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert send(SmtpProvider(f"smtp://127.0.0.1:{unused.getsockname()[1]}")) == NotConnected()


def test_a_server_that_takes_no_password_holds_the_sender(smtp: SmtpStandIn) -> None:
    locked = SmtpProvider(f"smtp://user:word@127.0.0.1:{smtp.port}", seconds=1.0)
    assert send(locked) in (NotConnected(), Deferred(60.0))
    assert smtp.accepted() == []


@pytest.mark.parametrize("to", ["añn@example.com", "ann@example.com\r\nBcc: evil@x.example"])
def test_an_address_that_cannot_be_sent_to_is_refused(smtp: SmtpStandIn, adapter: SmtpProvider, to: str) -> None:
    assert send(adapter, to=to) == Refused("recipient_refused")
    assert smtp.counts()["requests"] == 0
