"""The SES adapter with the real boto3 client against the stand-in: what each failure is taken for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from chassis.columns import utc_now
from services.messaging.adapters.base import (
    Accepted,
    Deferred,
    NotConnected,
    Outgoing,
    Question,
    Refused,
    Result,
    Unknown,
)
from services.messaging.adapters.in_time import TooLate, begin_by
from services.messaging.adapters.ses import SesProvider
from tests.stand_ins.ses import SesStandIn

TO = "ann@example.com"


@pytest.fixture(scope="module")
def running() -> Iterator[SesStandIn]:
    with SesStandIn() as ses:
        yield ses


@pytest.fixture
def ses(running: SesStandIn, monkeypatch: pytest.MonkeyPatch) -> SesStandIn:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    running.reset()
    return running


def send(url: str, seconds: float = 0.5, **given: str) -> Result:
    provider = SesProvider(region="us-east-1", configuration_set="casewire", endpoint_url=url, seconds=seconds)
    told = {"subject": "Your case", "body": "Hi", "html": "<p>Hi</p>", "sender_name": "Harbor & Lane", **given}
    return provider.send(Outgoing(token="t-1", channel="email", to=TO, sender="office@firm.example", **told))


def test_an_accepted_email_carries_everything(ses: SesStandIn) -> None:
    result = send(ses.url, unsubscribe_url="https://casewire.test/u/x", subject="¿Qué tal, Ann?")
    assert isinstance(result, Accepted)
    (message,) = ses.accepted()
    assert message["id"] == result.provider_id
    assert (message["to"], message["from"]) == (TO, "Harbor & Lane <office@firm.example>")
    assert (message["subject"], message["text"], message["html"]) == ("¿Qué tal, Ann?", "Hi", "<p>Hi</p>")
    assert message["headers"] == {
        "List-Unsubscribe": "<https://casewire.test/u/x>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "X-Casewire-Delivery": "t-1",
    }
    assert (message["token"], message["configuration_set"]) == ("t-1", "casewire")


def test_a_name_that_is_not_ascii_is_encoded_and_begins_no_header(ses: SesStandIn) -> None:
    send(ses.url, sender_name='Peña\r\nBcc: evil@example.com "x"')
    sent_from = ses.accepted()[0]["from"]
    assert sent_from.isascii()
    assert not set(sent_from) & set("\r\n")
    assert sent_from.endswith(" <office@firm.example>")


@pytest.mark.parametrize(
    ("status", "code", "result"),
    [
        (400, "MessageRejected", Refused("MessageRejected")),
        (400, "MailFromDomainNotVerifiedException", Refused("MailFromDomainNotVerifiedException")),
        (400, "BadRequestException", Refused("BadRequestException")),
        (404, "NotFoundException", Refused("NotFoundException")),
        (429, "TooManyRequestsException", Deferred(5.0, of_account=True)),
        (400, "ThrottlingException", Deferred(5.0, of_account=True)),
        (400, "LimitExceededException", Deferred(900.0, of_account=True)),
        (400, "SendingPausedException", Refused("SendingPausedException")),
        (400, "AccountSuspendedException", Refused("AccountSuspendedException")),
        (403, "ExpiredTokenException", Refused("http_403")),
    ],
)
def test_a_refusal_is_final_or_to_be_waited_for(ses: SesStandIn, status: int, code: str, result: Result) -> None:
    ses.when("refuse", status=status, code=code)
    assert send(ses.url) == result
    assert ses.counts() == {"requests": 1, "accepted": 0, "refused": 1}


def test_the_delay_that_is_named_is_kept_to(ses: SesStandIn) -> None:
    ses.when("refuse", status=429, code="TooManyRequestsException", retry_after=7)
    assert send(ses.url) == Deferred(7.0, of_account=True)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"do": "stall"}, "timeout"),
        ({"do": "late", "seconds": 2.0}, "timeout"),
        ({"do": "cut"}, "cut"),
        ({"do": "cut_before"}, "cut"),
        ({"do": "error", "status": 500}, "http_500"),
        ({"do": "error", "status": 503}, "http_503"),
    ],
)
def test_what_was_begun_and_not_answered_is_unknown(ses: SesStandIn, rule: dict[str, object], code: str) -> None:
    ses.when(**rule)  # type: ignore[arg-type]
    assert send(ses.url) == Unknown(code)
    assert ses.counts()["requests"] == 1, "never asked twice"


def test_a_connection_that_was_never_made_may_be_tried_again(ses: SesStandIn) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert send(f"http://127.0.0.1:{unused.getsockname()[1]}") == NotConnected()


def test_a_request_that_is_too_late_does_not_leave(ses: SesStandIn) -> None:
    with begin_by(time.monotonic() - 1), pytest.raises(TooLate):
        send(ses.url)
    assert ses.accepted() == []
    with begin_by(time.monotonic() + 60):
        assert isinstance(send(ses.url), Accepted)


def test_without_credentials_nothing_leaves(ses: SesStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    assert send(ses.url) == NotConnected()
    assert ses.counts()["requests"] == 0


def test_ses_cannot_be_asked(ses: SesStandIn) -> None:
    provider = SesProvider(region="us-east-1", endpoint_url=ses.url)
    assert provider.find(Question(token="t", to=TO, sender="", body="x", begun_at=utc_now())) is None
